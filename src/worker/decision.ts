/** What was decided of a job when its attempt had ended. */
import type { Outcome } from '../job/outcome.js';

/** `aborted`: the worker stops, and the attempt counts for nothing. */
export type Decision =
  | {
      readonly kind: 'decided';
      readonly outcome: Outcome;
      /** Undefined: its handler never began. */
      readonly startedAtMs: number | undefined;
      /** Of the handler; 0 when it never began. */
      readonly durationMs: number;
    }
  | { readonly kind: 'aborted' };
