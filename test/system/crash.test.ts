import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Sink, type SinkAnswer, startSink } from '../support/sink.js';
import type { Sluice } from '../support/sluice.js';
import { openStage, type Stage } from './stage.js';

const HANDLERS = fileURLToPath(new URL('fixtures/handlers.mjs', import.meta.url));

describe('workers that die', function () {
  this.timeout(120_000);
  let stage: Stage;
  let sink: Sink;
  let answer: () => SinkAnswer | Promise<SinkAnswer>;
  const attempts: string[] = [];
  beforeEach(async () => {
    attempts.length = 0;
    answer = () => ({ status: 204 });
    stage = await openStage();
    sink = await startSink(({ headers }) => {
      attempts.push(String(headers['job-attempt']));
      return answer();
    });
  });
  afterEach(async () => {
    await stage.close();
    await sink.close();
  });

  /** Starts a worker again whenever it dies, as a supervisor would, until told to stop. */
  function supervise(env: Record<string, string>): { deaths(): number; stop(): void } {
    let isStopping = false;
    let deaths = 0;
    let current: Sluice | undefined;
    void (async () => {
      while (!isStopping) {
        current = stage.launchWork(env);
        await current.exited;
        deaths += 1;
      }
    })();
    return {
      deaths: () => deaths,
      stop() {
        isStopping = true;
        current?.kill('SIGKILL');
      },
    };
  }

  it('lose none of a hundred innocents to a job that kills its process, and end that job alone', async () => {
    await stage.serve({ HANDLERS });
    const push = { type: 'http.push', payload: { url: sink.url } };
    for (let i = 0; i < 50; i++) await stage.submit(push);
    const killer = await stage.submit({ type: 'test.kill', payload: {} });
    for (let i = 0; i < 50; i++) await stage.submit(push);
    const supervisor = supervise({ HANDLERS, WORKER_CONCURRENCY: '5' });
    const [dead] = await stage.deadLetters(1);
    expect(dead?.id).to.equal(killer);
    expect(dead?.reason).to.equal('delivery_limit');
    await sink.untilDistinct(100);
    expect(supervisor.deaths()).to.be.within(4, 12);
    supervisor.stop();
    expect(new Set(attempts), 'a crash costs no attempt').to.deep.equal(new Set(['1']));
  });

  it('hand a job that was running when they were killed to the next, at no cost to the job', async () => {
    await stage.serve();
    let arrived = (): void => {};
    const running = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    answer = () => {
      arrived();
      return new Promise(() => {});
    };
    const id = await stage.submit({ type: 'http.push', payload: { url: sink.url } });
    const first = await stage.work();
    await running;
    first.kill('SIGKILL');
    await first.exited;
    answer = () => ({ status: 204 });
    const done = new Promise<void>((resolve) => {
      answer = () => {
        resolve();
        return { status: 204 };
      };
    });
    await stage.work();
    await done;
    expect(sink.counts.get(id)).to.equal(2);
    expect(attempts).to.deep.equal(['1', '1']);
  });

  it('are ended by the watchdog when a handler blocks them for good, and say which job it was', async () => {
    await stage.serve({ HANDLERS });
    const id = await stage.submit({ type: 'test.block', payload: {} });
    const worker = stage.launchWork({ HANDLERS, JOB_TIMEOUT_MS: '1000' });
    const line = await worker.waitForLine(new RegExp(id));
    expect(line).to.include('test.block');
    expect(await worker.exited).to.deep.equal({ code: null, signal: 'SIGKILL' });
  });
});
