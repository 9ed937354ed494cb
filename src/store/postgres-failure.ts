/** What an error of PostgreSQL, or of the way to it, means for us. */
import { StoreRefused, StoreUnavailable } from '../job/errors.js';
import { NewerSchema } from './postgres-migrations.js';

/** 22 data exceptions, 23 constraints, 54 over a limit of the program: it is the content, and comes out the same the next time. */
const contentCodes = /^(22|23|54)/;
/** Deadlocks and serialization: it was rolled back for the sake of others, and can be run again at once. */
const againCodes = /^40(001|P01)$/;
/** Password, unknown database, missing rights: no waiting mends it. */
const settingCodes = /^(28|3D|42501)/;

/** The five characters of SQLSTATE when the server has answered, else undefined. */
export function sqlStateOf(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  const isFromServer = thrown instanceof Error && 'severity' in thrown;
  return isFromServer && typeof code === 'string' ? code : undefined;
}

export function mayRunAgain(thrown: unknown): boolean {
  return againCodes.test(sqlStateOf(thrown) ?? '');
}

export function isOfSettings(thrown: unknown): boolean {
  return settingCodes.test(sqlStateOf(thrown) ?? '');
}

/** After any other error than the server's own the connection is of no more use: an answer may still come, to another question. */
export function leavesConnectionUsable(thrown: unknown): boolean {
  const state = sqlStateOf(thrown);
  return state !== undefined && !/^(08|57P)/.test(state);
}

export function storeErrorOf(thrown: unknown, place: string): StoreUnavailable | StoreRefused {
  if (thrown instanceof StoreUnavailable || thrown instanceof StoreRefused) return thrown;
  const state = sqlStateOf(thrown);
  const detail = detailOf(thrown);
  if (state !== undefined && contentCodes.test(state))
    return new StoreRefused(`the database at ${place} does not take this (${state}: ${detail})`, {
      cause: thrown,
    });
  if (thrown instanceof NewerSchema)
    return new StoreUnavailable(`the database at ${place} cannot be used: ${detail}`, { cause: thrown });
  return new StoreUnavailable(
    `the database at ${place} ${complaintOf(state)} (${detail})${adviceOn(state)}`,
    {
      cause: thrown,
    },
  );
}

function complaintOf(state: string | undefined): string {
  if (state === undefined || /^(08|57P)/.test(state)) return 'cannot be reached';
  if (state === '53100') return 'has no space left';
  if (state === '53300') return 'has no connection left';
  if (state === '57014') return 'takes too long';
  if (state === '25006') return 'is read-only';
  return `has failed with ${state}`;
}

function adviceOn(state: string | undefined): string {
  if (state === '53100') return ': free some space on its disk';
  if (state === '53300') return ': raise its max_connections, or run fewer processes';
  if (state === '25006') return ': DATABASE_URL must lead to the primary server';
  if (state !== undefined && settingCodes.test(state))
    return ': mend DATABASE_URL, or the rights of its user, who must be allowed to create tables';
  return '';
}

/** Several addresses of one name fail as one AggregateError, whose own message is empty. */
function detailOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return detailOf(thrown.errors[0]);
  return (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0] ?? '';
}
