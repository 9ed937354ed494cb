/** A job as columns, and back: the codec of messages, with the headers as JSON text. */
import { decode, encodeHeaders } from '../../job/codec.js';
import { Undecodable } from '../../job/errors.js';
import type { Job, Lane } from '../../job/job.js';
import type { Row, Stored } from './operations.js';

export function storedOf(job: Job): Stored {
  const headers = encodeHeaders(job);
  return [job.id, job.type, headers === undefined ? null : JSON.stringify(headers)];
}

/** @throws Undecodable */
export function jobOf(row: Row, body: Buffer, queue: string, lane: Lane): Job {
  const [, messageId, type, headers] = row;
  return decode(
    { messageId, type, headers: headers === null ? noHeaders : parse(headers), body },
    queue,
    lane,
  );
}

const noHeaders = {};

function parse(headers: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(headers);
  } catch (cause) {
    throw new Undecodable('the headers are not JSON', { cause });
  }
}
