/**
 * Makes the frames of one turn of the event loop leave as one write. It stands where amqplib has a stream for each channel, takes frames
 * from all of them in the order in which they are written, and hands them to the socket when the turn has ended. What belongs to no
 * channel, a heartbeat or the close of the connection, amqplib writes at once, before them.
 */
import type { Socket } from 'node:net';

export interface TurnWriter {
  /** Whole frames, from amqplib. Always true: the outbox, the senders of events and the prefetch bound what waits here. */
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
/** A new slab would outlive two scavenges and then lie in memory until the next full collection. */
const MOST_SPARE = 4;

interface Slab {
  readonly slab: Buffer;
  /** From here on it is free. */
  at: number;
  /** Writes of it that the socket has not finished. */
  underWay: number;
  /** Ends one of these. */
  readonly written: () => void;
}

interface Chunk {
  readonly bytes: Buffer;
  /** Called once the socket has no more need of it. */
  readonly written: (() => void) | undefined;
}

export function createTurnWriter(socket: Pick<Socket, 'writable' | 'write' | 'cork' | 'uncork'>): TurnWriter {
  const spare: Slab[] = [];
  let open = createSlab();
  /** Of what waits in the open slab. */
  let from = 0;
  let waiting: Chunk[] = [];
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
    if (open.at === from) return;
    open.underWay += 1;
    waiting.push({ bytes: open.slab.subarray(from, open.at), written: open.written });
    from = open.at;
  }

  function flush(): void {
    cut();
    const chunks = waiting;
    const [first] = chunks;
    if (first === undefined) return;
    waiting = [];
    // On a connection that has ended nothing is lost: what was not confirmed or acked comes again.
    if (!socket.writable) return;
    if (chunks.length === 1) {
      socket.write(first.bytes, first.written);
      return;
    }
    socket.cork();
    for (const { bytes, written } of chunks) socket.write(bytes, written);
    socket.uncork();
  }

  function turnOver(): void {
    flush();
    if (spare.length < MOST_SPARE) spare.push(open);
    const rested = spare.findIndex(({ underWay }) => underWay === 0);
    open = rested < 0 ? createSlab() : (spare.splice(rested, 1)[0] as Slab);
    open.at = 0;
    from = 0;
  }

  function room(bytes: number): Room {
    if (open.at + bytes > SLAB_BYTES) turnOver();
    return open;
  }

  return {
    write(frames) {
      if (frames.length > COPIED_BYTES) {
        cut();
        waiting.push({ bytes: frames, written: undefined });
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

function createSlab(): Slab {
  const made: Slab = {
    slab: Buffer.allocUnsafeSlow(SLAB_BYTES),
    at: 0,
    underWay: 0,
    written() {
      made.underWay -= 1;
    },
  };
  return made;
}
