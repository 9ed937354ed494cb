import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
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

describe('What has left does not outlive the next scavenge', () => {
  /** In a process of its own: what else is in a heap, and what V8 has learnt from it, decides where it allocates. */
  async function keptOf(collection: string): Promise<number> {
    const flags = ['--expose-gc', '--no-allocation-site-pretenuring', '--single-threaded-gc'];
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...flags,
      '--import',
      'tsx',
      fileURLToPath(new URL('./turnover-probe.ts', import.meta.url)),
      collection,
    ]);
    return Number(stdout);
  }

  for (const collection of ['linked list', 'turnover map'])
    it(`of a ${collection}`, async () => {
      expect(await keptOf(collection)).to.be.within(0, 0.1);
    });

  it('unlike that of a Set', async () => {
    expect(await keptOf('Set')).to.be.greaterThan(1 / 3);
  });
});
