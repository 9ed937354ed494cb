/**
 * Where engine and store are one file, a batch of events need not wait in the engine to be read again and recorded: it is recorded at
 * once, by the thread that owns the file, in the transaction of that moment. What cannot be recorded waits for the recorder as ever.
 */
import type { EventChannel } from '../broker/event-channel.js';
import type { Records } from '../store/store.js';

/** Recording takes some 20 us an event, and publishes share the transaction: so much may hold them up. */
export const MOST_DIRECT_EVENTS = 250;

export function recordDirectly(
  channel: EventChannel,
  recordBatches: NonNullable<Records['recordBatches']>,
): Pick<EventChannel, 'publish' | 'onBlocked'> {
  return {
    onBlocked: (listener) => channel.onBlocked(listener),
    publish(batch) {
      let isWithdrawn = false;
      let withdraw = (): void => {
        isWithdrawn = true;
      };
      /** It may have been recorded all the same, and comes again then: that does no harm. */
      const queue = (): Promise<void> => {
        if (isWithdrawn) return new Promise(() => {});
        const queued = channel.publish(batch);
        withdraw = queued.withdraw;
        return queued.done;
      };
      const done = recordBatches([batch]).then(
        (events) => (isWithdrawn || events === undefined ? queue() : undefined),
        queue,
      );
      return { done, withdraw: () => withdraw() };
    },
  };
}
