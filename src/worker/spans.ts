/** How attempts can be shown as spans. `assemble` brings an implementation where somebody listens; it must not throw. */
import type { Job } from '../job/job.js';
import type { Attempt } from './attempt.js';
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
export function shown(begin: (job: Job) => Attempt, spans: AttemptSpans | undefined): (job: Job) => Attempt {
  if (spans === undefined) return begin;
  return (job) => {
    const span = spans.process(job);
    if (span === undefined) return begin(job);
    try {
      const attempt = span.run(() => begin(job));
      void attempt.decided.then((decision) => span.end(decision));
      return attempt;
    } catch (error) {
      span.end({ kind: 'aborted' });
      throw error;
    }
  };
}
