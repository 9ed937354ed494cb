/** What each `code` of an error means, and what to do about it. */
import type { ErrorCode } from '../../api/contract.js';

export const meanings: Readonly<Record<ErrorCode, string>> = {
  malformed_json: 'The body is not JSON in UTF-8.',
  invalid_request:
    'The request itself is wrong: its query, its headers, its form; `detail` says what to mend.',
  unauthorized: 'No API key, or an unknown one: send `Authorization: Bearer <key>`.',
  forbidden: 'The API key lacks the scope of this route.',
  not_found:
    'There is nothing at this path, or no such job, queue, replay or discard. With `Retry-After`: the job is fresh and may not be recorded yet.',
  method_not_allowed: 'The path is there, the method is not; `Allow` lists what it takes.',
  request_timeout: 'The body did not come in time.',
  conflict: 'The state of what was asked for forbids it; `state` names it.',
  payload_too_large:
    'The body or an item (`MAX_BODY_BYTES`), or a batch (`MAX_BATCH_BYTES`, `MAX_BATCH_JOBS`) is larger than this server takes.',
  unsupported_media_type: 'Send the Content-Type that the route takes, in UTF-8, uncompressed.',
  unknown_job_type: 'No handler has this type; `detail` lists those there are.',
  unknown_queue: 'There is no such queue; `detail` lists those there are.',
  invalid_payload: 'The payload does not fit the schema of its job type; `detail` names each fault.',
  invalid_job: 'A field is unknown, missing or out of bounds; `detail` names it.',
  idempotency_conflict: 'The key was used with another body: take a new one for another job.',
  queue_full: 'The queue is at its limit; nothing was accepted. Try again after `Retry-After` seconds.',
  internal_error: "We did not foresee it; the server's log tells it under this `X-Request-Id`.",
  broker_unavailable:
    'The broker is away, and nothing was accepted; or, where `detail` says "outcome unknown" and `id` names the job, it did not answer in time.',
  store_unavailable: 'The store is away. Jobs without an idempotency key are taken all the same.',
  overloaded: 'Too much is in work here; nothing was accepted. Try again after `Retry-After` seconds.',
  shutting_down: 'This server is stopping: send the request to another, or later.',
};
