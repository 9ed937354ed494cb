/** `sluice move` as a user runs it, between a real folder and a real RabbitMQ. */
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Broker } from '../../src/broker/broker.js';
import { jobsLeftIn } from '../../src/broker/embedded/left.js';
import type { Parcel } from '../../src/broker/stock.js';
import { openEmbeddedStock } from '../broker/embedded/stock-bench.js';
import { makeJob } from '../broker/inbox.js';
import { openRabbitStock } from '../broker/rabbitmq/stock-bench.js';
import { byIdentity, drained, everyKind, fill, richJob, type StockBench } from '../broker/stock.js';
import { eventually } from '../support/eventually.js';
import { startProcess } from '../support/sluice.js';
import { sluice } from './run.js';

const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

async function contentOf(bench: StockBench): Promise<Parcel[]> {
  const source = bench.source();
  await source.start();
  const parcels = await drained(source);
  await source.stop();
  return parcels;
}

describe('sluice move', function () {
  this.timeout(120_000);
  let embedded: ReturnType<typeof openEmbeddedStock>;
  let rabbit: Awaited<ReturnType<typeof openRabbitStock>>;
  let env: Record<string, string>;
  let observer: Broker | undefined;
  beforeEach(async () => {
    observer = undefined;
    embedded = openEmbeddedStock();
    rabbit = await openRabbitStock();
    env = { AMQP_URL: rabbit.url, AMQP_PREFIX: rabbit.prefix, QUEUES: 'other' };
  });
  afterEach(async () => {
    await rabbit.close();
    await embedded.close();
  });

  /** Without a lock on it. */
  async function arrivedSoFar(place: StockBench): Promise<number> {
    if (place === embedded) return jobsLeftIn(embedded.folder);
    observer ??= await rabbit.open();
    const { lanes } = await observer.inspect();
    return lanes.reduce((sum, { ready }) => sum + ready, 0);
  }

  const move = (from: string, to: string, ...more: string[]) =>
    sluice(['move', '--from', from, '--to', to, ...more], { env });

  it('moves a folder to RabbitMQ and back, and says how much of each kind', async () => {
    const parcels = everyKind();
    await fill(embedded.target(), parcels);
    const there = await move(`embedded:${embedded.folder}`, rabbit.url);
    const summary = 'moved 16 jobs (12 waiting, 2 delayed, 2 suspects), 2 dead letters; 0 left\n';
    expect(there).to.deep.include({ code: 0, stdout: summary });
    expect(there.stderr).to.include(
      `moving 18 from the built-in engine in ${embedded.folder} to RabbitMQ at`,
    );
    expect(there.stderr).to.not.include('guest:guest');
    env['DATA_DIR'] = embedded.folder;
    const back = await move('amqp', 'embedded', '--json');
    expect(back.code).to.equal(0);
    expect(JSON.parse(back.stdout)).to.deep.equal({
      moved: { waiting: 12, delayed: 2, suspect: 2, dead: 2 },
      left: { waiting: 0, delayed: 0, suspect: 0, dead: 0 },
      stopped: false,
      error: null,
    });
    expect(byIdentity(await contentOf(embedded))).to.deep.equal(byIdentity(parcels));
  });

  for (const direction of ['to', 'from'] as const) {
    it(`loses nothing by a kill -9 in the middle, moving ${direction} RabbitMQ, and goes on when run again`, async () => {
      const [from, to] = direction === 'to' ? [embedded, rabbit] : [rabbit, embedded];
      const total = 10_000;
      const parcels = Array.from({ length: total }, () => ({ kind: 'waiting', job: richJob() }) as const);
      await fill(from.target(), parcels);
      const places = [embedded.folder, rabbit.url];
      if (direction === 'from') places.reverse();
      const [source = '', target = ''] = places;
      const first = startProcess([main, 'move', '--from', source, '--to', target], env);
      await first.waitForLine(/moving 10000 from/);
      await eventually(async () => (await arrivedSoFar(to)) >= 1_000);
      first.kill('SIGKILL');
      expect(await first.exited).to.deep.equal({ code: null, signal: 'SIGKILL' });
      const second = await move(source, target, '--json');
      expect(second.stderr).to.not.match(/\bfault/);
      expect(second.code).to.equal(0);
      const { moved, left } = JSON.parse(second.stdout);
      expect(left.waiting).to.equal(0);
      const arrived = (await contentOf(to)).flatMap((parcel) => (parcel.kind === 'dead' ? [] : [parcel.job]));
      expect(new Set(arrived.map(({ id }) => id))).to.deep.equal(new Set(parcels.map(({ job }) => job.id)));
      // At most what was in hand at the kill comes twice.
      expect(arrived.length).to.be.within(total, total + 256);
      expect(moved.waiting).to.be.below(total);
      const bodies = new Map(parcels.map(({ job }) => [job.id, job]));
      for (const job of arrived) expect(job).to.deep.equal(bodies.get(job.id));
    });
  }

  it('stops on SIGINT between two jobs, says what is left, and loses nothing', async () => {
    const total = 6_000;
    const parcels = Array.from({ length: total }, () => ({ kind: 'waiting', job: makeJob() }) as const);
    await fill(embedded.target(), parcels);
    const run = startProcess([main, 'move', '--from', embedded.folder, '--to', 'amqp', '--json'], env);
    await run.waitForLine(/moving 6000 from/);
    run.kill('SIGINT');
    expect(await run.exited).to.deep.equal({ code: 1, signal: null });
    const report = JSON.parse(run.stdout[0] ?? '');
    expect(report).to.include({ stopped: true, error: null });
    expect(report.moved.waiting + report.left.waiting).to.equal(total);
    expect(report.left.waiting).to.be.above(0);
    expect(run.stderr.at(-1)).to.include('run the same command again');
    const [there, here] = [await contentOf(rabbit), await contentOf(embedded)];
    expect([there.length, here.length]).to.deep.equal([report.moved.waiting, report.left.waiting]);
  });

  it('warns when workers are running on what is to be moved', async () => {
    await fill(rabbit.target(), [{ kind: 'waiting', job: makeJob({ queue: 'other' }) }]);
    const worker = await rabbit.open();
    await worker.consume({ queue: 'default', lane: 'low', prefetch: 1 }, () => {});
    const { code, stderr, stdout } = await move('amqp', embedded.folder);
    expect(stderr).to.include('workers are running').and.include('1 subscriptions');
    expect(stdout).to.match(/^moved 1 jobs/);
    expect(code).to.equal(0);
  });

  const refusals: readonly (readonly [title: string, args: () => string[], code: number, says: RegExp])[] = [
    ['without a source', () => ['--to', 'amqp'], 2, /--from/],
    [
      'a mistyped scheme, whose password it does not show',
      () => ['--from', 'ampq://u:hush@h', '--to', 'amqp'],
      2,
      /--from: it names neither.*expected/,
    ],
    [
      'a folder without jobs',
      () => ['--from', 'embedded:/nowhere/at/all', '--to', 'amqp'],
      2,
      /there is no sluice\.db in \/nowhere/,
    ],
    [
      'the same folder on both sides',
      () => ['--from', embedded.folder, '--to', `embedded:${embedded.folder}/.`],
      2,
      /same place/,
    ],
    ['the same broker on both sides', () => ['--from', 'amqp', '--to', rabbit.url], 2, /same place/],
    [
      'the same broker under two names',
      () => ['--from', 'amqp', '--to', rabbit.url.replace('127.0.0.1', 'localhost')],
      2,
      /must lead elsewhere/,
    ],
    [
      'a prefix for a folder',
      () => ['--from', 'amqp', '--to', './data', '--to-prefix', 'x'],
      2,
      /--to-prefix/,
    ],
    [
      'a prefix that nobody uses',
      () => ['--from', 'amqp', '--from-prefix', 'nobody', '--to', embedded.folder],
      2,
      /no queues of Sluice that begin with nobody\./,
    ],
    [
      'a broker that is not there',
      () => ['--from', 'amqp://127.0.0.1:1', '--to', embedded.folder],
      1,
      /cannot be reached/,
    ],
  ];
  for (const [title, args, code, says] of refusals) {
    it(`refuses ${title}`, async () => {
      if (title.includes('same broker')) await fill(rabbit.target(), []);
      const ended = await sluice(['move', ...args()], { env });
      expect(ended.stderr).to.match(says).and.not.include('hush');
      expect(ended).to.deep.include({ code, stdout: '' });
    });
  }

  it('refuses a folder that a running process uses, and one with jobs for unknown queues, and touches neither', async () => {
    await fill(embedded.target(), [{ kind: 'waiting', job: makeJob({ queue: 'other' }) }]);
    env = { AMQP_URL: rabbit.url, AMQP_PREFIX: rabbit.prefix };
    const unknown = await move(embedded.folder, 'amqp');
    expect(unknown).to.deep.include({ code: 2, stdout: '' });
    expect(unknown.stderr).to.include('"other"').and.include('QUEUES');
    const owner = await embedded.open();
    const locked = await move(embedded.folder, 'amqp');
    expect(locked).to.deep.include({ code: 1, stdout: '' });
    expect(locked.stderr).to.include('runs on the folder').and.include(embedded.folder);
    await embedded.stop(owner);
    expect(await contentOf(embedded)).to.have.length(1);
  });
});
