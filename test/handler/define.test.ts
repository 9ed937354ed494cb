import { expect } from 'chai';
import {
  type AnyHandler,
  DeadLetter,
  defineHandler,
  type Handler,
  RetryLater,
  Type,
} from '../../src/handler/define.js';
import { Invalid } from '../../src/job/errors.js';

/** True only when the two types are the same; a compile-time assertion. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isTrue = <T extends true>(): T | undefined => undefined;

interface Mail {
  readonly to: string;
}

const typed = defineHandler({
  type: 'typed',
  payload: Type.Object({ to: Type.String(), copies: Type.Optional(Type.Integer()) }),
  run(job) {
    isTrue<Same<typeof job.payload.to, string>>();
    isTrue<Same<typeof job.payload.copies, number | undefined>>();
    // @ts-expect-error the schema knows no such property
    void job.payload.cc;
    // @ts-expect-error a job is an immutable snapshot
    job.attempt = 2;
    return { sent: true };
  },
});
isTrue<Same<typeof typed, Handler<{ to: string; copies?: number }, { sent: boolean }, 'typed'>>>();

const byHand = defineHandler<Mail>({
  type: 'by-hand',
  payload: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
  run: async (job) => {
    isTrue<Same<typeof job.payload, Mail>>();
    return job.payload.to;
  },
});
isTrue<Same<typeof byHand, Handler<Mail, unknown>>>();

defineHandler({
  type: 'in-place',
  payload: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
  run: (job) => {
    isTrue<Same<typeof job.payload.to, string>>();
  },
});

const mixed: readonly AnyHandler[] = [
  typed,
  byHand,
  defineHandler({ type: 'any', payload: {}, run: () => undefined }),
];

// @ts-expect-error run is missing
expect(() => defineHandler({ type: 'lame', payload: {} })).to.throw(Invalid);
// @ts-expect-error queue is a string
expect(() => defineHandler({ type: 'lame', payload: {}, queue: 5, run: () => 1 })).to.throw(Invalid);
// @ts-expect-error subscribes comes with a later issue
expect(() => defineHandler({ type: 'lame', payload: {}, subscribes: ['a'], run: () => 1 })).to.throw(Invalid);
// @ts-expect-error a handler of mails is not a handler of numbers
const wrong: Handler<number, unknown> = byHand;

describe('defineHandler', () => {
  const good = { type: 'mail.send', payload: {}, run: () => 'done' };
  const faultOf = (handler: unknown): string => {
    try {
      defineHandler(handler as AnyHandler);
    } catch (error) {
      expect(error).to.be.instanceOf(Invalid).with.property('code', 'invalid_handler');
      return (error as Invalid).message;
    }
    return 'accepted';
  };

  it('takes handlers of different payloads into one list', () => {
    expect(mixed.map((handler) => handler.type)).to.deep.equal(['typed', 'by-hand', 'any']);
    expect(wrong.type).to.equal('by-hand');
  });

  it('returns a frozen copy, so that nothing changes a handler after it was checked', () => {
    const handler = defineHandler(good);
    expect(handler).to.not.equal(good);
    expect(handler).to.be.frozen;
  });

  it('keeps a run that is a method of a class, and its this', () => {
    class Greeter {
      readonly type = 'greet';
      readonly payload = {};
      static word = 'hello';
      run(): string {
        return `${Greeter.word} from ${this.type}`;
      }
    }
    const handler = defineHandler(new Greeter());
    expect(handler.run(undefined as never, undefined as never)).to.equal('hello from greet');
  });

  it('accepts every setting at its bounds', () => {
    for (const settings of [
      { maxAttempts: 1, timeoutMs: 1, backoff: { baseMs: 1, maxMs: 1 }, queue: 'a' },
      { maxAttempts: 1000, timeoutMs: 86_400_000, backoff: { baseMs: 1, maxMs: 9e9 }, queue: 'a_b-9' },
      { queue: undefined, maxAttempts: undefined, timeoutMs: undefined, backoff: undefined },
    ]) {
      expect(faultOf({ ...good, ...settings })).to.equal('accepted');
    }
  });

  const faults: readonly [title: string, handler: unknown, said: RegExp][] = [
    ['undefined', undefined, /a handler: must be an object/],
    ['null', null, /must be an object/],
    ['an array', [good], /must be an object/],
    ['a function', good.run, /must be an object/],
    [
      'an unknown key',
      { ...good, subscribes: ['a'] },
      /"mail\.send": unknown key 'subscribes', known are type, queue/,
    ],
    ['no type', { ...good, type: undefined }, /type must be a string/],
    ['a type that is a number', { ...good, type: 5 }, /type must be a string/],
    ['a type with a space', { ...good, type: 'a b' }, /type must be a string that matches/],
    ['a queue with a dot', { ...good, queue: 'a.b' }, /queue must be a string that matches/],
    ['a queue that is a number', { ...good, queue: 5 }, /queue must be a string/],
    ['no payload schema', { ...good, payload: undefined }, /payload must be a JSON Schema/],
    ['an array for a schema', { ...good, payload: [] }, /payload must be a JSON Schema/],
    ['no run', { ...good, run: undefined }, /run must be a function/],
    ['no attempt at all', { ...good, maxAttempts: 0 }, /maxAttempts must be a whole number from 1 to 1000/],
    ['half an attempt', { ...good, maxAttempts: 1.5 }, /maxAttempts/],
    ['a timeout as text', { ...good, timeoutMs: '10' }, /timeoutMs must be a whole number/],
    ['a timeout beyond a day', { ...good, timeoutMs: 86_400_001 }, /timeoutMs/],
    ['null for a backoff', { ...good, backoff: null }, /backoff must be/],
    ['a backoff upside down', { ...good, backoff: { baseMs: 2, maxMs: 1 } }, /backoff must be/],
    ['a backoff with a typo', { ...good, backoff: { baseMs: 2, maxMs: 3, max: 4 } }, /backoff must be/],
  ];
  for (const [title, handler, said] of faults) {
    it(`refuses ${title}`, () => {
      expect(faultOf(handler)).to.match(said);
    });
  }

  it('names every fault at once', () => {
    expect(faultOf({ type: '', queue: 'A', run: 1 })).to.match(
      /type must.*queue must.*payload must.*run must/,
    );
  });

  it('brings what a handler throws', () => {
    expect(new RetryLater(5)).to.have.property('delayMs', 5);
    expect(new DeadLetter('no')).to.have.property('message', 'no');
  });
});
