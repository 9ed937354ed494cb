/** Looks that are dear. */
import { expect } from 'chai';
import { createSpacedLook } from '../../src/runtime/spaced-look.js';
import { createManualClock } from '../support/manual-clock.js';

describe('a spaced look', () => {
  it('is shared while it is under way, and kept for a while', async () => {
    const { look, clock, asked } = begin();
    const [one, other] = [look.see(), look.see()];
    await asked.answer('first');
    expect(await Promise.all([one, other])).to.deep.equal(['first', 'first']);
    await clock.advance(1_999);
    expect(await look.see()).to.equal('first');
    expect(asked.times).to.equal(1);
    await clock.advance(1);
    const next = look.see();
    await asked.answer('second');
    expect(await next).to.equal('second');
  });

  it('is rarer the longer it takes', async () => {
    const { look, clock, asked } = begin();
    const slow = look.see();
    await clock.advance(1_000);
    await asked.answer('slow');
    await slow;
    await clock.advance(19_999);
    expect(await look.see()).to.equal('slow');
    await clock.advance(1);
    void look.see();
    expect(asked.times).to.equal(2);
  });

  it('is taken anew once it is forgotten, also while it is under way', async () => {
    const { look, asked } = begin();
    const before = look.see();
    look.forget();
    const after = look.see();
    expect(asked.times).to.equal(2);
    await asked.answer('before', 0);
    await asked.answer('after', 1);
    expect([await before, await after, await look.see()]).to.deep.equal(['before', 'after', 'after']);
  });

  it('that has failed is tried again by the next one to ask', async () => {
    const { look, asked } = begin();
    const failed = look.see();
    await asked.fail('away');
    expect(await reasonOf(failed)).to.equal('away');
    const next = look.see();
    await asked.answer('back');
    expect(await next).to.equal('back');
  });

  it('that has failed fails for a while where it is asked to, and never says what was seen before', async () => {
    const { look, clock, asked } = begin(15_000);
    const good = look.see();
    await asked.answer('good');
    await good;
    await clock.advance(2_000);
    const failed = look.see();
    await asked.fail('away');
    expect(await reasonOf(failed)).to.equal('away');
    await clock.advance(14_999);
    expect(await reasonOf(look.see())).to.equal('away');
    expect(asked.times).to.equal(2);
    await clock.advance(1);
    const next = look.see();
    await asked.answer('back');
    expect(await next).to.equal('back');
  });
});

function begin(failedMs?: number) {
  const clock = createManualClock();
  const looks: PromiseWithResolversOf<string>[] = [];
  const look = createSpacedLook(
    () => {
      let made: PromiseWithResolversOf<string> | undefined;
      const seen = new Promise<string>((resolve, reject) => {
        made = { resolve, reject };
      });
      if (made !== undefined) looks.push(made);
      return seen;
    },
    { clock, freshMs: 2_000, ...(failedMs === undefined ? {} : { failedMs }) },
  );
  const asked = {
    get times() {
      return looks.length;
    },
    async answer(text: string, index = looks.length - 1): Promise<void> {
      looks[index]?.resolve(text);
      await clock.advance(0);
    },
    async fail(text: string): Promise<void> {
      looks.at(-1)?.reject(new Error(text));
      await clock.advance(0);
    },
  };
  return { look, clock, asked };
}

interface PromiseWithResolversOf<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing',
    (error: Error) => error.message,
  );
}
