import { expect } from 'chai';
import { createPending, MOST_EVENTS, MOST_PENDING } from '../../src/events/pending.js';
import { accepted, newId, progressed, retried, started, succeeded } from './support/events.js';

const id = newId();
const waiter = { resolve: () => undefined, reject: () => undefined };

describe('what waits for the next batch', () => {
  it('gives each event once', () => {
    const pending = createPending();
    pending.add(accepted(id));
    expect(pending.take(false).events).to.deep.equal([accepted(id)]);
    expect(pending.take(false).events).to.deep.equal([]);
  });

  it('leaves out the begin of an attempt whose end is in the batch', () => {
    const pending = createPending();
    for (const event of [started(id), started(newId()), succeeded(id), retried()]) pending.add(event);
    expect(pending.take(false).events.map(({ kind }) => kind)).to.have.members([
      'started',
      'succeeded',
      'retried',
    ]);
  });

  it('keeps the begin of the attempt after a retry', () => {
    const pending = createPending();
    for (const event of [started(id), retried(id), started(id, 2)]) pending.add(event);
    expect(pending.take(false).events).to.have.deep.members([retried(id), started(id, 2)]);
  });

  it('keeps the begin of a job whose acceptance is in the batch', () => {
    const pending = createPending();
    for (const event of [accepted(id), started(id)]) pending.add(event);
    expect(pending.take(false).events).to.have.lengthOf(2);
  });

  it('keeps the newest progress of a job alone', () => {
    const pending = createPending();
    for (const event of [progressed(id, 1), progressed(id, 2), progressed(newId(), 1)]) pending.add(event);
    expect(pending.take(false).events).to.have.lengthOf(2).and.to.deep.include(progressed(id, 2));
  });

  it('bounds a batch in events, and gives the rest with the next', () => {
    const pending = createPending();
    for (let n = 0; n < MOST_EVENTS + 5; n++) pending.add(succeeded(id), waiter);
    const { events, waiters } = pending.take(false);
    expect([events.length, waiters.length, pending.size]).to.deep.equal([MOST_EVENTS, MOST_EVENTS, 5]);
    expect(pending.take(false).waiters).to.have.lengthOf(5);
  });

  it('bounds a batch in characters, and gives a single event of any size', () => {
    const pending = createPending();
    for (let n = 0; n < 3; n++) pending.add(succeeded(id, 'x'.repeat(800_000)));
    expect(pending.take(false).events).to.have.lengthOf(1);
    pending.take(false);
    pending.add(succeeded(id, 'x'.repeat(5_000_000)));
    expect(pending.take(false).events).to.have.lengthOf(1);
  });

  it('keeps back what may be lost where only the rest is asked for', () => {
    const pending = createPending();
    for (const event of [started(), accepted(), progressed(), succeeded()]) pending.add(event);
    expect(pending.take(true).events.map(({ kind }) => kind)).to.deep.equal(['accepted', 'succeeded']);
    expect(pending.size).to.equal(2);
  });

  it('leaves out the begin of an attempt whose end waits, however many wait before it', () => {
    const pending = createPending();
    for (let n = 0; n < MOST_EVENTS; n++) pending.add(accepted(id));
    for (const event of [started(id), succeeded(id)]) pending.add(event);
    pending.take(false);
    expect(pending.take(false).events).to.deep.equal([succeeded(id)]);
  });

  it('drops the oldest begin where too much waits', () => {
    const pending = createPending();
    const oldest = started();
    pending.add(oldest);
    for (let n = 1; n < MOST_PENDING; n++) pending.add({ ...oldest, id: `${n}` });
    expect([pending.size, pending.dropped]).to.deep.equal([MOST_PENDING, 0]);
    pending.add(progressed(id));
    expect([pending.size, pending.dropped]).to.deep.equal([MOST_PENDING, 1]);
    expect(pending.take(false).events[0]).to.include({ id: '1' });
  });

  it('drops nothing that must arrive', () => {
    const pending = createPending();
    for (let n = 0; n <= MOST_PENDING; n++) pending.add(accepted(id), waiter);
    pending.add(started());
    expect([pending.size, pending.dropped]).to.deep.equal([MOST_PENDING + 1, 1]);
  });
});
