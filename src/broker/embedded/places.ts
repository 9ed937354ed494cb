/** Where new rows are put: numbers that rise over all tables, so that none is used twice while the file is open. In the thread. */
import { PLACES_PER_LANE } from './schema.js';

/** Where a job lies that may go at once, or a batch of events, and the last place of its lane before it: nothing lies between the two. */
export type Placing = readonly [place: number, before: number];

/** Batches have a lane of their own, whose places are plain numbers: those of jobs begin at 1. */
export const BATCHES = 0;

/** @param place  negative for that of a suspect */
export function laneOf(place: number): number {
  return Math.floor(Math.abs(place) / PLACES_PER_LANE);
}

export interface Places {
  /** @param lastNumber  the highest in the file */
  open(lastNumber: number): void;
  /** Of a row in a table without lanes. */
  nextNumber(): number;
  next(lane: number): Placing;
}

export function createPlaces(): Places {
  let number = 0;
  let openedAt = 0;
  /** Of each lane, as far as rows were put there since the file was opened; also of those whose transaction was undone. */
  const last = new Map<number, number>();

  const placeOf = (lane: number, its: number): number => lane * PLACES_PER_LANE + its;

  function nextNumber(): number {
    number += 1;
    return number;
  }

  return {
    open(lastNumber) {
      number = lastNumber;
      openedAt = lastNumber;
      last.clear();
    },
    nextNumber,
    next(lane) {
      const before = last.get(lane) ?? placeOf(lane, openedAt);
      const place = placeOf(lane, nextNumber());
      last.set(lane, place);
      return [place, before];
    },
  };
}
