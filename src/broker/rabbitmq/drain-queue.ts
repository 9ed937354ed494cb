/** Empties one broker queue: each message is acked once its bytes are safe elsewhere, and all others stay in the queue. */
import type { Channel, ChannelModel, Message } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import { Acks } from './acks.js';
import { briefly } from './links.js';

export interface DrainQueueOptions {
  readonly model: ChannelModel;
  readonly queue: string;
  /** Resolves once it is safe elsewhere. */
  readonly hand: (message: Message) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Most messages in hand. */
  readonly prefetch: number;
}

/** Nothing has come for so long and nothing is in hand: it is empty, or others take what is there. */
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
  const { queue, clock, signal } = options;
  const over = new AbortController();
  const end = (): void => over.abort();
  let isOpen = true;
  let inHand = 0;
  let came = 0;
  let failure: { readonly error: unknown } | undefined;
  let settled = (): void => {};
  const acks = new Acks(channel);

  channel.on('error', () => {}); // 'close' follows.
  channel.on('handler-error', () => {}); // A delivery that crossed with the cancel; the broker takes it back at the close.
  channel.on('close', () => {
    isOpen = false;
    end();
  });

  async function take(message: Message): Promise<void> {
    inHand += 1;
    came += 1;
    acks.took(message.fields.deliveryTag);
    try {
      await options.hand(message);
      acks.acked(message.fields.deliveryTag);
      if (isOpen && !over.signal.aborted) acks.writeMultiple();
    } catch (error) {
      failure ??= { error };
      end();
    } finally {
      inHand -= 1;
      settled();
    }
  }

  async function untilIdle(): Promise<void> {
    let before: number;
    do {
      before = came;
      await sleep(clock, IDLE_MS, over.signal);
    } while (!over.signal.aborted && (inHand > 0 || came > before));
  }

  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    // The first one alone: while the target takes nothing, only this one is in hand, and pays when we are ended.
    const first = over.signal.aborted ? false : await channel.get(queue);
    if (first !== false) {
      await take(first as unknown as Message);
      await channel.prefetch(options.prefetch);
      if (!over.signal.aborted) {
        const { consumerTag } = await channel.consume(queue, (message) => {
          if (message === null) end();
          else if (isOpen && failure === undefined && !signal.aborted) void take(message);
        });
        await untilIdle();
        if (isOpen) await briefly(clock, channel.cancel(consumerTag));
      }
    }
  } catch (error) {
    options.log.warn(
      { queue, reason: (error as Error).message },
      'a queue could not be emptied; trying again',
    );
    await sleep(clock, IDLE_MS, signal);
  }
  end();
  signal.removeEventListener('abort', end);
  while (inHand > 0) {
    await new Promise<void>((resolve) => {
      settled = resolve;
    });
  }
  if (isOpen) {
    acks.writeMultiple();
    if (acks.writeSingles() > 0) await sleep(clock, IDLE_MS);
    await briefly(clock, channel.close());
  }
  if (failure !== undefined) throw failure.error;
}
