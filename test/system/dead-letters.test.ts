/** The workbench of dead letters as an operator uses it, on the built-in engine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { request } from 'undici';
import type { AuditReport } from '../../src/api/audit.js';
import type { JobPage } from '../../src/api/contract.js';
import type { DeadLetterPage, RedriveView } from '../../src/api/dead-letters.js';
import { answerOf } from '../support/eventually.js';
import { type Sink, startSink } from '../support/sink.js';
import { type Sluice, startSluice } from '../support/sluice.js';

const HANDLERS = fileURLToPath(new URL('fixtures/handlers.mjs', import.meta.url));
const running = /http:\/\/127\.0\.0\.1:\d+/;

describe('50 jobs that died of two errors', () => {
  let folder: string;
  let server: Sluice;
  let url: string;
  let sink: Sink;
  let isMended: boolean;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-dead-'));
    isMended = false;
    sink = await startSink(() => ({ status: isMended ? 204 : 400 }));
    server = startSluice(
      ['start'],
      { DATA_DIR: folder, PORT: '0', HANDLERS, HTTP_PUSH_ALLOW_PRIVATE: 'true', LOG_LEVEL: 'info' },
      { cwd: folder },
    );
    url = (await server.waitForLine(running)).match(running)?.[0] ?? '';
    const push = Array.from({ length: 30 }, () => ({ type: 'http.push', payload: { url: sink.url } }));
    const throwing = Array.from({ length: 20 }, (_, n) => ({ type: 'test.throws', payload: { n } }));
    const { statusCode } = await request(`${url}/v1/jobs/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([...push, ...throwing]),
    });
    expect(statusCode).to.equal(202);
  });
  after(async () => {
    server.kill('SIGKILL');
    await server.exited;
    await sink.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function get<Body>(path: string): Promise<Body> {
    const { statusCode, body } = await request(`${url}${path}`);
    expect(statusCode).to.equal(200);
    return (await body.json()) as Body;
  }
  const until = <Body>(path: string, isSo: (body: Body) => boolean): Promise<Body> =>
    answerOf(() => get<Body>(path), isSo);
  async function cli(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
    const command = startSluice([...args, '--url', url], {}, { cwd: folder });
    const { code } = await command.exited;
    return { code, out: command.stdout.join('\n'), err: command.stderr.join('\n') };
  }
  const dead = (total: number): Promise<DeadLetterPage> =>
    until<DeadLetterPage>('/v1/dead-letters', (page) => page.total === total);

  it('are seen in groups, counted, replayed once the fault is mended, halted where it is not, and discarded', async () => {
    const { groups } = await dead(50);
    expect(groups.map(({ count, example }) => [count, example.type])).to.deep.equal([
      [30, 'http.push'],
      [20, 'test.throws'],
    ]);
    const [push = '', throwing = ''] = groups.map(({ group }) => group);
    const table = await cli('dead');
    expect(table.out).to.match(new RegExp(`^${push} +30 .* http\\.push `, 'm'));

    const counted = await cli('dead', 'replay', '--group', push, '--dry-run');
    expect([counted.code, counted.out]).to.deep.equal([0, '30 would be replayed']);

    isMended = true;
    const replayed = await cli('dead', 'replay', '--group', push, '--rate', '50');
    expect([replayed.code, replayed.out, replayed.err]).to.deep.equal([0, 'replayed 30 of 30', '']);
    await dead(20);
    const well = await until<JobPage>('/v1/jobs?state=succeeded', ({ jobs }) => jobs.length === 30);
    expect(well.jobs.every(({ run, type }) => run === 2 && type === 'http.push')).to.equal(true);

    const halted = await cli('dead', 'replay', '--group', throwing, '--rate', '4', '--json');
    expect(halted.code, halted.err).to.equal(1);
    const end = JSON.parse(halted.out) as RedriveView;
    expect(end).to.include({ state: 'halted', matched: 20 });
    expect(end.reason).to.match(/^(\d+) of the first \1 runs that ended died again/);
    expect(end.done).to.be.within(10, 19);
    expect(end.failedAgain).to.equal(end.done);
    await dead(20);

    const discarded = await cli('dead', 'discard', '--all');
    expect([discarded.code, discarded.out]).to.deep.equal([0, 'discarded 20 of 20']);
    await dead(0);
    const { unaccounted, states } = await get<AuditReport>('/v1/audit');
    expect(unaccounted).to.equal(0);
    const rows = Object.entries(states).filter(([, count]) => count.rows > 0);
    expect(rows.map(([state, count]) => [state, count.rows])).to.have.deep.members([
      ['succeeded', 30],
      ['discarded', 20],
    ]);
  });
});
