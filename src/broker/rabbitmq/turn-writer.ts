/**
 * Makes the frames of one turn of the event loop leave as one write. amqplib writes each frame by itself, from a setImmediate
 * that it schedules in a nextTick; the socket is held back until after that.
 */
import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';

export interface TurnWriter {
  attach(model: ChannelModel): void;
  /** Call it right after a write to a channel, in the same turn: amqplib's own nextTick must come first. */
  hold(): void;
}

export function createTurnWriter(): TurnWriter {
  let socket: Socket | undefined;
  let held: Socket | undefined;
  return {
    attach(model) {
      socket = socketOf(model);
    },
    hold() {
      if (socket === undefined || held === socket) return;
      const holding = socket;
      held = holding;
      holding.cork();
      process.nextTick(() =>
        setImmediate(() => {
          if (held === holding) held = undefined;
          holding.uncork();
        }),
      );
    },
  };
}

/** The socket under a connection: amqplib does not type it, and offers no other way to group writes or to end for good. */
export function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { stream: Socket }).stream;
}
