/** The event channel of the built-in engine: batches and dead letters in the file, announcements within the process. */
import { Unavailable } from '../../job/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { SqliteFailure } from '../../runtime/sqlite-failure.js';
import type { BatchDelivery, EventChannel, LetterDelivery } from '../event-channel.js';
import type { DeadLetter } from '../stock.js';
import { createFeed } from './feed.js';
import { HeldRow, type Holder, type Keeper } from './held.js';
import { letterOf } from './letters.js';
import type { Storage } from './storage.js';

export interface Events {
  readonly channel: EventChannel;
  /** The file is open. */
  open(): void;
  /** A dead letter was stored. */
  hasDead(): void;
  /** The disk was found full just now. */
  foundFull(): void;
  stop(): void;
  /** Handed out, and their end is not on the disk. */
  batchesInHand(): number;
  deadInHand(): number;
}

export interface EventsOptions {
  readonly storage: Storage;
  readonly keeper: Keeper;
  readonly isUp: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

interface StoredBatch {
  readonly place: number;
  readonly batch: Buffer;
}

interface StoredLetter {
  readonly place: number;
  readonly letter: DeadLetter;
}

class HeldBatch extends HeldRow implements BatchDelivery {
  readonly batch: Buffer;
  protected override readonly remove: () => Promise<void>;

  constructor(batch: Buffer, keeper: Keeper, holder: Holder, remove: () => Promise<void>) {
    super(keeper, holder);
    this.batch = batch;
    this.remove = remove;
  }

  protected override name(): string {
    return 'the batch of events';
  }
}

class HeldLetter extends HeldRow implements LetterDelivery {
  readonly letter: DeadLetter;
  protected override readonly remove: () => Promise<void>;

  constructor(letter: DeadLetter, keeper: Keeper, holder: Holder, remove: () => Promise<void>) {
    super(keeper, holder);
    this.letter = letter;
    this.remove = remove;
  }

  protected override name(): string {
    return `the dead letter ${String(this.letter.messageId)}`;
  }
}

/** How often a disk that was full is looked at. */
const LOOK_AGAIN_MS = 250;

export function createEvents(options: EventsOptions): Events {
  const { storage, keeper, isUp, clock, log } = options;
  const announced = new Set<() => void>();
  const blocked = new Set<(isBlocked: boolean) => void>();
  let cancelLook: (() => void) | undefined;

  const batches = createFeed<StoredBatch>({
    start: 0,
    async read(after, limit) {
      const { rows, bytes, isCut } = await storage.fetchBatches([after, limit]);
      let at = 0;
      const items = rows.map(({ number, length }) => {
        const batch = Buffer.from(bytes, at, length);
        at += length;
        return { place: number, batch };
      });
      return { items, isCut };
    },
    isUp,
    clock,
    log,
  });
  const dead = createFeed<StoredLetter>({
    start: 0,
    async read(after, limit) {
      const { rows, bytes, isCut } = await storage.fetchLetters([after, limit]);
      let at = 0;
      const items = rows.map((row) => {
        const body = Buffer.from(bytes, at, row.length);
        at += row.length;
        return { place: row.number, letter: letterOf(row, row.death, body) };
      });
      return { items, isCut };
    },
    isUp,
    clock,
    log,
  });

  /** Resolves once it is on the disk, or no longer wanted. @throws Unavailable  the engine has ended */
  async function store(batch: Buffer, isWanted: () => boolean): Promise<void> {
    while (isWanted()) {
      if (keeper.isOver()) throw new Unavailable('the engine has stopped');
      try {
        if (isUp()) {
          const [place, before] = await storage.publishBatch(batch);
          batches.wasStored({ place, batch }, before);
          return;
        }
      } catch (error) {
        const { kind, message } = error as SqliteFailure;
        if (kind === 'ended') throw new Unavailable(message, { cause: error });
        if (kind !== 'full') log.error({ err: error }, 'events cannot be stored; it is tried again');
      }
      await keeper.untilRoom();
    }
  }

  function tellAll<Listener>(listeners: ReadonlySet<Listener>, tell: (listener: Listener) => void): void {
    for (const listener of [...listeners]) {
      try {
        tell(listener);
      } catch (error) {
        log.error({ err: error }, 'a listener threw');
      }
    }
  }

  function lookAgain(): void {
    cancelLook = clock.after(LOOK_AGAIN_MS, () => {
      if (storage.isFull()) return lookAgain();
      cancelLook = undefined;
      tellAll(blocked, (listener) => listener(false));
    });
  }

  return {
    channel: {
      publish(batch) {
        let isWanted = true;
        const done = new Promise<void>((resolve, reject) => {
          store(batch, () => isWanted).then(
            () => isWanted && resolve(),
            (error: Error) => isWanted && reject(error),
          );
        });
        return {
          done,
          withdraw() {
            isWanted = false;
          },
        };
      },
      async consume(prefetch, deliver) {
        return batches.consume(prefetch, ({ place, batch }, holder) =>
          deliver(new HeldBatch(batch, keeper, holder, () => storage.ackBatch(place))),
        );
      },
      async consumeDead(prefetch, deliver) {
        return dead.consume(prefetch, ({ place, letter }, holder) =>
          deliver(new HeldLetter(letter, keeper, holder, () => storage.ackLetter(place))),
        );
      },
      async announce() {
        tellAll(announced, (listener) => listener());
      },
      async onAnnouncement(listener) {
        return added(announced, () => listener());
      },
      onBlocked: (listener) => added(blocked, (isBlocked) => listener(isBlocked)),
    },
    open() {
      batches.hasNews();
      dead.hasNews();
    },
    hasDead: dead.hasNews,
    foundFull() {
      if (cancelLook !== undefined) return;
      lookAgain();
      tellAll(blocked, (listener) => listener(true));
    },
    stop: () => cancelLook?.(),
    batchesInHand: batches.inHand,
    deadInHand: dead.inHand,
  };
}

/** Each listener is an own one, however often it is added. */
function added<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
