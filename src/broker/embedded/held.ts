/** One row of the file in our hands and its one settle. */
import { Lost } from '../../job/errors.js';
import type { SqliteFailure } from '../../runtime/sqlite-failure.js';
import { portError } from './storage.js';

/** Who handed it out: told when it leaves the hands of the consumer, and when it is done with. */
export interface Holder {
  /** Its place in the prefetch is free, or taken again because a settle has failed. */
  hold(isHeld: boolean): void;
  /** Its end is on the disk. */
  gone(): void;
  /** Back to the front. */
  takeBack(): void;
}

/** What it needs of the engine it came from. */
export interface Keeper {
  /** The engine has stopped, or its thread is gone. */
  isOver(): boolean;
  /** Resolves when it is worth trying again after a disk was found full, or the engine is over. */
  untilRoom(): Promise<void>;
}

export class HeldRow {
  readonly #keeper: Keeper;
  readonly #holder: Holder;
  readonly #store: () => Promise<void>;
  #isSettled = false;
  /** A settle has failed: its place in the prefetch is not lent again before one is stored. */
  #hasFailed = false;

  /** @param store  removes the row as done with */
  constructor(keeper: Keeper, holder: Holder, store: () => Promise<void>) {
    this.#keeper = keeper;
    this.#holder = holder;
    this.#store = store;
  }

  get isLost(): boolean {
    return this.#keeper.isOver();
  }

  ack(): Promise<void> {
    return this.settle(this.#store);
  }

  async return(): Promise<void> {
    this.#claim();
    this.#holder.hold(false);
    this.#holder.takeBack();
  }

  protected get isSettled(): boolean {
    return this.#isSettled;
  }

  /** What errors call it. */
  protected name(): string {
    return 'a row';
  }

  /** It leaves the hands of the consumer. */
  protected ended(): void {}

  /** Holds on while the disk is full; any other failure is the caller's, who may settle again. */
  protected async settle(store: () => Promise<void>): Promise<void> {
    this.#claim();
    for (;;) {
      const isLent = !this.#hasFailed;
      if (isLent) this.#holder.hold(false);
      try {
        await store();
        if (!isLent) this.#holder.hold(false);
        this.#holder.gone();
        return;
      } catch (error) {
        if (isLent) this.#holder.hold(true);
        this.#hasFailed = true;
        const { kind } = error as SqliteFailure;
        if (this.isLost || kind === 'ended') throw this.#lost(error);
        if (kind !== 'full') {
          this.#isSettled = false;
          throw portError(error);
        }
        await this.#keeper.untilRoom();
        if (this.isLost) throw this.#lost(error);
      }
    }
  }

  /** @throws Error  settled before  @throws Lost */
  #claim(): void {
    if (this.#isSettled) throw new Error(`the delivery of ${this.name()} is settled already`);
    if (this.isLost) throw this.#lost();
    this.#isSettled = true;
    this.ended();
  }

  #lost(cause?: unknown): Lost {
    return new Lost(`the engine has stopped; ${this.name()} is delivered again by the next`, { cause });
  }
}
