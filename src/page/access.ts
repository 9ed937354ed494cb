/** What the key of this tab may do. */
import { SluiceHttpError } from '../client/errors.js';
import { createCell } from './cell.js';
import { client, isSilence, keyWanted } from './server.js';

export interface Access {
  /** The page was let in. */
  readonly mayRead: boolean;
  /** Pause, cancel, replay, discard: their controls are shown to nobody else. */
  readonly mayOperate: boolean;
}

const AGAIN_MS = 2_000;

export const access = createCell<Access>({ mayRead: false, mayOperate: false });

/**
 * Asks until there is an answer to go by. No route tells the scopes of a key, and none is needed: a scope is asked for before anything
 * else, so an order about a job that cannot exist is 403 without `operate` and 404 with it.
 */
export async function findAccess(): Promise<void> {
  try {
    if (await isForbidden(client.queues.list())) {
      keyWanted.set('This key may not look at anything: the page needs one with the scope read.');
      return;
    }
    if (keyWanted.get() !== undefined) return;
    const mayOperate = !(await isForbidden(client.cancel('none')));
    if (keyWanted.get() === undefined) access.set({ mayRead: true, mayOperate });
  } catch (error) {
    if (!isSilence(error)) throw error;
    setTimeout(() => void findAccess(), AGAIN_MS);
  }
}

/** @throws SluiceConnectionError */
async function isForbidden(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked;
    return false;
  } catch (error) {
    if (isSilence(error) || !(error instanceof SluiceHttpError)) throw error;
    return error.status === 403;
  }
}
