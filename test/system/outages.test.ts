import { expect } from 'chai';
import { type PostgresServer, startPostgres } from '../support/postgres.js';
import { type RabbitNode, startNode } from '../support/rabbitmq.js';
import { type Sink, startSink } from '../support/sink.js';
import { openStage, type Stage } from './stage.js';

describe('the read side through outages', function () {
  this.timeout(120_000);
  let node: RabbitNode;
  let database: PostgresServer;
  let stage: Stage;
  let sink: Sink;
  before(async () => {
    // As deploy/ has it: what RabbitMQ could not dead-letter when it was ended, it tries again after so long, and not after three minutes.
    node = await startNode({
      config: { 'raft.wal_max_size_bytes': '8000000' },
      deadLetterTimeoutMs: 10_000,
    });
    database = await startPostgres();
  });
  after(() => Promise.all([node.remove(), database.remove()]));
  beforeEach(async () => {
    stage = await openStage({ url: node.url, env: { DATABASE_URL: await database.createDatabase() } });
    sink = await startSink();
  });
  afterEach(async () => {
    await stage.close();
    await sink.close();
  });

  const push = (fields: object = {}): object => ({
    type: 'http.push',
    payload: { url: sink.url },
    ...fields,
  });
  const many = (count: number): object[] => Array.from({ length: count }, () => push());

  it('takes jobs in and works on them without a database, says so, and catches up', async () => {
    await stage.serve();
    await Promise.all([stage.record(), stage.work({ WORKER_CONCURRENCY: '50' })]);
    const before = await stage.submit(push());
    expect((await stage.call('GET', `/v1/jobs/${before}?wait=60`)).body.state).to.equal('succeeded');
    await database.kill();

    const batch = await stage.call('POST', '/v1/jobs/batch', many(200));
    expect([batch.status, batch.body.accepted]).to.deep.equal([202, 200]);
    const during = await stage.submit(push());
    await sink.untilDistinct(202);
    expect((await stage.call('GET', '/readyz')).status).to.equal(200);
    for (const path of ['/v1/jobs', '/v1/audit', '/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057']) {
      const { status, body, headers } = await stage.call('GET', path);
      expect([path, status, body.code]).to.deep.equal([path, 503, 'store_unavailable']);
      expect(body.detail).to.be.a('string').and.not.equal('');
      expect(headers['retry-after']).to.be.a('string');
    }
    expect((await stage.call('GET', `/v1/jobs/${during}`)).body).to.include({ recorded: false });
    const keyed = await stage.call('POST', '/v1/jobs', push(), { 'idempotency-key': 'k' });
    expect([keyed.status, keyed.body.code]).to.deep.equal([503, 'store_unavailable']);

    await database.restart();
    let body: { state?: string } = {};
    while (body.state !== 'succeeded') body = (await stage.call('GET', `/v1/jobs/${during}?wait=5`)).body;
    const { code, report } = await stage.verify('--wait', '60');
    expect([code, report.verdict, report.unaccounted]).to.deep.equal([0, 'clean', 0]);
    expect(report.accepted).to.deep.equal({ told: 202, again: 0, implied: 0 });
    expect(report.states['succeeded']).to.deep.equal({ rows: 202, deleted: 0 });
  });

  it('keeps an order to cancel a scheduled job through a restart of everything', async () => {
    await stage.serve();
    await Promise.all([stage.record(), stage.work()]);
    await node.settle();
    const id = await stage.submit(push({ delayMs: 4_000 }));
    await stage.recorded(id);
    expect((await stage.call('POST', `/v1/jobs/${id}/cancel`)).status).to.equal(202);
    await stage.killAll();
    await Promise.all([node.restart(), database.restart()]);
    await stage.serve();
    await Promise.all([stage.record(), stage.work()]);
    let { body } = await stage.call('GET', `/v1/jobs/${id}?wait=60`);
    while (body.state === 'scheduled' || body.state === 'queued')
      ({ body } = await stage.call('GET', `/v1/jobs/${id}?wait=60`));
    expect([body.state, body.attempt, body.id]).to.deep.equal(['cancelled', 1, id]);
    expect(sink.total).to.equal(0);
    expect((await stage.verify('--wait', '60')).report).to.include({ verdict: 'clean', unaccounted: 0 });
  });

  it('drains a backlog that has raised a memory alarm by itself, through the spool', async () => {
    await stage.serve();
    await stage.record();
    const usedBytes = Number(await node.evaluate('vm_memory_monitor:get_process_memory().'));
    await node.rabbitmqctl('set_vm_memory_high_watermark', 'absolute', String(usedBytes + 20_000_000));
    try {
      const payload = { url: sink.url, body: 'x'.repeat(100_000) };
      let [sent, accepted] = [0, 0];
      while ((await node.evaluate('rabbit_alarm:get_alarms().')) === '[]') {
        const jobs = Array.from({ length: 50 }, () => ({ type: 'http.push', payload }));
        accepted += (await stage.call('POST', '/v1/jobs/batch', jobs)).body.accepted;
        sent += jobs.length;
      }
      const worker = await stage.work({ WORKER_CONCURRENCY: '20' });
      await worker.waitForLine(/holds back publishes/);
      await sink.untilDistinct(accepted);
      await worker.waitForLine(/takes publishes again/);
      const { code, report } = await stage.verify('--wait', '60');
      expect([code, report.verdict, report.unaccounted]).to.deep.equal([0, 'clean', 0]);
      // Those whose confirm the alarm held back were answered as unknown, and may be there.
      expect(report.states['succeeded']?.rows).to.be.within(accepted, sent);
      expect(sink.total).to.equal(report.states['succeeded']?.rows);
    } finally {
      await node.rabbitmqctl('set_vm_memory_high_watermark', '0.4');
    }
  });
});
