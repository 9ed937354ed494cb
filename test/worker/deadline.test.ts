import { expect } from 'chai';
import { Cancelled, RetryLater } from '../../src/job/errors.js';
import {
  type Course,
  type CourseLimits,
  type Ended,
  runWithDeadline,
  ShuttingDown,
  TimedOut,
  waitAtMost,
} from '../../src/worker/deadline.js';
import { createManualClock, turns } from '../support/manual-clock.js';

/** A course whose watcher is told by promises, and complains when it is told twice. */
function watched(work: (course: Course) => unknown, limits: CourseLimits) {
  const told: string[] = [];
  let isEnded: (how: Ended) => void = () => {};
  let isReleased: (how: 'ended' | 'ignored') => void = () => {};
  const ended = new Promise<Ended>((resolve) => {
    isEnded = resolve;
  });
  const released = new Promise<'ended' | 'ignored'>((resolve) => {
    isReleased = resolve;
  });
  const tell = (what: 'ended' | 'released', how: string): void => {
    if (told.some((line) => line.startsWith(what))) throw new Error(`told twice that it ${what}`);
    told.push(`${what}: ${how}`);
  };
  const course = runWithDeadline(work, limits, {
    ended(how) {
      tell('ended', how.kind);
      isEnded(how);
    },
    released(how) {
      tell('released', how);
      isReleased(how);
    },
  });
  return {
    told,
    ended,
    released,
    abort: () => course.abort(),
    cancel: () => course.cancel(),
  };
}

function setup() {
  const clock = createManualClock();
  let resolve: (value?: unknown) => void = () => {};
  let reject: (thrown: unknown) => void = () => {};
  let signal = new AbortController().signal;
  const course = watched(
    (given) => {
      signal = given.signal;
      return new Promise((yes, no) => {
        resolve = yes;
        reject = no;
      });
    },
    { clock, timeoutMs: 1000, graceMs: 50 },
  );
  return { clock, course, signal, resolve, reject, told: course.told };
}

