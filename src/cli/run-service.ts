/** The life of a service process: start, print where it is, and end on a signal or a fault. */
import { Invalid } from '../job/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Service } from '../runtime/service.js';
import { oneLine } from './terminal.js';

/** What is put together for a role: it can be started and stopped, and then tells where it is. */
export interface DescribedService extends Service {
  /** Lines for a person, valid after `start`: addresses, a first command to try. */
  describe(): readonly string[];
}

/** The part of `process` that is used, so that a test can play it. */
export interface HostProcess {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  on(event: 'SIGINT' | 'SIGTERM', listener: (signal: 'SIGINT' | 'SIGTERM') => void): unknown;
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown;
  exit(code: number): void;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * One Ctrl-C can arrive twice: from the terminal, and passed on by npm. So can one SIGTERM, where it is sent to a whole group
 * (systemd, `timeout`). Two that close are one wish.
 */
const sameSignalMs = 300;

/**
 * Builds and starts a service. The first SIGTERM or SIGINT stops it in good order (exit 0), a second one ends the process
 * at once (130 or 143). A failed start or stop, and a fault that nobody caught, exit with 1: a killed worker loses nothing. Settings that only `build` can judge (`Invalid`): 2.
 * Resolves once the service runs, or the process has been told to exit.
 */
export async function runService(
  build: () => Promise<DescribedService>,
  {
    host,
    log,
    clock,
    mask = (text) => text,
  }: {
    readonly host: HostProcess;
    readonly log: Log;
    readonly clock: Clock;
    /** Takes secrets out of what is printed: a handler may fail to load with one in its message. */
    readonly mask?: (text: string) => string;
  },
): Promise<void> {
  let service: DescribedService | undefined;
  let stoppedBy: { readonly signal: string; readonly atMs: number } | undefined;

  // Timers of services keep no process alive, and while the broker is away there may be nothing else.
  const alive = setInterval(() => undefined, 2 ** 30);
  const exit = (code: number): void => {
    clearInterval(alive);
    host.exit(code);
  };

  const stop = async (running: DescribedService): Promise<void> => {
    try {
      await running.stop();
      log.info({}, 'stopped');
      exit(0);
    } catch (error) {
      log.error({ err: error }, 'could not stop in good order');
      exit(1);
    }
  };

  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    const now = clock.now();
    if (stoppedBy !== undefined) {
      const sinceMs = now - stoppedBy.atMs;
      if (signal === stoppedBy.signal && sinceMs >= 0 && sinceMs < sameSignalMs) return;
      log.warn({ signal }, 'second signal: ending at once; unfinished jobs will be delivered again');
      exit(exitCodes[signal]);
      return;
    }
    stoppedBy = { signal, atMs: now };
    log.info({ signal }, 'stopping; a second signal ends at once');
    // What is still being built, such as handlers that load and load, has taken nothing in that could be lost.
    if (service === undefined) exit(0);
    else void stop(service);
  };

  host.on('SIGINT', onSignal);
  host.on('SIGTERM', onSignal);
  // Without a handler of its own, an unhandled rejection arrives here, too.
  host.on('uncaughtException', (error) => {
    log.error({ err: error }, 'a fault that nobody caught: ending the process');
    exit(1);
  });

  try {
    const built = await build();
    if (stoppedBy !== undefined) return;
    service = built;
    await built.start();
    if (stoppedBy === undefined) for (const line of built.describe()) host.stdout.write(`${line}\n`);
  } catch (error) {
    // A start that was called off by a signal may fail on its way; `stop` decides the exit then.
    if (stoppedBy !== undefined) return;
    log.debug({ err: error }, 'start failed');
    host.stderr.write(`sluice: could not start: ${mask(startFault(error))}\n`);
    if (service !== undefined)
      await service.stop().catch((fault: unknown) => log.debug({ err: fault }, 'stop after a failed start'));
    exit(service === undefined && error instanceof Invalid ? 2 : 1);
  }
}

/** The error and what led to it on one line, with advice where the system's message has none. */
function startFault(error: unknown): string {
  const parts: string[] = [];
  const codes = new Set<unknown>();
  for (
    let cause = error, depth = 0;
    cause !== undefined && depth < 5;
    cause = cause instanceof Error ? cause.cause : undefined, depth++
  ) {
    const text = cause instanceof Error ? cause.message || cause.name : String(cause);
    // An error that was wrapped has often lent its words to the wrapper.
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    if (cause instanceof Error && 'code' in cause) codes.add(cause.code);
  }
  if (codes.has('EADDRINUSE'))
    parts.push(
      'another process has this port: set PORT (for work: WORKER_PORT) to another one, or to 0 for a free one',
    );
  if (codes.has('EACCES')) parts.push('this user may not use that port: take one from 1024 up');
  if (codes.has('EADDRNOTAVAIL') || codes.has('ENOTFOUND'))
    parts.push('HOST must be an address of this machine');
  return oneLine(parts.join(': '));
}
