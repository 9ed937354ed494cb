import { expect } from 'chai';
import { createDeferred } from '../support/deferred.js';
import { type Sink, type SinkAnswer, startSink } from '../support/sink.js';
import { openStage, type Stage } from './stage.js';

describe('a drain on SIGTERM', function () {
  this.timeout(120_000);
  let stage: Stage;
  let sink: Sink;
  let answer: () => SinkAnswer | Promise<SinkAnswer>;
  let arrived: ReturnType<typeof createDeferred<string>>;
  beforeEach(async () => {
    arrived = createDeferred<string>();
    stage = await openStage();
    sink = await startSink(({ headers }) => {
      arrived.resolve(String(headers['job-attempt']));
      return answer();
    });
  });
  afterEach(async () => {
    await stage.close();
    await sink.close();
  });

  it('lets a running job finish, takes no other, and ends with 0', async () => {
    const release = createDeferred<SinkAnswer>();
    answer = () => release.promise;
    await stage.serve();
    const ids = [];
    for (let i = 0; i < 5; i++)
      ids.push(await stage.submit({ type: 'http.push', payload: { url: sink.url } }));
    const worker = await stage.work({ WORKER_CONCURRENCY: '1' });
    await arrived.promise;
    worker.kill('SIGTERM');
    await worker.waitForLine(/stopping/);
    release.resolve({ status: 204 });
    expect(await worker.exited).to.deep.equal({ code: 0, signal: null });
    expect([...sink.counts.keys()]).to.deep.equal([ids[0]]);
    await stage.work();
    await sink.untilDistinct(5);
    expect(sink.total, 'the finished one was acked').to.equal(5);
  });

  it('returns a job that does not end within the grace: it runs again with the same attempt', async () => {
    answer = () => new Promise(() => {});
    await stage.serve();
    const id = await stage.submit({ type: 'http.push', payload: { url: sink.url } });
    const worker = await stage.work({ SHUTDOWN_GRACE_MS: '200' });
    expect(await arrived.promise).to.equal('1');
    worker.kill('SIGTERM');
    expect(await worker.exited).to.deep.equal({ code: 0, signal: null });
    arrived = createDeferred<string>();
    answer = () => ({ status: 204 });
    await stage.work();
    expect(await arrived.promise).to.equal('1');
    expect(sink.counts.get(id)).to.equal(2);
  });

  it('is cut short by a second signal, and even then the job is not lost', async () => {
    answer = () => new Promise(() => {});
    await stage.serve();
    const id = await stage.submit({ type: 'http.push', payload: { url: sink.url } });
    const worker = await stage.work();
    await arrived.promise;
    worker.kill('SIGTERM');
    await worker.waitForLine(/stopping/);
    worker.kill('SIGINT'); // Another SIGTERM so soon would be taken for the same.
    expect((await worker.exited).code).to.equal(130);
    arrived = createDeferred<string>();
    answer = () => ({ status: 204 });
    await stage.work();
    expect(await arrived.promise).to.equal('1');
    expect(sink.counts.get(id)).to.equal(2);
  });
});
