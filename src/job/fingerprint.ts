/** The error fingerprint of a dead job: failures of one cause get one, however their ids, numbers and quotes differ. */
import { createHash } from 'node:crypto';
import { failureLimits } from './failure.js';
import type { Failure } from './outcome.js';

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
/** An apostrophe inside a word (`can't`) quotes nothing. */
const quoted = /"[^"]*"|`[^`]*`|“[^”]*”|«[^»]*»|(?<![A-Za-z0-9])'[^']*'(?![A-Za-z0-9])/g;
const word = /[A-Za-z0-9]+/g;
const hex = /^[0-9a-f]{8,}$/i;
/** What is left of dates, addresses, versions, decimals and signs. */
const blurs = /-?#(?:[-.,:/]+#)*/g;

/** 16 hex digits: of the job's type and the error's name, code and blurred message; its stack changes with every release. */
export function fingerprintOf(type: string, failure: Failure): string {
  // Messages of ours are no longer; those of another program could keep the recorder busy.
  const message = blurred(failure.message.slice(0, failureLimits.message));
  const parts = [type, failure.name, failure.code ?? null, message];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** A word with a digit in it is an id or a number; so is a long word that is all hex. */
function blurred(message: string): string {
  return message
    .replace(quoted, '#')
    .replace(uuid, '#')
    .replace(word, (found) => (/\d/.test(found) || hex.test(found) ? '#' : found))
    .replace(blurs, '#');
}
