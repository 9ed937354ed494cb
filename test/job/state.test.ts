import { expect } from 'chai';
import { type Cause, causes, hasEnded, nextState, type State, states } from '../../src/job/state.js';

/** The picture of design.md 1, line by line. */
const legal: readonly (readonly [State, Cause, State])[] = [
  ['scheduled', 'due', 'queued'],
  ['scheduled', 'cancelled', 'cancelled'],
  ['queued', 'delivered', 'active'],
  ['queued', 'limited', 'dead'],
  ['queued', 'cancelled', 'cancelled'],
  ['active', 'succeeded', 'succeeded'],
  ['active', 'failed', 'retrying'],
  ['active', 'died', 'dead'],
  ['active', 'returned', 'queued'],
  ['active', 'cancelled', 'cancelled'],
  ['retrying', 'due', 'queued'],
  ['retrying', 'cancelled', 'cancelled'],
  ['dead', 'replayed', 'queued'],
  ['dead', 'discarded', 'discarded'],
  ['cancelled', 'replayed', 'queued'],
];

describe('the states of a job', () => {
  for (const [from, cause, to] of legal) {
    it(`lets a ${from} job become ${to} when ${cause}`, () => {
      expect(nextState(from, cause)).to.equal(to);
    });
  }

  it('allows no other move', () => {
    const allowed = new Set(legal.map(([from, cause]) => `${from} ${cause}`));
    const others = states.flatMap((from) =>
      causes.filter((cause) => !allowed.has(`${from} ${cause}`)).map((cause) => [from, cause] as const),
    );
    expect(others).to.have.length(states.length * causes.length - legal.length);
    for (const [from, cause] of others)
      expect(nextState(from, cause), `${from} ${cause}`).to.equal(undefined);
  });

  it('reaches every state from the two a job is born in', () => {
    const reached = new Set<State>(['scheduled', 'queued']);
    for (const from of reached) {
      for (const cause of causes) {
        const to = nextState(from, cause);
        if (to !== undefined) reached.add(to);
      }
    }
    expect([...reached]).to.have.members([...states]);
  });

  it('ends a job in succeeded, dead, cancelled or discarded, and nowhere else', () => {
    expect(states.filter(hasEnded)).to.deep.equal(['succeeded', 'dead', 'cancelled', 'discarded']);
  });
});
