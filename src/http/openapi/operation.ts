/** How a route is described here, and what OpenAPI makes of it. */
import { STATUS_CODES } from 'node:http';
import type { TObject } from 'typebox';
import type { Scope } from '../../api/constants.js';
import { type ErrorCode, errorStatus, idempotencyKeyPattern, Problem } from '../../api/contract.js';
import { meanings } from './codes.js';

/** A part of an OpenAPI document. */
export type Part = Readonly<Record<string, unknown>>;
/** A schema in its place: the name of one that has a name, else itself. */
export type Refer = (schema: object) => Part;

export interface Operation {
  /** The name of the call in a generated client. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'patch';
  /** With parameters in braces. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Absent: open without a key. */
  readonly scope?: Scope;
  readonly query?: TObject;
  /** Names in `components.parameters`. */
  readonly headers?: readonly (keyof typeof requestHeaders)[];
  readonly body?: Body;
  readonly answer: Answer;
  /** All it can be refused with; the status follows from the code. */
  readonly errors: readonly ErrorCode[];
  /** Where a refusal tells more than a problem does, by status. */
  readonly refusals?: Readonly<Record<number, object>>;
}

interface Body {
  readonly isRequired: boolean;
  /** By media type. */
  readonly content: Readonly<Record<string, Content>>;
}

interface Content {
  readonly schema: object;
  readonly examples?: Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>;
}

interface Answer {
  readonly status: 200 | 202;
  readonly description: string;
  /** `application/json` unless told otherwise. */
  readonly type?: string;
  readonly schema: object;
  readonly example?: unknown;
  /** Names in `components.headers`, and whether each answer has it. */
  readonly headers?: Readonly<Partial<Record<keyof typeof answerHeaders, 'always' | 'sometimes'>>>;
}

const text = { type: 'string' };

/** What every route with a key can answer. */
const anyErrors = [
  'invalid_request',
  'unauthorized',
  'forbidden',
  'internal_error',
  'shutting_down',
] as const;
/** What a route that asks the store can. */
export const readErrors = [...anyErrors, 'store_unavailable'] as const;
/** What reading a body adds; also where none is asked for. */
const bodyErrors = [
  'malformed_json',
  'request_timeout',
  'payload_too_large',
  'unsupported_media_type',
  'invalid_job',
  'overloaded',
] as const;
/** What a route that takes an order can. */
export const orderErrors = [...readErrors, ...bodyErrors] as const;

export const requestHeaders = {
  'Idempotency-Key': {
    description:
      'The same bytes under the same key make one job, however often they are sent. Remembered per API key for `IDEMPOTENCY_TTL_MS`. Such as `order-4711-receipt`.',
    schema: { ...text, pattern: idempotencyKeyPattern },
  },
  traceparent: {
    description: 'W3C Trace Context; travels with the job to its handler. A malformed one is ignored.',
    schema: text,
  },
  tracestate: { description: 'Goes with `traceparent`.', schema: text },
};

export const answerHeaders = {
  Location: { description: 'Where the job, replay or discard is seen.', schema: text },
  'Idempotency-Replayed': {
    description: 'Only with an `Idempotency-Key`: whether an earlier request has made the job.',
    schema: { enum: ['true', 'false'] },
  },
  'Retry-After': {
    description: 'Try again after so many seconds.',
    schema: { ...text, pattern: '^[1-9][0-9]*$' },
  },
  'X-Request-Id': {
    description: "The client's own, or a new one; the server's log has it too.",
    schema: text,
  },
  'WWW-Authenticate': { description: 'What to send (RFC 6750).', schema: text },
  ETag: {
    description: 'Send it as `If-None-Match` to be answered 304 while nothing has changed.',
    schema: text,
  },
};

const pathParameters: Readonly<Record<string, Part>> = {
  id: { description: 'A UUID.', schema: { ...text, format: 'uuid' } },
  name: { description: 'Name of a queue.', schema: text },
};

/** @param isKeyed  whether this server has keys; else all is open, and a key is not looked at */
export function operationObject(operation: Operation, refer: Refer, isKeyed: boolean): Part {
  const { id, tag, summary, description, scope, body, answer } = operation;
  const needed = scope === undefined ? '' : `Scope: \`${scope}\`.`;
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [description, needed].filter(Boolean).join('\n\n'),
    security: scope === undefined ? [] : [{ apiKey: [scope] }, ...(isKeyed ? [] : [{}])],
    parameters: parametersOf(operation, refer),
    ...(body && {
      requestBody: {
        required: body.isRequired,
        content: Object.fromEntries(
          Object.entries(body.content).map(([type, { schema, examples }]) => [
            type,
            { schema: refer(schema), ...(examples && { examples }) },
          ]),
        ),
      },
    }),
    responses: { [answer.status]: answerObject(answer, refer), ...refusalObjects(operation, refer) },
  };
}

function parametersOf({ path, query, headers = [] }: Operation, refer: Refer): Part[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => {
    return { name, in: 'path', required: true, ...pathParameters[name] };
  });
  const inQuery = Object.entries(query?.properties ?? {}).map(([name, schema]) => {
    const { description, ...rest } = schema as { description?: string };
    return { name, in: 'query', required: false, description, schema: refer(rest) };
  });
  return [...inPath, ...inQuery, ...headers.map((name) => ({ $ref: `#/components/parameters/${name}` }))];
}

function answerObject(
  { description, type = 'application/json', schema, example, headers = {} }: Answer,
  refer: Refer,
): Part {
  return {
    description,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, when]) => [name, headerObject(name, when === 'always')]),
    ),
    content: { [type]: { schema: refer(schema), ...(example !== undefined && { example }) } },
  };
}

/** By status: one problem each, with the codes it can have. */
function refusalObjects({ errors, refusals = {} }: Operation, refer: Refer): Part {
  const statuses = [...new Set<number>(errors.map((code) => errorStatus[code]))].toSorted((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const codes = errors.filter((code) => errorStatus[code] === status);
      const narrowed = { properties: { status: { const: status }, code: { enum: codes } } };
      const schema = { allOf: [refer(refusals[status] ?? Problem), narrowed] };
      const told = codes.map((code) => `\`${code}\`: ${meanings[code]}`).join('\n\n');
      return [
        status,
        {
          description: `${STATUS_CODES[status]}.\n\n${told}`,
          headers: {
            // What Node's parser gives up on never becomes a request.
            'X-Request-Id': headerObject('X-Request-Id', status !== 400 && status !== 408),
            ...(status === 401 || status === 403
              ? { 'WWW-Authenticate': headerObject('WWW-Authenticate', true) }
              : {}),
            ...(status === 429 || status === 503 ? { 'Retry-After': headerObject('Retry-After', true) } : {}),
            ...(status === 404 ? { 'Retry-After': headerObject('Retry-After', false) } : {}),
          },
          content: { 'application/problem+json': { schema } },
        },
      ];
    }),
  );
}

/** Headers are not referred to, because `required` differs. */
function headerObject(name: string, required: boolean): Part {
  return { ...answerHeaders[name as keyof typeof answerHeaders], required };
}
