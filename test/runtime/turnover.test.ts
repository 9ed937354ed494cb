import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { createLinkedList } from '../../src/runtime/linked-list.js';
import { createTurnoverMap } from '../../src/runtime/turnover-map.js';

describe('A linked list', () => {
  it('gives its members in the order they came, whichever of them have left', () => {
    const list = createLinkedList<string>();
    const a = list.add('a');
    const b = list.add('b');
    const c = list.add('c');
    const d = list.add('d');
    expect(list.values()).to.deep.equal(['a', 'b', 'c', 'd']);
    expect(list.remove(b)).to.equal(true);
    expect(list.values()).to.deep.equal(['a', 'c', 'd']);
    expect(list.remove(a)).to.equal(true);
    expect(list.first).to.equal(c);
    expect(list.remove(d)).to.equal(true);
    list.add('e');
    expect(list.values()).to.deep.equal(['c', 'e']);
    expect(list.size).to.equal(2);
  });

  it('takes nothing out twice', () => {
    const list = createLinkedList<number>();
    const link = list.add(1);
    list.add(2);
    expect(list.remove(link)).to.equal(true);
    expect(list.remove(link)).to.equal(false);
    expect(list.size).to.equal(1);
  });

  it('is empty after its last member, and may be filled again', () => {
    const list = createLinkedList<number>();
    list.remove(list.add(1));
    expect(list.first).to.equal(undefined);
    list.add(2);
    expect(list.values()).to.deep.equal([2]);
  });
});

describe('A turnover map', () => {
  it('is a map, with its entries in the order they were set', () => {
    const map = createTurnoverMap<string, { readonly n: number }>();
    for (const n of [1, 2, 3]) map.set(String(n), { n });
    expect(map.get('2')).to.deep.equal({ n: 2 });
    expect(map.delete('2')).to.equal(true);
    expect(map.delete('2')).to.equal(false);
    expect(map.get('2')).to.equal(undefined);
    map.set('1', { n: 10 });
    expect([...map.entries()]).to.deep.equal([
      ['1', { n: 10 }],
      ['3', { n: 3 }],
    ]);
    expect(map.size).to.equal(2);
  });

  it('lets entries go while they are read', () => {
    const map = createTurnoverMap<number, { readonly n: number }>();
    for (let n = 0; n < 100; n++) map.set(n, { n });
    const met: number[] = [];
    for (const [n] of map.entries()) {
      met.push(n);
      map.delete(n);
      map.delete(n + 1);
    }
    expect(met).to.deep.equal(Array.from({ length: 50 }, (_, i) => 2 * i));
    expect(map.size).to.equal(0);
  });
});

setFlagsFromString('--expose-gc');
// Otherwise V8 learns from what survives to allocate members in the old generation, which no scavenge empties.
setFlagsFromString('--no-allocation-site-pretenuring');
const collect = runInNewContext('gc') as (kind: { readonly type: 'minor' | 'major' }) => void;

describe('What has left does not outlive the next scavenge', () => {
  const ADDED = 12_801;
  const MEMBERS = 64;
  const MEMBER_BYTES = 1600;

  interface Collection {
    add(member: object, key: number): () => void;
  }

  const collections: readonly (readonly [string, () => Collection])[] = [
    [
      'a linked list',
      () => {
        const list = createLinkedList<object>();
        return {
          add(member) {
            const link = list.add(member);
            return () => void list.remove(link);
          },
        };
      },
    ],
    [
      'a turnover map',
      () => {
        const map = createTurnoverMap<number, object>();
        return {
          add(member, key) {
            map.set(key, member);
            return () => void map.delete(key);
          },
        };
      },
    ],
  ];

  for (const [name, create] of collections) {
    // A Set in its place keeps nearly all of it, unless a full collection comes in between.
    it(name, function keepsNothing() {
      this.retries(2); // V8 is free to promote what it likes.
      const { add } = create();
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
      const kept = process.memoryUsage().heapUsed - before;
      const all = ADDED * MEMBER_BYTES;
      expect(kept).to.be.lessThan(all / 10);
    });
  }
});
