/** Bodies of the routes that need none, so that `curl -X POST` does; what is there all the same is read, not ignored. */
import { type Bodies, requireMediaType } from './body.js';
import type { HttpContext } from './context.js';
import { type ParsedJson, parseJson } from './json.js';
import { Rejection } from './problem.js';

/** Of a body that has nothing to say. */
const MOST_BYTES = 1024;

/** @param use  is given the body, or undefined where there is none */
export async function withBody(
  { req, res }: HttpContext,
  bodies: Bodies,
  maxBytes: number,
  use: (body: ParsedJson | undefined) => Promise<void> | void,
): Promise<void> {
  const bytes = await bodies.read(req, res, maxBytes);
  try {
    if (bytes.length === 0) return await use(undefined);
    requireMediaType(req, ['application/json']);
    await use(parseJson(bytes));
  } finally {
    bodies.release(bytes);
  }
}

/** Takes no body, or an empty object. */
export function withoutBody(context: HttpContext, bodies: Bodies): Promise<void> {
  return withBody(context, bodies, MOST_BYTES, (body) => refuseFields(body, []));
}

/** @throws Rejection  it is no object, or has other fields */
export function refuseFields(body: ParsedJson | undefined, known: readonly string[]): void {
  if (body === undefined) return;
  const { value } = body;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Rejection('invalid_request', 'the body must be a JSON object, or be left out');
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown === undefined) return;
  const listed = known.length === 0 ? 'this route takes none' : `known are ${known.join(', ')}`;
  throw new Rejection('invalid_job', `unknown field '${unknown.slice(0, 64)}', ${listed}`);
}
