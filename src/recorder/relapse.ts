/** Whether a replay brings the failures back: then it is to be halted, before it kills all again. */
import type { Clock } from '../runtime/clock.js';
import type { Redrives } from '../store/redrives.js';

export interface Relapse {
  /** Why it is to be halted, in a sentence; looks at most every second, and seldom when looking is slow. @throws StoreUnavailable */
  look(): Promise<string | undefined>;
}

type Outcome = Awaited<ReturnType<Redrives['outcome']>>;

const LOOK_EVERY_MS = 1_000;
/** Looking takes at most a tenth of the time. */
const REST = 9;
const LEAST_ENDED = 10;
/** What counts is the last hundred or two: a fault that comes back must not hide behind thousands that went well. */
const WINDOW = 100;

export function createRelapse(id: string, redrives: Pick<Redrives, 'outcome'>, clock: Clock): Relapse {
  let nextLookMs = Number.NEGATIVE_INFINITY;
  let before: Outcome = { ended: 0, died: 0 };
  let between = before;

  return {
    async look() {
      const beganMs = clock.now();
      if (beganMs < nextLookMs) return undefined;
      const now = await redrives.outcome(id);
      const endedMs = clock.now();
      nextLookMs = endedMs + Math.max(LOOK_EVERY_MS, REST * (endedMs - beganMs));
      const ended = now.ended - before.ended;
      const died = now.died - before.died;
      const which = before.ended === 0 ? 'first' : 'last';
      if (ended >= LEAST_ENDED && died * 2 >= ended)
        return `${died} of the ${which} ${ended} runs that ended died again: mend the fault, then replay the rest`;
      if (now.ended - between.ended >= WINDOW) [before, between] = [between, now];
      return undefined;
    },
  };
}
