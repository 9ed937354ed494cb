/** `npm run pictures`: takes the README's pictures of the page, over a Sluice on which a burst drains. Takes about a minute. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { startChromium } from '../support/chromium.js';
import { startSink } from '../support/sink.js';
import { startSluice } from '../support/sluice.js';

const SECONDS = 75;
const pictures = fileURLToPath(new URL('../../src/page/pictures/', import.meta.url));
const running = /http:\/\/127\.0\.0\.1:\d+/;

const folder = mkdtempSync(join(tmpdir(), 'sluice-pictures-'));
const sink = await startSink(({ path }) => ({ status: path === '/orders' ? 204 : 404 }));
const server = startSluice(
  ['start'],
  {
    DATA_DIR: folder,
    PORT: '0',
    QUEUES: 'reports',
    HTTP_PUSH_ALLOW_PRIVATE: 'true',
    WORKER_CONCURRENCY: '20',
  },
  { cwd: folder },
);
const url = (await server.waitForLine(running)).match(running)?.[0] ?? '';

async function submit(count: number, job: (n: number) => object): Promise<void> {
  await request(`${url}/v1/jobs/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(Array.from({ length: count }, (_, n) => job(n))),
  });
}

const browser = await startChromium();
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
await page.goto(url);
await submit(38, (n) => ({
  type: 'http.push',
  payload: { url: `${sink.url}/odrers`, body: { order: 1001 + n } },
}));
await submit(4, () => ({
  type: 'http.push',
  payload: { url: 'https://sluice.invalid/orders' },
  maxAttempts: 1,
}));
await submit(120, () => ({ type: 'sleep', payload: { ms: 50 }, delayMs: 3_600_000, queue: 'reports' }));
for (let second = 0; second < SECONDS; second++) {
  // A burst that rises and falls; 20 at a time drain it.
  const count = Math.round(50 + 180 * Math.max(0, Math.sin((second / 45) * Math.PI)));
  await submit(count, (n) => ({
    type: 'sleep',
    payload: { ms: 120 },
    priority: n % 9 === 0 ? 'high' : 'normal',
  }));
  await setTimeout(1_000);
}
await page.screenshot({ path: join(pictures, 'overview.png') });

await page.emulateMedia({ colorScheme: 'dark' });
await page.setViewportSize({ width: 1280, height: 800 });
await page.getByRole('region', { name: 'What failed, by error' }).getByRole('link').nth(1).click();
await page.getByLabel('Payload').waitFor();
await page.screenshot({ path: join(pictures, 'dead-letters.png') });

await browser.close();
server.kill('SIGKILL');
await server.exited;
await sink.close();
rmSync(folder, { recursive: true, force: true });
