/** Prints the share of what has passed through a collection that scavenges alone leave in memory. */
import { createLinkedList } from '../../src/runtime/linked-list.js';
import { createTurnoverMap } from '../../src/runtime/turnover-map.js';

const ADDED = 12_801;
const MEMBERS = 64;
const MEMBER_BYTES = 1600;

/** Adds a member; what it returns takes it out again. */
type Add = (member: object, key: number) => () => void;

const collections: Record<string, () => Add> = {
  'linked list'() {
    const list = createLinkedList<object>();
    return (member) => {
      const link = list.add(member);
      return () => void list.remove(link);
    };
  },
  'turnover map'() {
    const map = createTurnoverMap<number, object>();
    return (member, key) => {
      map.set(key, member);
      return () => void map.delete(key);
    };
  },
  Set() {
    const set = new Set<object>();
    return (member) => {
      set.add(member);
      return () => void set.delete(member);
    };
  },
};

const collect = globalThis.gc as unknown as (kind: { readonly type: 'minor' | 'major' }) => void;
const add = (collections[process.argv[2] ?? ''] as () => Add)();
const leave: (() => void)[] = [];
let before = 0;
for (let n = 0; n < ADDED; n++) {
  leave[n % MEMBERS]?.();
  leave[n % MEMBERS] = add(new Array(MEMBER_BYTES / 8).fill(n), n);
  if (n === MEMBERS + 10) {
    collect({ type: 'major' });
    collect({ type: 'major' }); // Promotes the table of the moment; where it lies, its successors are made.
    before = process.memoryUsage().heapUsed;
  }
  // Not with each: V8 allocates what survives as a rule in the old generation to begin with.
  if (n % (20 * MEMBERS) === 0) collect({ type: 'minor' });
}
process.stdout.write(String((process.memoryUsage().heapUsed - before) / (ADDED * MEMBER_BYTES)));
