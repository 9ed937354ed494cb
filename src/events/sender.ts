/** Where a process says what happened to jobs: gathers events into batches and brings these to the recorder's queue. */
import type { JobEvent } from '../job/event.js';
import type { Service } from '../runtime/service.js';

export interface EventSender extends Service {
  /** This process, as in its batches. */
  readonly source: string;
  /** Says it when there is an opportunity. A crash within the next moments can lose it. Never throws. */
  tell(event: JobEvent): void;
  /** Resolves once the event is durable: confirmed by the broker, or on the disk of the spool while the broker takes nothing. */
  record(event: JobEvent): Promise<void>;
  readonly stats: Readonly<EventSenderStats>;
}

export interface EventSenderStats {
  /** Events that are not durable yet. */
  pending: number;
  /** Events in the spool. */
  spooled: number;
}
