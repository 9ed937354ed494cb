/** How attempts can be shown as spans. `assemble` brings an implementation where somebody listens; it must not throw. */
import type { Job } from '../job/job.js';
import type { Begin } from './attempt.js';
import type { Decision } from './decision.js';

export interface AttemptSpans {
  /** An attempt at a job begins. Undefined: nobody looks at this one. */
  process(job: Job): AttemptSpan | undefined;
}

export interface AttemptSpan {
  /** Calls `begin` with the span as the active one, also for all that goes on from there. */
  run<Begun>(begin: () => Begun): Begun;
  end(decision: Decision): void;
}

/** `begin`, shown where somebody looks. Its handler must be called within `begin`, so that it runs in the context of its span. */
export function shown(begin: Begin, spans: AttemptSpans | undefined): Begin {
  if (spans === undefined) return begin;
  return (job, watcher) => {
    const span = spans.process(job);
    if (span === undefined) return begin(job, watcher);
    try {
      return span.run(() =>
        begin(job, {
          decided(decision) {
            span.end(decision);
            watcher.decided(decision);
          },
          released: () => watcher.released(),
        }),
      );
    } catch (error) {
      span.end({ kind: 'aborted' });
      throw error;
    }
  };
}
