/**
 * Makes the frames of one turn of the event loop leave as one write. It stands where amqplib has a stream for each channel, takes frames
 * from all channels of a connection in the order in which they are written, and hands them to the socket when the turn has ended.
 */
import type { Socket } from 'node:net';

export interface TurnWriter {
  /** Whole frames, from amqplib. Always true: what is unconfirmed is bounded by the outbox, not by the socket. */
  write(frames: Buffer): true;
  /** A channel is closed; the others go on. */
  end(): void;
  /** A place for frames of at most so many bytes, at most `MOST_ROOM`; `keep` takes those that were written into it. */
  room(bytes: number): Room;
  keep(bytes: number): void;
}

/** Bytes `at`… of `slab` are free. */
export interface Room {
  readonly slab: Buffer;
  readonly at: number;
}

/** Some 160 small jobs. A full one leaves at once, so that the broker has something to do meanwhile. */
const SLAB_BYTES = 64 * 1024;
export const MOST_ROOM = SLAB_BYTES / 4;
/** What is larger is not copied. */
const COPIED_BYTES = 4 * 1024;

export function createTurnWriter(socket: Pick<Socket, 'writable' | 'write' | 'cork' | 'uncork'>): TurnWriter {
  /** What was written before is of the socket; from `from` to `to` is what waits. */
  const open = { slab: Buffer.allocUnsafeSlow(SLAB_BYTES), at: 0 };
  let from = 0;
  const waiting: Buffer[] = [];
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(endTurn);
  }

  function endTurn(): void {
    isScheduled = false;
    flush();
  }

  function cut(): void {
    if (open.at > from) waiting.push(open.slab.subarray(from, open.at));
    from = open.at;
  }

  function flush(): void {
    cut();
    const chunks = waiting.splice(0);
    const [first] = chunks;
    // On a connection that has ended nothing is lost: what was not confirmed or acked comes again.
    if (first === undefined || !socket.writable) return;
    if (chunks.length === 1) {
      socket.write(first);
      return;
    }
    socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    socket.uncork();
  }

  function room(bytes: number): Room {
    if (open.at + bytes > SLAB_BYTES) {
      flush();
      open.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      open.at = 0;
      from = 0;
    }
    return open;
  }

  return {
    write(frames) {
      if (frames.length > COPIED_BYTES) {
        cut();
        waiting.push(frames);
      } else {
        const { slab, at } = room(frames.length);
        slab.set(frames, at);
        open.at += frames.length;
      }
      schedule();
      return true;
    },
    end() {},
    room,
    keep(bytes) {
      open.at += bytes;
      schedule();
    },
  };
}
