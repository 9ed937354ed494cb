/** Empties one broker queue: each message is acked once its bytes are safe elsewhere, and all others stay in the queue. */
import type { Channel, ChannelModel, Message } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import { briefly } from './links.js';
import { createTurnWriter } from './turn-writer.js';

export interface DrainQueueOptions {
  readonly model: ChannelModel;
  readonly queue: string;
  /** Resolves once it is safe elsewhere. */
  readonly hand: (message: Message) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Most messages in hand. */
const PREFETCH = 256;
/** Nothing in hand and nothing has come for so long: it is empty, or others take what is there. */
const IDLE_MS = 200;

/**
 * Resolves when the queue seems empty, when `signal` is aborted, or when the channel or connection is gone, and nothing is
 * in hand any more; the caller looks again. @throws the first error of `hand`, after all the others have ended
 */
export async function drainQueue(options: DrainQueueOptions): Promise<void> {
  const channel = await options.model.createChannel().catch(() => undefined);
  if (channel !== undefined) await drainThrough(channel, options); // Else the connection is just going.
}

async function drainThrough(channel: Channel, options: DrainQueueOptions): Promise<void> {
  const { model, queue, clock, signal } = options;
  const over = new AbortController();
  const end = (): void => over.abort();
  const writer = createTurnWriter();
  writer.attach(model);
  let isOpen = true;
  let inHand = 0;
  let came = 0;
  let failure: { readonly error: unknown } | undefined;
  let settled = (): void => {};

  channel.on('error', () => {}); // 'close' follows.
  channel.on('handler-error', () => {}); // A delivery that crossed with the cancel; the broker takes it back at the close.
  channel.on('close', () => {
    isOpen = false;
    end();
  });

  async function take(message: Message): Promise<void> {
    inHand += 1;
    came += 1;
    try {
      await options.hand(message);
      if (isOpen) {
        channel.ack(message);
        writer.hold();
      }
    } catch (error) {
      failure ??= { error };
      end();
    } finally {
      inHand -= 1;
      settled();
    }
  }

  async function untilEmpty(): Promise<void> {
    while (!over.signal.aborted) {
      const before = came;
      if (inHand === 0 && (await channel.checkQueue(queue)).messageCount === 0) return;
      await sleep(clock, IDLE_MS, over.signal);
      if (inHand === 0 && came === before) return;
    }
  }

  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    await channel.prefetch(PREFETCH);
    const { consumerTag } = await channel.consume(queue, (message) => {
      if (message === null) end();
      else if (!over.signal.aborted) void take(message);
    });
    await untilEmpty();
    end();
    if (isOpen) await briefly(clock, channel.cancel(consumerTag));
  } catch (error) {
    options.log.warn(
      { queue, reason: (error as Error).message },
      'a queue could not be emptied; trying again',
    );
    end();
    await sleep(clock, IDLE_MS, signal);
  }
  signal.removeEventListener('abort', end);
  while (inHand > 0) {
    await new Promise<void>((resolve) => {
      settled = resolve;
    });
  }
  // Makes the broker answer for every ack before.
  if (isOpen) await briefly(clock, channel.close());
  if (failure !== undefined) throw failure.error;
}
