import { Unavailable } from '../../../src/job/errors.js';

/** Follows a promise without waiting for it. */
export function watch(promise: Promise<void>): { outcome: string } {
  const watched = { outcome: 'waiting' };
  promise.then(
    () => {
      watched.outcome = 'durable';
    },
    (error: unknown) => {
      watched.outcome = error instanceof Unavailable ? 'unavailable' : String(error);
    },
  );
  return watched;
}
