/** One delivery of the built-in engine and its four ways to be settled. */
import type { Job } from '../../job/job.js';
import type { Death } from '../../job/outcome.js';
import type { Delivery } from '../broker.js';
import { HeldRow, type Holder, type Keeper } from './held.js';
import type { Place } from './operations.js';

/** What a delivery needs of the engine it came from. */
export interface Settling extends Keeper {
  begin(place: Place): number;
  end(slot: number): void;
  ack(place: Place): Promise<void>;
  retry(place: Place, next: Job): Promise<void>;
  bury(place: Place, death: Death): Promise<void>;
}

export class EmbeddedDelivery extends HeldRow implements Delivery {
  readonly job: Job;
  readonly lostCount: number;
  readonly #place: Place;
  readonly #settling: Settling;
  #slot: number | undefined;

  constructor(job: Job, lostCount: number, place: Place, settling: Settling, holder: Holder) {
    super(settling, holder);
    this.job = job;
    this.lostCount = lostCount;
    this.#place = place;
    this.#settling = settling;
  }

  started(): void {
    if (this.#slot === undefined && !this.isSettled && !this.isLost)
      this.#slot = this.#settling.begin(Math.abs(this.#place));
  }

  retry(next: Job): Promise<void> {
    return this.settle(() => this.#settling.retry(this.#place, next));
  }

  deadLetter(death: Death): Promise<void> {
    return this.settle(() => this.#settling.bury(this.#place, death));
  }

  protected override remove(): Promise<void> {
    return this.#settling.ack(this.#place);
  }

  protected override name(): string {
    return `job ${this.job.id}`;
  }

  protected override ended(): void {
    if (this.#slot === undefined) return;
    this.#settling.end(this.#slot);
    this.#slot = undefined;
  }
}
