/** A value that several parts of the page watch. */
import { useEffect, useState } from './lib/preact.js';

export interface Cell<Value> {
  get(): Value;
  set(next: Value): void;
  /** @returns ends it */
  watch(told: () => void): () => void;
}

export function createCell<Value>(first: Value): Cell<Value> {
  let value = first;
  const watchers = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const told of [...watchers]) told();
    },
    watch(told) {
      watchers.add(told);
      return () => void watchers.delete(told);
    },
  };
}

export function useCell<Value>(cell: Cell<Value>): Value {
  const [, redraw] = useState(0);
  useEffect(() => cell.watch(() => redraw((count) => count + 1)), [cell]);
  return cell.get();
}
