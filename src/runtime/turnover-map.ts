/**
 * A Map for what comes and goes by the thousand each second. The tables that a plain one leaves behind keep its dead values alive
 * (see linked-list.ts); here they keep the key and an emptied slot.
 */
export interface TurnoverMap<Key, Value> {
  get(key: Key): Value | undefined;
  /** Last in the order of entries, unless the key is there already. */
  set(key: Key, value: Value): void;
  /** False when it was not there. */
  delete(key: Key): boolean;
  /** The oldest first. What is met may be deleted meanwhile. */
  entries(): Iterable<readonly [Key, Value]>;
  readonly size: number;
}

interface Slot<Value> {
  value: Value | undefined;
}

export function createTurnoverMap<Key, Value extends NonNullable<unknown>>(): TurnoverMap<Key, Value> {
  const slots = new Map<Key, Slot<Value>>();
  return {
    get: (key) => slots.get(key)?.value,
    set(key, value) {
      const slot = slots.get(key);
      if (slot === undefined) slots.set(key, { value });
      else slot.value = value;
    },
    delete(key) {
      const slot = slots.get(key);
      if (slot === undefined) return false;
      slot.value = undefined;
      return slots.delete(key);
    },
    *entries() {
      for (const [key, { value }] of slots) if (value !== undefined) yield [key, value];
    },
    get size() {
      return slots.size;
    },
  };
}
