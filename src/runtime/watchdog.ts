/**
 * Kills a process whose event loop no longer turns. A handler in an endless loop stops heartbeats, deadlines and signals
 * alike; only another thread can end it, so that the broker delivers its jobs again and the suspects path contains it.
 */
import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';
import type { Log } from './log.js';
import type { Service } from './service.js';
import { watchdogSource } from './watchdog-thread.js';

export interface Watchdog extends Service {
  /** Remembers the job that was started last: it is the likely culprit, named before the process is killed. */
  started(job: { readonly id: string; readonly type: string }): void;
}

/** Bytes kept of the last job's id and type. */
const NAME_BYTES = 256;
const SPACE = 0x20;
const SHORTEST_BEAT_MS = 100;
const LONGEST_BEAT_MS = 1000;

/**
 * `limitMs`: how long the loop may stand still, above 200. When it has, one JSON line on stderr names the last started
 * job, and the process ends by SIGKILL. Under a debugger it does nothing: there a loop may stand at a breakpoint.
 */
export function createWatchdog({ limitMs, log }: { readonly limitMs: number; readonly log: Log }): Watchdog {
  // Shared with the thread: [beats, stop flag, length of the name], then the name.
  const memory = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT + NAME_BYTES);
  const cells = new Int32Array(memory, 0, 3);
  const name = Buffer.from(memory, cells.byteLength, NAME_BYTES);
  let thread: Worker | undefined;
  let beating: NodeJS.Timeout | undefined;
  let isStopped = false;

  function beat(): void {
    Atomics.add(cells, 0, 1);
    Atomics.notify(cells, 0);
  }

  return {
    async start() {
      if (isStopped || thread !== undefined || inspectorUrl() !== undefined) return;
      const beatMs = Math.min(Math.max(limitMs / 4, SHORTEST_BEAT_MS), LONGEST_BEAT_MS);
      beating = setInterval(beat, beatMs).unref();
      // No execArgv: a loader of this process, such as tsx, has no business in a thread of thirty lines.
      thread = new Worker(watchdogSource, {
        eval: true,
        execArgv: [],
        env: {},
        workerData: { memory, limitMs },
      });
      thread.unref();
      thread.on('error', (error) => {
        log.error(
          { err: error },
          'the watchdog has failed: a handler that blocks the event loop is not contained',
        );
      });
    },
    async stop() {
      isStopped = true;
      clearInterval(beating);
      Atomics.store(cells, 1, 1);
      beat();
      await thread?.terminate();
    },
    started({ id, type }) {
      // Letter by letter: to join the two and hand them to `Buffer.write` takes ten times as long, and each job comes this way.
      const length = Math.min(id.length + 1 + type.length, NAME_BYTES);
      for (let at = 0; at < length; at++) {
        name[at] =
          at < id.length ? id.charCodeAt(at) : at === id.length ? SPACE : type.charCodeAt(at - id.length - 1);
      }
      Atomics.store(cells, 2, length);
    },
  };
}
