/** Collects what is delivered and tells when enough has come. */
export interface Pile<Item> {
  readonly items: Item[];
  /** Hand this to a consumer. */
  take(item: Item): void;
  /** Resolves with the first `count` once they are there. */
  first(count: number): Promise<Item[]>;
  /** Resolves once the condition holds, looked at after each arrival. */
  until(holds: (items: readonly Item[]) => boolean): Promise<void>;
}

/** @param onItem  called first, such as an ack of everything */
export function createPile<Item>(onItem: (item: Item) => void = () => {}): Pile<Item> {
  const items: Item[] = [];
  let waiters: { holds: (items: readonly Item[]) => boolean; resolve: () => void }[] = [];
  const pile: Pile<Item> = {
    items,
    take(item) {
      items.push(item);
      onItem(item);
      waiters = waiters.filter(({ holds, resolve }) => {
        if (!holds(items)) return true;
        resolve();
        return false;
      });
    },
    async first(count) {
      await pile.until((all) => all.length >= count);
      return items.slice(0, count);
    },
    until(holds) {
      if (holds(items)) return Promise.resolve();
      return new Promise((resolve) => waiters.push({ holds, resolve }));
    },
  };
  return pile;
}
