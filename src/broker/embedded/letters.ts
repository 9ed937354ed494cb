/** Dead letters as columns of the file, which are not checked: whatever they say, a dead letter can be read. */
import type { Envelope } from '../../job/codec.js';
import type { DeathReason, Failure } from '../../job/outcome.js';
import type { DeadLetter } from '../stock.js';
import type { DeathColumns } from './stock-operations.js';

interface LetterColumns {
  readonly id: string;
  readonly type: string;
  readonly headers: string | null;
}

export function letterOf(
  row: LetterColumns,
  [queue, lane, reason, failure, atMs]: DeathColumns,
  body: Buffer,
): DeadLetter {
  const kept: Failure = { name: 'Error', message: failure, ...objectOf(failure) };
  return {
    ...envelopeOf(row, body),
    queue,
    lane,
    death: { reason: reason as DeathReason, failure: kept, atMs },
  };
}

export function envelopeOf({ id, type, headers }: LetterColumns, body: Buffer): Envelope {
  return { messageId: id, type, headers: headers === null ? {} : (objectOf(headers) ?? { headers }), body };
}

/** The object in a JSON text, or undefined when there is none. */
function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
