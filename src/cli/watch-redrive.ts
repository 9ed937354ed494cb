/** Watches a replay or discard until it ends. It runs on the server: whoever stops watching does not stop it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { RedriveView } from '../api/dead-letters.js';
import type { ClientConfig } from '../config.js';
import { call } from './call.js';
import { createProgress } from './progress.js';
import { CommandFailed } from './terminal.js';

const LOOK_EVERY_MS = 500;
/** How long the server may be away. */
const PATIENCE_MS = 60_000;
/** As a shell says it of a command that was interrupted. */
const INTERRUPTED = 130;

/**
 * Its end; undefined, with the exit code set, when the watching was interrupted.
 * @throws CommandFailed  exit code 1: the server cannot be asked any more
 */
export async function watchRedrive(
  client: ClientConfig,
  { id, kind, matched }: Pick<RedriveView, 'id' | 'kind' | 'matched'>,
): Promise<RedriveView | undefined> {
  const path = `/v1/dead-letters/replays/${id}`;
  const progress = createProgress(process.stderr, matched);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt);
  const goesOn = `the ${kind} goes on; to stop it: sluice dead stop ${id}`;
  let answeredAtMs = Date.now();
  try {
    while (!interrupted.signal.aborted) {
      const outcome = await call(client, { method: 'GET', path, answerMs: 30_000 });
      if (outcome.kind === 'accepted') {
        answeredAtMs = Date.now();
        const view = outcome.body as unknown as RedriveView;
        progress.update(view.done + view.skipped, noteOf(view));
        if (view.state !== 'running') return view;
      } else {
        const isFinal = outcome.kind === 'refused' && outcome.status < 500;
        if (isFinal || Date.now() - answeredAtMs > PATIENCE_MS)
          throw new CommandFailed(`${outcome.line}; ${goesOn}`, 1);
      }
      await wait(LOOK_EVERY_MS, undefined, { signal: interrupted.signal }).catch(() => undefined);
    }
    progress.line(`sluice: ${goesOn}`);
    process.exitCode = INTERRUPTED;
    return undefined;
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt);
  }
}

function noteOf({ done, matched, failedAgain }: RedriveView): string {
  return `${done} of ${matched}${failedAgain > 0 ? `, dead again ${failedAgain}` : ''}`;
}
