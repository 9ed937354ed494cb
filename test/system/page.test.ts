/** The page at `/` in a real browser, over the product on its built-in engine. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { request } from 'undici';
import { createClient, type JobSummary } from '../../src/client/client.js';
import { startChromium } from '../support/chromium.js';
import { freePort } from '../support/free-port.js';
import { type Sink, startSink } from '../support/sink.js';
import { type Sluice, startSluice } from '../support/sluice.js';
import { phone, type Visit, visit } from './support/visit.js';

const HANDLERS = fileURLToPath(new URL('fixtures/handlers.mjs', import.meta.url));
const running = /http:\/\/127\.0\.0\.1:\d+/;
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

describe('the page', () => {
  let browser: Browser;
  let sink: Sink;
  let folder: string;
  let server: Sluice;
  let url: string;
  let visits: Visit[];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-page-'));
    sink = await startSink(({ path }) => ({ status: path === '/orders' ? 204 : 404 }));
    const [started] = await Promise.all([
      startChromium(),
      start({ PORT: String(await freePort()), DATA_DIR: join(folder, 'data') }),
    ]);
    browser = started;
  });
  beforeEach(() => {
    visits = [];
  });
  afterEach(async () => {
    for (const one of visits) await one.close();
    expect(visits.flatMap(({ faults }) => faults)).to.deep.equal([]);
  });
  after(async () => {
    await browser?.close();
    server?.kill('SIGKILL');
    await server?.exited;
    await sink?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(env: Readonly<Record<string, string>>): Promise<void> {
    server = startSluice(['start'], { HANDLERS, HTTP_PUSH_ALLOW_PRIVATE: 'true', ...env }, { cwd: folder });
    url = (await server.waitForLine(running)).match(running)?.[0] ?? '';
  }
  async function open(path = '', options?: Parameters<typeof visit>[2]): Promise<Page> {
    const opened = await visit(browser, `${url}/${path}`, options);
    visits.push(opened);
    return opened.page;
  }
  async function submitted(...jobs: readonly object[]): Promise<readonly string[]> {
    const { statusCode, body } = await request(`${url}/v1/jobs/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(jobs),
    });
    expect(statusCode).to.equal(202);
    return ((await body.json()) as { ids: string[] }).ids;
  }
  const ended = async (id: string): Promise<void> =>
    void (await (await request(`${url}/v1/jobs/${id}?wait=30`)).body.dump());

  /** Presses Tab until the focus is on what is called so. */
  async function tabTo(page: Page, name: RegExp): Promise<void> {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab');
      const text = await page.evaluate('document.activeElement.textContent.trim()');
      if (name.test(String(text))) return;
    }
    throw new Error(`60 times Tab do not lead to ${name}`);
  }

  it('leads from a job that failed to its error, its payload, and its success', async () => {
    const page = await open();
    await page.getByRole('region', { name: 'What failed?' }).getByText('Nothing').waitFor();

    const command = startSluice([
      'submit',
      'http.push',
      `{"url":"${sink.url}/odrers","body":{"order":90071992547409931}}`,
      '--url',
      url,
    ]);
    expect((await command.exited).code, command.stderr.join('\n')).to.equal(0);
    await page.getByRole('region', { name: 'What failed?' }).getByText('1 dead job').waitFor();
    await page.getByRole('region', { name: 'What failed, by error' }).getByRole('link').nth(1).click();

    const payload = page.getByLabel('Payload');
    await payload.waitFor();
    const text = await payload.inputValue();
    expect(text, 'numbers stay as they were written').to.include('90071992547409931');
    await payload.fill(`${text.replace('odrers', 'orders')},`);
    await page.getByText('This is not JSON').waitFor();
    expect(await page.getByRole('button', { name: /^Replay with/ }).isDisabled()).to.equal(true);
    await payload.fill(text.replace('odrers', 'orders'));
    await page.getByRole('button', { name: 'Replay with this payload' }).click();

    await page.getByRole('heading', { name: 'http.push succeeded' }).waitFor();
    await page.getByText('"status": 204').waitFor();
    expect(page.url()).to.match(/#\/jobs\/[0-9a-f-]{36}$/);
  });

  it('has the same way for programs: the client alone', async () => {
    const client = createClient({ url });
    const job = await client.submit('http.push', { url: `${sink.url}/wrong`, body: { order: 7 } });
    await ended(job.id);
    const { groups } = await client.deadLetters.groups({ type: 'http.push' });
    const group = groups.find(({ example }) => example.id === job.id)?.group;
    expect(group, JSON.stringify(groups)).to.be.a('string');
    const dead: JobSummary[] = [];
    for await (const one of client.deadLetters.list({ group })) dead.push(one);
    expect(dead.map(({ id, state }) => [id, state])).to.deep.equal([[job.id, 'dead']]);

    const { payload } = await client.job(job);
    const mended = { ...(payload as object), url: `${sink.url}/orders` };
    const replayed = await client.replay(job, { payload: mended });
    expect(await client.result(replayed)).to.deep.equal({ status: 204 });
    expect(await client.job(job)).to.include({ state: 'succeeded', run: 2 });
  });

  it('is used by keyboard alone', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Pause default' }).waitFor();
    await tabTo(page, /^Skip to the content$/);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.tagName')).to.equal('MAIN');

    await tabTo(page, /^Pause default$/);
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('default is paused').waitFor();
    await page.getByRole('button', { name: 'Resume default' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Pause default' }).waitFor();

    const concurrency = page.getByRole('button', { name: 'change the concurrency of default' });
    await concurrency.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.type('7');
    await page.keyboard.press('Enter');
    await page.getByText('7 each').waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).to.include('concurrency of default');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });

    const [id = ''] = await submitted({ type: 'echo', payload: { by: 'keyboard' } });
    await ended(id);
    await tabTo(page, /^Jobs$/);
    await page.keyboard.press('Enter');
    await page.getByLabel('Id', { exact: false }).first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type(id);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'echo succeeded' }).waitFor();
  });

  it('narrows the jobs to a state, a type and a queue, and turns their pages', async () => {
    const ids = await submitted(...Array.from({ length: 60 }, () => ({ type: 'echo', payload: {} })));
    await Promise.all(ids.slice(-3).map(ended));
    const [later = ''] = await submitted({ type: 'sleep', payload: { ms: 1 }, delayMs: 3_600_000 });
    const page = await open('#/jobs');
    await page.getByLabel('State').selectOption('scheduled');
    await page.waitForURL(/state=scheduled/);
    await page.getByRole('link', { name: later }).click();
    await page.getByRole('button', { name: 'Cancel this job' }).click();
    await page.getByText('Cancelled by an operator').waitFor();

    await page.goBack();
    await page.getByLabel('State').selectOption('discarded');
    await page.getByText('No jobs here').waitFor();
    await page.getByLabel('State').selectOption('');
    await page.getByLabel('Type').fill('echo');
    await page.keyboard.press('Enter');
    await page.waitForURL(/type=echo/);
    await page.getByLabel('Queue').selectOption('default');
    await page.waitForURL(/queue=default/);
    const first = String(await page.getByRole('rowheader').first().textContent());
    await page.getByRole('link', { name: 'Older' }).click();
    await page.getByRole('link', { name: first }).waitFor({ state: 'hidden' });
    await page.getByRole('link', { name: 'Newest' }).click();
    await page.getByRole('link', { name: first }).waitFor();
  });

  it('counts, replays at a pace, stops and discards dead letters', async () => {
    await submitted(...Array.from({ length: 20 }, (_, n) => ({ type: 'test.throws', payload: { n } })));
    const page = await open('#/dead');
    await page.getByRole('region', { name: '20 dead jobs, by error' }).waitFor();
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByRole('status').getByText('20 jobs would be replayed').waitFor();

    await page.getByLabel('Jobs a second').fill('0.5');
    await page.getByRole('button', { name: 'Replay 20 jobs' }).click();
    const redrives = page.getByRole('region', { name: 'Replays and discards' });
    await redrives.getByText('running').waitFor();
    await redrives.getByRole('button', { name: 'Stop' }).click();
    await redrives.getByText('stopped', { exact: true }).waitFor();

    await page.getByRole('button', { name: 'Discard…' }).click();
    const question = page.getByRole('dialog', { name: /^Discard \d+ jobs\?$/ });
    await question.getByRole('button', { name: 'Keep them' }).click();
    await question.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Discard…' }).click();
    await question.getByRole('button', { name: /^Discard \d+ jobs$/ }).click();
    await redrives.getByText('done', { exact: true }).waitFor();
    await page.getByText('Nothing is dead').waitFor();
  });

  it('can be read by everybody, by day and by night, on a desk and on a phone', async () => {
    const [, dead = ''] = await submitted(
      { type: 'http.push', payload: { url: `${sink.url}/nowhere` } },
      { type: 'test.throws', payload: { much: 'x'.repeat(300) } },
      { type: 'sleep', payload: { ms: 600_000 } },
      { type: 'echo', payload: {}, delayMs: 3_600_000 },
    );
    await ended(dead);
    const { body } = await request(`${url}/v1/jobs/${dead}`);
    const { errorGroup } = (await body.json()) as { errorGroup: string };
    for (const options of [{ colorScheme: 'light' }, { colorScheme: 'dark', ...phone }] as const) {
      const page = await open('', options);
      const seen = visits.at(-1);
      await page.getByRole('region', { name: 'What failed, by error' }).waitFor();
      await seen?.isAccessible();
      const views = {
        '#/jobs?state=dead': dead,
        [`#/jobs/${dead}`]: 'Run it again',
        '#/dead': 'What to do with',
        '#/audit': 'What came in',
      };
      for (const [path, text] of Object.entries({ ...views, [`#/dead/${errorGroup}`]: 'An example' })) {
        await page.goto(`${url}/${path}`);
        await page.getByText(text).first().waitFor();
        await seen?.isAccessible();
      }
      await page.getByRole('button', { name: 'Discard…' }).click();
      await page.getByRole('dialog').waitFor();
      await seen?.isAccessible();
    }
  });

  it('says so when the server is gone, and goes on by itself when it is back', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Pause default' }).waitFor();
    server.kill('SIGKILL');
    await server.exited;
    await page.getByRole('alert').getByText('The server does not answer').waitFor();
    expect(
      await page.getByRole('button', { name: 'Pause default' }).isVisible(),
      'the last figures',
    ).to.equal(true);
    await page.getByRole('button', { name: 'Pause default' }).click();
    await page.getByRole('alert').getByText('may have been done all the same').waitFor();

    await start({ PORT: new URL(url).port, DATA_DIR: join(folder, 'data') });
    await page.getByText('The server does not answer since').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Pause default' }).click();
    await page.getByRole('status').getByText('default is paused').waitFor();
  });

  it('asks for nothing while nobody looks at it', async () => {
    const page = await open('', { hasClock: true });
    await page.getByRole('button', { name: /(Pause|Resume) default/ }).waitFor();
    const turn = (isHidden: boolean): Promise<unknown> =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { configurable: true, value: ${isHidden} }); document.dispatchEvent(new Event('visibilitychange'))`,
      );
    await turn(true);
    await page.waitForLoadState('networkidle');
    const asked: string[] = [];
    page.on('request', (sent) => asked.push(sent.url()));
    await page.clock.fastForward(3_600_000);
    await page.evaluate('1');
    expect(asked).to.deep.equal([]);
    await Promise.all([page.waitForRequest('**/v1/queues'), turn(false)]);
  });

  describe('of a server with keys', () => {
    before(async () => {
      server.kill('SIGKILL');
      await server.exited;
      const keys = { look: 'read', act: 'read+operate', send: 'submit' };
      await start({
        PORT: '0',
        DATA_DIR: join(folder, 'keyed'),
        API_KEYS: Object.entries(keys)
          .map(([name, scopes]) => `${name}:${scopes}:${hashOf(`key-to-${name}`)}`)
          .join(','),
      });
    });

    async function enter(page: Page, key: string): Promise<void> {
      await page.getByLabel('API key').fill(key);
      await page.keyboard.press('Enter');
    }

    it('asks for one until it is known and may read', async () => {
      const page = await open();
      await page.getByText('This server wants a key').waitFor();
      await visits.at(-1)?.isAccessible();
      await enter(page, 'wrong');
      await page.getByRole('alert').getByText('this API key is not known').waitFor();
      await enter(page, 'gr\u00fcn');
      await page.getByRole('alert').getByText('must be visible ASCII').waitFor();
      await enter(page, 'key-to-send');
      await page.getByRole('alert').getByText('needs one with the scope read').waitFor();
      await enter(page, 'key-to-look');
      await page.getByRole('region', { name: 'Queues' }).waitFor();
    });

    it('orders nothing without a key, so no late answer asks for one again that was entered meanwhile', async () => {
      const page = await open();
      const orders: string[] = [];
      page.on('request', (request) => {
        if (request.method() === 'POST' && request.headers()['authorization'] === undefined)
          orders.push(request.url());
      });
      await page.reload();
      await enter(page, 'key-to-look');
      await page.getByText('read only').waitFor();
      expect(orders).to.deep.equal([]);
    });

    it('shows what the key may do and nothing else, keeps it for the tab alone, and forgets it', async () => {
      const page = await open();
      await enter(page, 'key-to-look');
      await page.getByText('read only').waitFor();
      await page.getByRole('rowheader', { name: 'default' }).waitFor();
      expect(await page.getByRole('button', { name: /Pause|change the concurrency/ }).count()).to.equal(0);
      await page.reload();
      await page.getByText('read only').waitFor();
      expect(await page.evaluate('localStorage.length + document.cookie.length')).to.equal(0);

      await page.getByRole('button', { name: 'Forget key' }).click();
      await enter(page, 'key-to-act');
      await page.getByRole('button', { name: 'Pause default' }).click();
      await page.getByRole('status').getByText('default is paused').waitFor();
    });
  });
});
