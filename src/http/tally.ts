/** The books of one batch: which item was accepted under which id, which was refused and why, and the answer they add up to. */
import { type BatchAnswer, type BatchRefusal, type ErrorCode, errorStatus } from '../api/contract.js';
import type { ProblemAnswer } from './problem.js';
import { problemOf, Rejection } from './problem.js';

export interface Tally {
  /** Opens the next item; returns its index. */
  open(): number;
  accept(index: number, id: string): void;
  refuse(index: number, rejection: Rejection): void;
  /** The items so far. */
  readonly count: number;
  answer(): BatchAnswer;
  /** The 422 or 503 when nothing was accepted, or undefined when something was. */
  refusal(): ProblemAnswer | undefined;
}

/** A detail in the answer of a batch is cut here, because there may be thousands of them. */
const LONGEST_DETAIL = 500;

export function createTally(): Tally {
  const ids: (string | null)[] = [];
  const errors: { index: number; code: ErrorCode; detail: string }[] = [];
  let accepted = 0;

  const answer = (): BatchAnswer => ({
    accepted,
    rejected: ids.length - accepted,
    ids,
    errors: errors.sort((a, b) => a.index - b.index),
  });

  return {
    open: () => ids.push(null) - 1,
    accept(index, id) {
      ids[index] = id;
      accepted++;
    },
    refuse(index, rejection) {
      errors.push({ index, code: rejection.code, detail: rejection.message.slice(0, LONGEST_DETAIL) });
    },
    get count() {
      return ids.length;
    },
    answer,
    refusal() {
      if (accepted > 0) return undefined;
      const books = answer();
      const refused = problemOf(new Rejection(codeOf(books.errors), detailOf(books), { extra: books }));
      return { ...refused, problem: refused.problem as BatchRefusal };
    },
  };
}

/** 503 when the broker or we were in the way of any item, because trying again can help; else 422. */
function codeOf(errors: BatchAnswer['errors']): ErrorCode {
  const waiting = errors.find(({ code }) => errorStatus[code] === 503 || errorStatus[code] === 429);
  if (waiting) return errorStatus[waiting.code] === 503 ? waiting.code : 'overloaded';
  const first = errors[0]?.code;
  const isCommon =
    first !== undefined && errorStatus[first] === 422 && errors.every(({ code }) => code === first);
  return isCommon ? first : 'invalid_job';
}

function detailOf({ rejected, errors }: BatchAnswer): string {
  const [first] = errors;
  if (first === undefined) return 'the batch holds no job';
  return `none of ${rejected} items was accepted; item ${first.index}: ${first.detail}`;
}
