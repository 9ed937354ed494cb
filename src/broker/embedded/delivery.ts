/** One delivery of the built-in engine and its four ways to be settled. */
import { Lost } from '../../job/errors.js';
import type { Job } from '../../job/job.js';
import type { Death } from '../../job/outcome.js';
import type { SqliteFailure } from '../../runtime/sqlite-failure.js';
import type { Delivery } from '../broker.js';
import type { Place } from './operations.js';
import { portError } from './storage.js';

/** What a delivery needs of the engine it came from. */
export interface Settling {
  /** The engine has stopped, or its thread is gone. */
  isOver(): boolean;
  begin(place: Place): number;
  end(slot: number): void;
  ack(place: Place): Promise<void>;
  retry(place: Place, next: Job): Promise<void>;
  bury(place: Place, death: Death): Promise<void>;
  /** Resolves when it is worth trying again after a disk was found full, or the engine is over. */
  untilRoom(): Promise<void>;
}

/** Who handed it out: told when it leaves the hands of the consumer, and when it is done with. */
export interface Holder {
  /** Its place in the prefetch is free, or taken again because a settle has failed. */
  hold(isHeld: boolean): void;
  /** Its end is on the disk. */
  gone(): void;
  /** Back to the front. */
  takeBack(): void;
}

export class EmbeddedDelivery implements Delivery {
  readonly job: Job;
  readonly lostCount: number;
  readonly #place: Place;
  readonly #settling: Settling;
  readonly #holder: Holder;
  #slot: number | undefined;
  #isSettled = false;
  /** A settle has failed: its place in the prefetch is not lent again before one is stored. */
  #hasFailed = false;

  constructor(job: Job, lostCount: number, place: Place, settling: Settling, holder: Holder) {
    this.job = job;
    this.lostCount = lostCount;
    this.#place = place;
    this.#settling = settling;
    this.#holder = holder;
  }

  get isLost(): boolean {
    return this.#settling.isOver();
  }

  started(): void {
    if (this.#slot === undefined && !this.#isSettled && !this.isLost)
      this.#slot = this.#settling.begin(Math.abs(this.#place));
  }

  ack(): Promise<void> {
    return this.#settle(() => this.#settling.ack(this.#place));
  }

  async return(): Promise<void> {
    this.#claim();
    this.#ended();
    this.#holder.hold(false);
    this.#holder.takeBack();
  }

  retry(next: Job): Promise<void> {
    return this.#settle(() => this.#settling.retry(this.#place, next));
  }

  deadLetter(death: Death): Promise<void> {
    return this.#settle(() => this.#settling.bury(this.#place, death));
  }

  /** @throws Error  settled before  @throws Lost */
  #claim(): void {
    if (this.#isSettled) throw new Error(`the delivery of job ${this.job.id} is settled already`);
    if (this.isLost) throw this.#lost();
    this.#isSettled = true;
  }

  /** Holds on while the disk is full; any other failure is the caller's, who may settle again. */
  async #settle(store: () => Promise<void>): Promise<void> {
    this.#claim();
    this.#ended();
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
        await this.#settling.untilRoom();
        if (this.isLost) throw this.#lost(error);
      }
    }
  }

  #ended(): void {
    if (this.#slot === undefined) return;
    this.#settling.end(this.#slot);
    this.#slot = undefined;
  }

  #lost(cause?: unknown): Lost {
    return new Lost(`the engine has stopped; job ${this.job.id} is delivered again by the next`, { cause });
  }
}
