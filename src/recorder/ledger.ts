/** The books of a source: which of its batches have come, which are missing, and how many jobs it says it has accepted. Pure. */
import type { BatchCount, Gap, Ledger } from '../store/ledgers.js';

export const emptyLedger: Ledger = { through: 0, accepted: 0, acceptedAgain: 0, gaps: [] };

/**
 * The books after these batches, which may come in any order and more than once. A batch beyond the last one leaves a gap behind
 * it; one that comes late is crossed off its gap; one that is neither was counted before.
 */
export function enter(ledger: Ledger, batches: readonly BatchCount[], nowMs: number): Ledger {
  let { through, accepted, acceptedAgain } = ledger;
  let gaps = ledger.gaps;
  for (const batch of batches) {
    const { seq } = batch;
    if (seq > through) {
      if (seq > through + 1) gaps = [...gaps, { first: through + 1, last: seq - 1, sinceMs: nowMs }];
      through = seq;
    } else {
      const gap = gaps.find(({ first, last }) => first <= seq && seq <= last);
      if (gap === undefined) continue;
      gaps = gaps.flatMap((one) => (one === gap ? without(gap, seq) : one));
    }
    accepted += batch.accepted;
    acceptedAgain += batch.acceptedAgain;
  }
  return { through, accepted, acceptedAgain, gaps };
}

function without({ first, last, sinceMs }: Gap, seq: number): Gap[] {
  return [
    { first, last: seq - 1, sinceMs },
    { first: seq + 1, last, sinceMs },
  ].filter((rest) => rest.first <= rest.last);
}
