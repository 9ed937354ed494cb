/** The life of a service process, played on a fake process with a fake service. */
import { EventEmitter, once } from 'node:events';
import { expect } from 'chai';
import { type DescribedService, type HostProcess, runService } from '../../src/cli/run-service.js';
import { Invalid } from '../../src/job/errors.js';
import type { Clock } from '../../src/runtime/clock.js';
import type { Log } from '../../src/runtime/log.js';
import { createMask } from '../../src/runtime/mask.js';

class FakeProcess extends EventEmitter {
  readonly printed: string[] = [];
  readonly complained: string[] = [];
  readonly exits: number[] = [];
  readonly stdout = { write: (text: string) => this.printed.push(text) };
  readonly stderr = { write: (text: string) => this.complained.push(text) };
  exit(code: number): void {
    this.exits.push(code);
    this.emit('exited');
  }
}

function setup(service: Partial<DescribedService> = {}) {
  const host = new FakeProcess();
  const calls: string[] = [];
  const lines: string[] = [];
  const write = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`);
  const log: Log = {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    child: () => log,
  };
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, after: () => () => undefined };
  const built: DescribedService = {
    start: async () => void calls.push('start'),
    stop: async () => void calls.push('stop'),
    describe: () => ['http://127.0.0.1:8080', 'curl …'],
    ...service,
  };
  const run = (build: () => Promise<DescribedService> = async () => built): Promise<void> =>
    runService(build, { host: host as HostProcess, log, clock, mask: createMask(['hunter22']) });
  const exited = (): Promise<unknown> => (host.exits.length > 0 ? Promise.resolve() : once(host, 'exited'));
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { host, calls, lines, run, built, exited, pass };
}

/** A promise and the hand that settles it. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('a service process', () => {
  it('prints where the service is once it runs', async () => {
    const { host, calls, run, exited } = setup();
    await run();
    expect(calls).to.deep.equal(['start']);
    expect(host.printed).to.deep.equal(['http://127.0.0.1:8080\n', 'curl …\n']);
    expect(host.exits).to.deep.equal([]);
    host.emit('SIGTERM', 'SIGTERM');
    await exited();
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`stops in good order on ${signal} and exits with 0`, async () => {
      const { host, calls, run, exited } = setup();
      await run();
      host.emit(signal, signal);
      await exited();
      expect(calls).to.deep.equal(['start', 'stop']);
      expect(host.exits).to.deep.equal([0]);
    });

    it(`ends at once on a second signal, a ${signal}`, async () => {
      const stopping = gate();
      const { host, run, pass } = setup({ stop: () => stopping.opened });
      await run();
      host.emit('SIGTERM', 'SIGTERM');
      expect(host.exits).to.deep.equal([]);
      pass(1000);
      host.emit(signal, signal);
      expect(host.exits).to.deep.equal([signal === 'SIGINT' ? 130 : 143]);
    });
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`takes one ${signal} that npm passes on a second time for one`, async () => {
      const stopping = gate();
      const { host, run, pass, exited } = setup({ stop: () => stopping.opened });
      await run();
      host.emit(signal, signal);
      pass(5);
      host.emit(signal, signal);
      expect(host.exits).to.deep.equal([]);
      stopping.open();
      await exited();
      expect(host.exits).to.deep.equal([0]);
    });
  }

  it('says why it could not start without a secret that the reason holds', async () => {
    const { host, run } = setup();
    await run(() => Promise.reject(new Error('no way to smtp://app:pass@host with hunter22')));
    expect(host.complained.join('')).to.include('no way to smtp://***@host with ***');
  });

  it('exits with 1 when it could not stop in good order', async () => {
    const { host, lines, run, exited } = setup({ stop: () => Promise.reject(new Error('stuck')) });
    await run();
    host.emit('SIGTERM', 'SIGTERM');
    await exited();
    expect(host.exits).to.deep.equal([1]);
    expect(lines).to.include('error: could not stop in good order');
  });

  it('stops a service that is still starting, and prints nothing', async () => {
    const starting = gate();
    const { host, run, exited } = setup({ start: () => starting.opened, stop: async () => starting.open() });
    const running = run();
    await new Promise(setImmediate);
    host.emit('SIGTERM', 'SIGTERM');
    await Promise.all([running, exited()]);
    expect(host.exits).to.deep.equal([0]);
    expect(host.printed).to.deep.equal([]);
  });

  it('exits with 0 when a start that a signal called off rejects', async () => {
    let fail = (_: Error): void => undefined;
    const start = (): Promise<void> =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const { host, run, exited } = setup({ start, stop: async () => fail(new Error('called off')) });
    const running = run();
    await new Promise(setImmediate);
    host.emit('SIGINT', 'SIGINT');
    await Promise.all([running, exited()]);
    expect(host.exits).to.deep.equal([0]);
    expect(host.complained).to.deep.equal([]);
  });

  it('ends at once on a signal while it is still being built, and starts nothing afterwards', async () => {
    const building = gate();
    const { host, calls, run, built } = setup();
    const running = run(() => building.opened.then(() => built));
    host.emit('SIGTERM', 'SIGTERM');
    expect(host.exits).to.deep.equal([0]);
    building.open();
    await running;
    expect(calls).to.deep.equal([]);
    expect(host.exits).to.deep.equal([0]);
  });

  it('says why it could not start, with its causes and advice, stops what runs, and exits with 1', async () => {
    const taken = Object.assign(
      new Error('listen EADDRINUSE 127.0.0.1:8080', { cause: new Error('because') }),
      { code: 'EADDRINUSE' },
    );
    const { host, calls, run } = setup({ start: () => Promise.reject(taken) });
    await run();
    expect(host.exits).to.deep.equal([1]);
    expect(calls).to.deep.equal(['stop']);
    expect(host.complained.join(''))
      .to.match(/^sluice: could not start: listen EADDRINUSE.*: because: .*set PORT/)
      .and.match(/^[^\n]*\n$/);
  });

  it('gives the advice of a wrapped error, too, and says nothing twice', async () => {
    const cause = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });
    const wrapped = Object.assign(new Error('cannot listen: listen EADDRINUSE', { cause }), {
      code: 'listen_failed',
    });
    const { host, run } = setup({ start: () => Promise.reject(wrapped) });
    await run();
    expect(host.complained.join(''))
      .to.match(/set PORT/)
      .and.match(/^sluice: could not start: cannot listen: listen EADDRINUSE: another process/);
  });

  it('exits with 2 for settings that only the build can judge', async () => {
    const { host, run } = setup();
    await run(() => Promise.reject(new Invalid('invalid_handler', 'HANDLERS: no good')));
    expect(host.exits).to.deep.equal([2]);
    expect(host.complained).to.deep.equal(['sluice: could not start: HANDLERS: no good\n']);
  });

  it('exits with 1 on a fault that nobody caught', async () => {
    const { host, lines, run } = setup();
    await run();
    host.emit('uncaughtException', new Error('surprise'));
    expect(host.exits).to.deep.equal([1]);
    expect(lines.join()).to.include('a fault that nobody caught');
  });
});
