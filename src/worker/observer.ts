/** What the pool tells those who count: assemble joins metrics and the watchdog here. Must not throw. */
import type { Job } from '../job/job.js';

export interface JobObserver {
  /** A handler begins. `waitMs`: from the moment the job was due. */
  started(job: Job, waitMs: number): void;
  /** The broker has taken the outcome; once per attempt that we settle. `durationMs`: of the handler, 0 when it never began. */
  settled(job: Job, outcome: 'succeeded' | 'retried' | 'dead' | 'cancelled', durationMs: number): void;
  /** It had been handed out before without being settled. */
  redelivered(job: Job): void;
}
