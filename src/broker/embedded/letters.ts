/** Dead letters as columns of the file, which are not checked: whatever they say, a dead letter can be read. */
import type { Envelope } from '../../job/codec.js';
import type { Death, DeathReason, Failure } from '../../job/outcome.js';
import type { DeadLetter } from '../stock.js';

export type DeathColumns = readonly [
  queue: string,
  lane: string,
  reason: string,
  failure: string,
  atMs: number,
];

/** Kept among the headers: no table has a column for what only letters that are no jobs need. */
export const CONTENT_TYPE = 'sluice-content-type';

/** The column `failure`: beside the failure it says when the attempt began, for which the table has no column. */
export function failureText({ failure, startedAtMs }: Death): string {
  return JSON.stringify({ ...failure, ...(startedAtMs !== undefined && { startedAtMs }) });
}

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
  const { startedAtMs, ...told } = objectOf(failure) ?? {};
  const kept: Failure = { name: 'Error', message: failure, ...told };
  return {
    ...envelopeOf(row, body),
    ...contentTypeOf(row),
    queue,
    lane,
    death: {
      reason: reason as DeathReason,
      failure: kept,
      atMs,
      ...(typeof startedAtMs === 'number' && { startedAtMs }),
    },
  };
}

export function envelopeOf({ id, type, headers: text }: LetterColumns, body: Buffer): Envelope {
  const { [CONTENT_TYPE]: _, ...headers } = text === null ? {} : (objectOf(text) ?? { headers: text });
  return { messageId: id, type, headers, body };
}

function contentTypeOf({ headers }: LetterColumns): { readonly contentType?: string } {
  const contentType = headers === null ? undefined : objectOf(headers)?.[CONTENT_TYPE];
  return typeof contentType === 'string' ? { contentType } : {};
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
