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
  /** A settle is under way, or one less: the engine waits for them when it stops. */
  settling(change: 1 | -1): void;
}

export abstract class HeldRow {
  readonly #keeper: Keeper;
  readonly #holder: Holder;
  #isSettled = false;
  /** A settle has failed: its place in the prefetch is not lent again before one is stored. */
  #hasFailed = false;

  constructor(keeper: Keeper, holder: Holder) {
    this.#keeper = keeper;
    this.#holder = holder;
  }

  get isLost(): boolean {
    return this.#keeper.isOver();
  }

  ack(): Promise<void> {
    return this.settle(() => this.remove());
  }

  async return(): Promise<void> {
    this.#claim();
    this.#holder.hold(false);
    this.#holder.takeBack();
  }

  protected get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Removes the row as done with. */
  protected abstract remove(): Promise<void>;

  /** What errors call it. */
  protected abstract name(): string;

  /** It leaves the hands of the consumer. */
  protected ended(): void {}

  /** Holds on while the disk is full; any other failure is the caller's, who may settle again. */
  protected settle(store: () => Promise<void>): Promise<void> {
    try {
      this.#claim();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#try(store);
  }

  #try(store: () => Promise<void>): Promise<void> {
    const isLent = !this.#hasFailed;
    if (isLent) this.#holder.hold(false);
    this.#keeper.settling(1);
    return store().then(
      () => {
        this.#keeper.settling(-1);
        if (!isLent) this.#holder.hold(false);
        this.#holder.gone();
      },
      (error: unknown) => {
        this.#keeper.settling(-1);
        if (isLent) this.#holder.hold(true);
        this.#hasFailed = true;
        return this.#failed(store, error);
      },
    );
  }

  async #failed(store: () => Promise<void>, error: unknown): Promise<void> {
    const { kind } = error as SqliteFailure;
    if (this.isLost || kind === 'ended') throw this.#lost(error);
    if (kind !== 'full') {
      this.#isSettled = false;
      throw portError(error);
    }
    await this.#keeper.untilRoom();
    if (this.isLost) throw this.#lost(error);
    return this.#try(store);
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
