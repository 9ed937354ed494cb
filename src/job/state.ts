/** The states of a job and the legal moves between them: the picture of design.md 1 as a table, for code and tests alike. */

export const states = [
  'scheduled',
  'queued',
  'active',
  'retrying',
  'succeeded',
  'dead',
  'cancelled',
  'discarded',
] as const;
export type State = (typeof states)[number];

/**
 * What moves a job. `due`: its time has come, or its backoff is over. `returned`: a crash, a drain or a lost connection
 * put it back. `limited`: the broker gave it up after too many lost deliveries.
 */
export const causes = [
  'due',
  'delivered',
  'succeeded',
  'failed',
  'died',
  'returned',
  'limited',
  'cancelled',
  'replayed',
  'discarded',
] as const;
export type Cause = (typeof causes)[number];

const moves: Readonly<Record<State, Readonly<Partial<Record<Cause, State>>>>> = {
  scheduled: { due: 'queued', cancelled: 'cancelled' },
  queued: { delivered: 'active', limited: 'dead', cancelled: 'cancelled' },
  active: {
    succeeded: 'succeeded',
    failed: 'retrying',
    died: 'dead',
    returned: 'queued',
    cancelled: 'cancelled',
  },
  retrying: { due: 'queued', cancelled: 'cancelled' },
  succeeded: {},
  dead: { replayed: 'queued', discarded: 'discarded' },
  cancelled: { replayed: 'queued' },
  discarded: {},
};

/** The state that `cause` leads to, or undefined where the move is not legal. */
export function nextState(from: State, cause: Cause): State | undefined {
  return moves[from][cause];
}

/** A delayed job whose time has come waits in its queue, whatever was last heard of it: nobody says so, it is seen when it is read. */
export function displayedState(
  { state, dueAtMs }: { readonly state: State; readonly dueAtMs: number },
  nowMs: number,
): State {
  return (state === 'scheduled' || state === 'retrying') && dueAtMs <= nowMs ? 'queued' : state;
}

/** Whether nothing more happens to a job in this state unless a person asks for it. */
export function hasEnded(state: State): boolean {
  return Object.keys(moves[state]).every((cause) => cause === 'replayed' || cause === 'discarded');
}
