/** Watches a replay or discard until it ends. It runs on the server: whoever stops watching does not stop it. */
import type { RedriveView } from '../api/dead-letters.js';
import type { Client } from '../client/surface.js';
import { createProgress } from './progress.js';
import { lineOf } from './server.js';
import { CommandFailed } from './terminal.js';

/** How long the server may be away: on average a minute, and an answer of its own counts as one. */
const patience = { attempts: 34, baseMs: 250, maxMs: 4_000 };
/** As a shell says it of a command that was interrupted. */
const INTERRUPTED = 130;

/**
 * Its end; undefined, with the exit code set, when the watching was interrupted.
 * @throws CommandFailed  exit code 1: the server cannot be asked any more
 */
export async function watchRedrive(
  { deadLetters }: Client,
  url: string,
  { id, kind, matched }: Pick<RedriveView, 'id' | 'kind' | 'matched'>,
): Promise<RedriveView | undefined> {
  const progress = createProgress(process.stderr, matched);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt);
  const goesOn = `the ${kind} goes on; to stop it: sluice dead stop ${id}`;
  let last: RedriveView | undefined;
  try {
    for await (const view of deadLetters.watch(id, { signal: interrupted.signal, retry: patience })) {
      progress.update(view.done + view.skipped, noteOf(view));
      last = view;
    }
    return last;
  } catch (error) {
    if (interrupted.signal.aborted) {
      progress.line(`sluice: ${goesOn}`);
      process.exitCode = INTERRUPTED;
      return undefined;
    }
    const line = lineOf(error, url);
    throw line === undefined ? error : new CommandFailed(`${line}; ${goesOn}`, 1, { cause: error });
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt);
  }
}

function noteOf({ done, matched, failedAgain }: RedriveView): string {
  return `${done} of ${matched}${failedAgain > 0 ? `, dead again ${failedAgain}` : ''}`;
}
