/**
 * For what comes and goes by the thousand each second and leaves in any order. A `Set` in its place keeps dead members alive: when
 * its table is full it is left for a new one, members and all (V8, OrderedHashTable::Rehash). Once a table lies in the old
 * generation, all that follow are made there, and what a dead one holds survives every scavenge until the next full collection: in
 * `serve` that was each request whole, a third of what it allocated (src/DECISIONS.md).
 */
export interface LinkedList<T> {
  /** At the end. The link is what takes it out again. */
  add(value: T): Link<T>;
  /** False when it was out already. */
  remove(link: Link<T>): boolean;
  readonly first: Link<T> | undefined;
  readonly size: number;
  /** In the order they were added; a copy, so the list may change meanwhile. */
  values(): T[];
  /** The same as links. */
  links(): Link<T>[];
}

export interface Link<T> {
  readonly value: T;
}

interface Node<T> {
  readonly value: T;
  previous: Node<T> | undefined;
  next: Node<T> | undefined;
  isIn: boolean;
}

export function createLinkedList<T>(): LinkedList<T> {
  let first: Node<T> | undefined;
  let last: Node<T> | undefined;
  let size = 0;

  function links(): Link<T>[] {
    const all: Link<T>[] = [];
    for (let node = first; node !== undefined; node = node.next) all.push(node);
    return all;
  }

  return {
    add(value) {
      const node: Node<T> = { value, previous: last, next: undefined, isIn: true };
      if (last === undefined) first = node;
      else last.next = node;
      last = node;
      size++;
      return node;
    },
    remove(link) {
      const node = link as Node<T>;
      if (!node.isIn) return false;
      const { previous, next } = node;
      if (previous === undefined) first = next;
      else previous.next = next;
      if (next === undefined) last = previous;
      else next.previous = previous;
      // What is left behind must not lead to anything younger.
      node.previous = undefined;
      node.next = undefined;
      node.isIn = false;
      size--;
      return true;
    },
    get first() {
      return first;
    },
    get size() {
      return size;
    },
    values() {
      return links().map(({ value }) => value);
    },
    links,
  };
}