describe('a course under a deadline', () => {
  it('ends with the value of the work, and leaves no timer behind', async () => {
    const { clock, course, resolve, signal } = setup();
    resolve('value');
    expect(await course.ended).to.deep.equal({ kind: 'returned', value: 'value' });
    expect(await course.released).to.equal('ended');
    expect(signal.aborted).to.equal(false);
    expect(clock.waiting).to.equal(0);
  });

  it('ends with what the work rejected with', async () => {
    const { course, reject } = setup();
    reject(undefined);
    expect(await course.ended).to.deep.equal({ kind: 'thrown', thrown: undefined });
  });

  it('ends with what the work threw before it was a promise', async () => {
    const thrown = new Error('at once');
    const course = watched(
      () => {
        throw thrown;
      },
      { clock: createManualClock(), timeoutMs: 1, graceMs: 1 },
    );
    expect(await course.ended).to.deep.equal({ kind: 'thrown', thrown });
  });

  it('ends with what a hostile thenable throws', async () => {
    const thenable = Object.defineProperty({}, 'then', {
      get() {
        throw new Error('no then');
      },
    });
    const course = watched(() => thenable, { clock: createManualClock(), timeoutMs: 1, graceMs: 1 });
    expect(await course.ended).to.have.property('kind', 'thrown');
  });

  it('times out at its deadline with the signal aborted, and not before', async () => {
    const { clock, course, signal, told } = setup();
    await clock.advance(999);
    expect(told).to.deep.equal([]);
    await clock.advance(1);
    const ended = await course.ended;
    expect(ended).to.have.property('thrown').that.is.instanceOf(TimedOut);
    expect(signal.reason).to.be.instanceOf(TimedOut);
  });

  it('shows an aborted signal also to work that asks for it only afterwards', async () => {
    const clock = createManualClock();
    let ask: () => AbortSignal = () => new AbortController().signal;
    watched(
      (course) => {
        ask = () => course.signal;
        return new Promise(() => {});
      },
      { clock, timeoutMs: 10, graceMs: 1 },
    );
    await clock.advance(10);
    expect(ask().reason).to.be.instanceOf(TimedOut);
    expect(ask()).to.equal(ask());
  });

  it('stays timed out when the work answers its signal with a result', async () => {
    const { clock, course, resolve, signal, told } = setup();
    signal.addEventListener('abort', () => resolve('too late'));
    await clock.advance(1000);
    expect(await course.ended).to.have.property('kind', 'thrown');
    expect(await course.released).to.equal('ended');
    expect(told).to.deep.equal(['ended: thrown', 'released: ended']);
  });

  it('gives the slot back when the work ends within the grace, and keeps it until then', async () => {
    const { clock, course, reject, told } = setup();
    await clock.advance(1049);
    expect(told).to.deep.equal(['ended: thrown']);
    reject(new Error('late'));
    expect(await course.released).to.equal('ended');
    expect(clock.waiting).to.equal(0);
  });

  it('gives the slot back after the grace when the work ignores its signal, and catches its late end', async () => {
    const { clock, course, reject } = setup();
    await clock.advance(1050);
    expect(await course.released).to.equal('ignored');
    reject(new Error('very late, and no unhandled rejection'));
    await turns();
  });

  it('counts the result of work that is aborted and still comes to one', async () => {
    const { course, resolve, signal } = setup();
    course.abort();
    expect(signal.reason).to.be.instanceOf(ShuttingDown);
    resolve('just in time');
    expect(await course.ended).to.deep.equal({ kind: 'returned', value: 'just in time' });
  });

  it('is aborted, whatever aborted work throws', async () => {
    const { course, reject } = setup();
    course.abort();
    reject(new RetryLater(5));
    expect(await course.ended).to.deep.equal({ kind: 'aborted' });
  });

  it('is aborted after the grace when the work ignores the abort', async () => {
    const { clock, course, told } = setup();
    course.abort();
    await clock.advance(49);
    expect(told).to.deep.equal([]);
    await clock.advance(1);
    expect(await course.ended).to.deep.equal({ kind: 'aborted' });
    expect(await course.released).to.equal('ignored');
  });

  it('counts the result of work that is cancelled and still comes to one', async () => {
    const { course, resolve, signal } = setup();
    course.cancel();
    expect(signal.reason).to.be.instanceOf(Cancelled);
    resolve('just in time');
    expect(await course.ended).to.deep.equal({ kind: 'returned', value: 'just in time' });
  });

  it('is cancelled, whatever cancelled work throws, also when it is aborted afterwards', async () => {
    const { course, reject, signal } = setup();
    course.cancel();
    course.abort();
    reject(new RetryLater(5));
    expect(await course.ended).to.deep.equal({ kind: 'cancelled' });
    expect(signal.reason).to.be.instanceOf(Cancelled);
  });

  it('is cancelled after the grace when the work ignores it, its deadline or not', async () => {
    const { clock, course } = setup();
    await clock.advance(999);
    course.cancel();
    await clock.advance(50);
    expect(await course.ended).to.deep.equal({ kind: 'cancelled' });
    expect(await course.released).to.equal('ignored');
    expect(clock.waiting).to.equal(0);
  });

  it('stays as it ended when aborted afterwards or twice', async () => {
    const { clock, course, signal } = setup();
    await clock.advance(1000);
    course.abort();
    course.abort();
    expect(await course.ended).to.have.property('kind', 'thrown');
    expect(signal.reason).to.be.instanceOf(TimedOut);
  });
});

describe('a wait of at most so long', () => {
  it('is over with what it waits for, and leaves no timer behind', async () => {
    const clock = createManualClock();
    expect(await waitAtMost(clock, 100, Promise.resolve())).to.equal(true);
    expect(clock.waiting).to.equal(0);
  });

  it('is over when the time is', async () => {
    const clock = createManualClock();
    const wait = waitAtMost(clock, 100, new Promise(() => {}));
    await clock.advance(100);
    expect(await wait).to.equal(false);
  });
});
