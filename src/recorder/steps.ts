/** What carries out a replay or discard of many dead jobs, whichever it is. */
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Redrives } from '../store/redrives.js';
import type { JobReader } from '../store/store.js';
import type { Hold } from './hold.js';

export interface Steps {
  readonly redrives: Redrives;
  readonly jobs: Pick<JobReader, 'deadIds' | 'get'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
  readonly hold: Hold;
  /** Tries until it works: the store may be away for a while. Ends the redrive's part in this process when it is to stop. */
  patiently<Value>(work: () => Promise<Value>): Promise<Value>;
  /** Ends the redrive, unless it has ended. */
  end(state: 'done' | 'halted', reason: string | null): Promise<void>;
}
