import { expect } from 'chai';
import { ofIngestionOnly } from '../../deploy/grafana/src/queries.js';
import { errorStatus } from '../../src/api/contract.js';
import type { Inspection } from '../../src/broker/broker.js';
import type { Job } from '../../src/job/job.js';
import { createMetrics, type Metrics, type MetricsOptions } from '../../src/observe/metrics.js';
import { createLog } from '../../src/runtime/log.js';

const job = (given: Partial<Job> = {}): Job => ({
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  type: 'echo',
  queue: 'default',
  lane: 'high',
  body: Buffer.from('1'),
  run: 1,
  attempt: 1,
  dueAtMs: 0,
  ...given,
});

const setup = (given: Partial<MetricsOptions> = {}): Metrics =>
  createMetrics({ types: ['echo'], queues: ['default', 'mail'], log: createLog('silent'), ...given });

/** The samples of one scrape: `name{labels}` to value. */
async function scrape(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.render()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

describe('the metrics', () => {
  it('count requests by method, route and status, and time them', async () => {
    const metrics = setup();
    metrics.http.requested('POST', '/v1/jobs', 202, 0.003);
    metrics.http.requested('POST', '/v1/jobs', 202, 0.2);
    metrics.http.requested('PROPFIND', 'other', 404, 0.1);
    const samples = await scrape(metrics);
    expect(samples.get('sluice_http_requests_total{method="POST",route="/v1/jobs",status="202"}')).to.equal(
      2,
    );
    expect(samples.get('sluice_http_requests_total{method="other",route="other",status="404"}')).to.equal(1);
    expect(samples.get('sluice_http_request_duration_seconds_count')).to.equal(3);
    expect(samples.get('sluice_http_request_duration_seconds_bucket{le="0.005"}')).to.equal(1);
  });

  it('tell who takes jobs by its refusals, also while broker and store are away', async () => {
    const away = (): Promise<never> => Promise.reject(new Error('away'));
    const readSide = { queues: away, rows: away, unaccounted: away };
    const told = async (metrics: Metrics): Promise<boolean> =>
      [...(await scrape(metrics)).keys()].some((series) => series.startsWith(`${ofIngestionOnly}{`));
    expect(await told(setup({ inspect: away, readSide }))).to.equal(true);
    expect(await told(setup()), 'a worker').to.equal(false);
  });

  it('count accepted jobs by queue, lane and type, and refusals by code', async () => {
    const metrics = setup({ inspect: () => new Promise(() => {}), inspectTimeoutMs: 1 });
    metrics.http.accepted(job());
    metrics.http.refused('invalid_job');
    const samples = await scrape(metrics);
    expect(samples.get('sluice_jobs_accepted_total{queue="default",lane="high",type="echo"}')).to.equal(1);
    expect(samples.get('sluice_jobs_refused_total{code="invalid_job"}')).to.equal(1);
    for (const code of Object.keys(errorStatus))
      expect(samples.has(`sluice_jobs_refused_total{code="${code}"}`)).to.equal(true);
  });

  it('follow jobs through the worker', async () => {
    const metrics = setup();
    metrics.jobs.started(job(), 1500);
    metrics.jobs.started(job(), -3);
    metrics.jobs.settled(job(), 'retried', 250);
    metrics.jobs.redelivered(job({ queue: 'mail' }));
    const samples = await scrape(metrics);
    expect(samples.get('sluice_job_wait_seconds_sum{queue="default"}')).to.equal(1.5);
    expect(
      samples.get('sluice_jobs_completed_total{queue="default",type="echo",outcome="retried"}'),
    ).to.equal(1);
    expect(samples.get('sluice_job_duration_seconds_sum{queue="default",type="echo"}')).to.equal(0.25);
    expect(samples.get('sluice_jobs_redelivered_total{queue="mail"}')).to.equal(1);
  });

  it('count the outcomes of what is handled here from 0 on, so that the first dead letter is a rise', async () => {
    const metrics = setup({ handled: [{ queue: 'default', type: 'echo' }] });
    const before = await scrape(metrics);
    metrics.jobs.settled(job(), 'dead', 1);
    const after = await scrape(metrics);
    const dead = 'sluice_jobs_completed_total{queue="default",type="echo",outcome="dead"}';
    expect([before.get(dead), after.get(dead)]).to.deep.equal([0, 1]);
    expect(before.get('sluice_jobs_redelivered_total{queue="default"}')).to.equal(0);
    expect((await scrape(setup())).has(dead)).to.equal(false);
  });

  it('do not grow with types and queues that are not of the registry', async () => {
    const metrics = setup();
    for (let index = 0; index < 50; index++) {
      const stranger = job({ type: `type-${index}`, queue: `queue-${index}` });
      metrics.http.accepted(stranger);
      metrics.jobs.started(stranger, 1);
      metrics.jobs.settled(stranger, 'dead', 1);
      metrics.jobs.redelivered(stranger);
    }
    const samples = await scrape(metrics);
    expect(
      samples.get('sluice_jobs_completed_total{queue="unknown",type="unknown",outcome="dead"}'),
    ).to.equal(50);
    expect([...samples.keys()].join('\n')).to.not.match(/type-|queue-\d/);
  });

  it('hold no job id', async () => {
    const metrics = setup();
    metrics.http.accepted(job());
    metrics.jobs.settled(job(), 'succeeded', 1);
    expect(await metrics.render()).to.not.include(job().id);
  });

  it("read the broker's state at each scrape", async () => {
    const brokerStats = { isUp: true, isBlocked: false, reconnects: 0, unconfirmed: 7, undecodable: 0 };
    const metrics = setup({ brokerStats });
    metrics.confirmed(0.004);
    const before = await scrape(metrics);
    Object.assign(brokerStats, { isUp: false, isBlocked: true, reconnects: 3 });
    const after = await scrape(metrics);
    expect(before.get('sluice_publish_confirm_seconds_sum')).to.equal(0.004);
    const names = [
      'sluice_broker_up',
      'sluice_broker_blocked',
      'sluice_broker_reconnects_total',
      'sluice_publish_unconfirmed',
    ];
    expect(names.map((name) => before.get(name))).to.deep.equal([1, 0, 0, 7]);
    expect(names.map((name) => after.get(name))).to.deep.equal([0, 1, 3, 7]);
  });

  it("read the pool's numbers at each scrape", async () => {
    const metrics = setup();
    let active = 1;
    metrics.watchPool(() => [{ queue: 'mail', active, concurrency: 10, prefetch: 30 }]);
    await scrape(metrics);
    active = 2;
    const samples = await scrape(metrics);
    expect(samples.get('sluice_jobs_active{queue="mail"}')).to.equal(2);
    expect(samples.get('sluice_worker_concurrency{queue="mail"}')).to.equal(10);
    expect(samples.get('sluice_worker_prefetch{queue="mail"}')).to.equal(30);
  });

  it('show what the broker counts, and leave it out while the broker does not answer', async () => {
    const inspection: Inspection = {
      lanes: [
        { queue: 'mail', lane: 'high', ready: 4, consumers: 2 },
        { queue: 'mail', lane: 'low', ready: 0, consumers: 1 },
      ],
      suspects: [],
      delayed: 0,
      deadLetters: 5,
      events: 0,
    };
    const names = [
      'sluice_queue_depth{queue="mail",lane="high"}',
      'sluice_queue_depth{queue="mail",lane="low"}',
      'sluice_queue_consumers{queue="mail"}',
      'sluice_dead_letters',
    ];
    let inspect = (): Promise<Inspection> => Promise.resolve(inspection);
    const metrics = setup({ inspect: () => inspect(), inspectTimeoutMs: 20 });
    const read = async (): Promise<(number | undefined)[]> => {
      const samples = await scrape(metrics);
      return names.map((name) => samples.get(name));
    };
    expect(await read()).to.deep.equal([4, 0, 3, 5]);
    expect(await read()).to.deep.equal([4, 0, 3, 5]);
    inspect = () => Promise.reject(new Error('not connected'));
    expect(await read()).to.deep.equal([undefined, undefined, undefined, undefined]);
    inspect = () => Promise.resolve(inspection);
    expect(await read()).to.deep.equal([4, 0, 3, 5]);
    inspect = () => new Promise(() => {});
    expect(await read()).to.deep.equal([undefined, undefined, undefined, undefined]);
    inspect = () => {
      throw new Error('thrown, not rejected');
    };
    expect(await read()).to.deep.equal([undefined, undefined, undefined, undefined]);
  });

  it('ask the broker once for scrapes that come together', async () => {
    let asked = 0;
    const metrics = setup({
      inspect() {
        asked++;
        return Promise.resolve({ lanes: [], suspects: [], delayed: 0, deadLetters: 0, events: 0 });
      },
    });
    await Promise.all([metrics.render(), metrics.render(), metrics.render()]);
    expect(asked).to.equal(1);
  });

  it('have a registry of their own, with the defaults of prom-client', async () => {
    const [one, other] = [setup(), setup()];
    one.http.refused('invalid_job');
    expect((await scrape(other)).has('sluice_jobs_refused_total{code="invalid_job"}')).to.equal(false);
    expect((await scrape(one)).has('process_resident_memory_bytes')).to.equal(true);
    expect(one.contentType).to.match(/^text\/plain/);
  });
});
