import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import fc from 'fast-check';
import { createLaneLine, type Placed, type Taker } from '../../../src/broker/embedded/lane-line.js';

interface Hand extends Taker<Placed> {
  readonly got: number[];
}

function createHand(prefetch: number): Hand {
  const got: number[] = [];
  return { prefetch, held: 0, got, take: ({ place }) => void got.push(place) };
}

const items = (...places: number[]): Placed[] => places.map((place) => ({ place }));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('the waiting line of a lane', () => {
  it('reads no more than its takers have room for, and only one part at a time', () => {
    const line = createLaneLine(100);
    expect(line.nextRead()).to.equal(undefined);
    line.add(createHand(2));
    line.add(createHand(3));
    expect(line.nextRead()).to.deep.equal({ after: 100, limit: 5 });
    expect(line.nextRead()).to.equal(undefined);
  });

  it('reads on behind the last it has read, while there is more', () => {
    const line = createLaneLine(0);
    line.add(createHand(4));
    line.nextRead();
    line.wasRead(items(3, 8), true);
    line.handOut(1000);
    expect(line.nextRead()).to.deep.equal({ after: 8, limit: 2 });
    line.wasRead([], false);
    expect(line.nextRead()).to.equal(undefined);
    line.hasNews();
    expect(line.nextRead()).to.deep.equal({ after: 8, limit: 2 });
  });

  it('hands out in portions, and meanwhile reads on as far as there is room', () => {
    const line = createLaneLine(0);
    const hand = createHand(7);
    line.add(hand);
    expect(line.nextRead()).to.deep.equal({ after: 0, limit: 7 });
    line.wasRead(items(1, 2, 3, 4, 5), true);
    expect(line.handOut(2)).to.equal(true);
    expect(line.nextRead()).to.deep.equal({ after: 5, limit: 2 });
    expect(line.handOut(2)).to.equal(true);
    line.wasRead(items(6, 7), true);
    expect(line.nextRead()).to.equal(undefined);
    expect(line.handOut(2)).to.equal(true);
    expect(line.handOut(2)).to.equal(false);
    expect(hand.got).to.deep.equal([1, 2, 3, 4, 5, 6, 7]);
  });

  it('does not read again what was read and was no job', () => {
    const line = createLaneLine(0);
    line.add(createHand(4));
    line.nextRead();
    line.wasRead(items(3), true, 8);
    line.handOut(1000);
    expect(line.nextRead()).to.deep.equal({ after: 8, limit: 3 });
    line.wasRead([], true, 11);
    expect(line.nextRead()).to.deep.equal({ after: 11, limit: 3 });
  });

  it('does not miss what is added while it reads, nor after a read that failed', () => {
    const line = createLaneLine(0);
    line.add(createHand(4));
    line.nextRead();
    line.hasNews();
    line.wasRead([], false);
    expect(line.nextRead()).to.not.equal(undefined);
    line.readFailed();
    expect(line.nextRead()).to.not.equal(undefined);
  });

  it('takes what is stored behind the last it knows, without a read, as long as a taker has room', () => {
    const line = createLaneLine(10);
    const hand = createHand(2);
    line.add(hand);
    expect(line.isAtEnd()).to.equal(false);
    line.nextRead();
    line.wasRead([], false);
    expect(line.isAtEnd()).to.equal(true);
    line.wasStored({ place: 12 }, 10);
    line.wasStored({ place: 15 }, 12);
    expect(line.isAtEnd()).to.equal(false);
    line.wasStored({ place: 17 }, 15);
    line.handOut(1000);
    expect(hand.got).to.deep.equal([12, 15]);
    hand.held = 0;
    expect(line.nextRead()).to.deep.equal({ after: 15, limit: 2 });
  });

  it('reads what something else was put before', () => {
    const line = createLaneLine(0);
    line.add(createHand(4));
    line.nextRead();
    line.wasRead([], false);
    line.wasStored({ place: 3 }, 2); // at 2 lies what was moved there, of which it is told later
    expect(line.nextRead()).to.deep.equal({ after: 0, limit: 4 });
  });

  it('does not take again what it has read when it is told of it afterwards', () => {
    const line = createLaneLine(0);
    const hand = createHand(4);
    line.add(hand);
    line.nextRead();
    line.wasRead([], false);
    line.wasStored({ place: 2 }, 1); // the one at 1 is told later
    line.nextRead();
    line.wasRead(items(1, 2), false);
    line.wasStored({ place: 1 }, 0);
    line.handOut(1000);
    expect(hand.got).to.deep.equal([1, 2]);
    expect(line.nextRead()).to.equal(undefined);
  });

  it('lets go of what it has handed out, although it never runs empty', async () => {
    const line = createLaneLine<Placed>(0);
    const handedOut: WeakRef<Placed>[] = [];
    const taker: Taker<Placed> = {
      prefetch: 4,
      held: 0,
      take(item) {
        handedOut.push(new WeakRef(item));
        taker.held -= 1; // it ends at once
      },
    };
    line.add(taker);
    line.nextRead();
    line.wasRead([], false);
    line.wasStored({ place: 1 }, 0);
    for (let place = 2; place <= 1_000; place++) {
      line.wasStored({ place }, place - 1);
      expect(line.handOut(1)).to.equal(true);
    }
    await nextTurn(); // until then a WeakRef holds what it was made of (ECMA-262, section 9.10)
    collectGarbage();
    expect(handedOut.length).to.equal(999);
    expect(handedOut.filter((one) => one.deref() !== undefined).length).to.be.below(200);
  });

  /** A file whose rows appear with each step, and a line that is told of some of them, late, and not in order. */
  it('hands out each once and in order, whatever is stored, read and told in which order', () => {
    const others = fc.constantFrom('move', 'undone', 'read', 'answer', 'fail', 'free', 'told');
    const step = fc.oneof<fc.Arbitrary<string>[]>(fc.constant('publish'), others);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (steps, prefetch) => {
        const line = createLaneLine<Placed>(0);
        const hand = createHand(prefetch);
        line.add(hand);
        const rows: number[] = [];
        const untold: (() => void)[] = [];
        let last = 0;
        let reading: { items: Placed[]; isCut: boolean } | undefined;
        const put = (isUndone = false): readonly [place: number, before: number] => {
          last += 1;
          if (!isUndone) rows.push(last);
          return [last, last - 1];
        };
        const read = (): void => {
          const next = line.nextRead();
          if (next === undefined) return;
          const found = rows.filter((place) => place > next.after).slice(0, next.limit);
          reading = { items: items(...found), isCut: found.length === next.limit };
        };
        const answer = (): void => {
          if (reading === undefined) return;
          line.wasRead(reading.items, reading.isCut);
          reading = undefined;
        };
        const act: Readonly<Record<string, () => void>> = {
          publish() {
            const isNext = line.isAtEnd();
            if (!isNext) line.hasNews();
            const [place, before] = put();
            if (isNext) untold.push(() => line.wasStored({ place }, before));
          },
          move() {
            put();
            untold.push(() => line.hasNews());
          },
          undone: () => void put(true),
          read,
          answer,
          fail() {
            if (reading !== undefined) line.readFailed();
            reading = undefined;
          },
          free() {
            hand.held = 0;
          },
          told: () => untold.splice(untold.length >> 1, 1)[0]?.(),
        };
        for (const name of steps) {
          act[name]?.();
          line.handOut(1000);
          expect(hand.held).to.be.at.most(prefetch);
        }
        for (const tell of untold) tell();
        for (let left = 2 * rows.length + 2; left > 0; left--) {
          answer();
          hand.held = 0;
          line.handOut(1000);
          read();
        }
        expect(hand.got).to.deep.equal(rows);
      }),
      { numRuns: 2_000 },
    );
  });

  it('hands out in turns, and never beyond a prefetch', () => {
    const line = createLaneLine(0);
    const [first, second] = [createHand(3), createHand(1)];
    line.add(first);
    line.add(second);
    line.nextRead();
    line.wasRead(items(1, 2, 3, 4, 5, 6), false);
    line.handOut(1000);
    expect([first.got, second.got]).to.deep.equal([[1, 3, 4], [2]]);
    second.held -= 1;
    line.handOut(1000);
    expect(second.got).to.deep.equal([2, 5]);
  });

  it('puts back what is returned to its own place, in whatever order it comes', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5], { minLength: 1 }), (returned) => {
        const line = createLaneLine(0);
        const hand = createHand(5);
        line.add(hand);
        line.nextRead();
        line.wasRead(items(1, 2, 3, 4, 5, 6, 7), false);
        line.handOut(1000);
        line.remove(hand);
        for (const place of returned) line.putBack({ place });
        const next = createHand(10);
        line.add(next);
        line.handOut(1000);
        expect(next.got).to.deep.equal([...returned.toSorted((a, b) => a - b), 6, 7]);
      }),
    );
  });

  it('comes to an end although a taker returns everything at once', () => {
    const line = createLaneLine<Placed>(0);
    const taken: number[] = [];
    const taker: Taker<Placed> = {
      prefetch: 2,
      held: 0,
      take(item) {
        taken.push(item.place);
        taker.held -= 1;
        line.putBack(item);
      },
    };
    line.add(taker);
    line.nextRead();
    line.wasRead(items(1, 2), false);
    line.handOut(1000);
    expect(taken).to.deep.equal([1, 1]);
  });
});
