/** The routes of jobs, described. */
import {
  Accepted,
  BatchAnswer,
  BatchItem,
  BatchRefusal,
  CancelAnswer,
  JobAnswer,
  JobPage,
  JobRequest,
  Problem,
  ReplayAnswer,
  ReplayRequest,
} from '../../api/contract.js';
import { JobQuery, JobsQuery } from '../../api/queries.js';
import { type Operation, orderErrors, readErrors } from './operation.js';
import { KnownJob } from './schemas.js';

const id = '01989f0e-6f3a-7c52-9d0b-3f1d2c4b5a69';
const links = { self: `/v1/jobs/${id}`, cancel: `/v1/jobs/${id}/cancel` };
const accepted = {
  id,
  type: 'echo',
  queue: 'default',
  state: 'queued',
  acceptedAt: '2026-11-21T10:00:00.000Z',
  durability: 'quorum',
  links,
};

/** Each is sent as it stands by a test. */
const requests = {
  echo: { summary: 'The least', value: { type: 'echo', payload: { hello: 'world' } } },
  later: {
    summary: 'In a minute, ahead of others, three times at most',
    value: { type: 'sleep', payload: { ms: 100 }, delayMs: 60_000, priority: 'high', maxAttempts: 3 },
  },
  push: {
    summary: 'A call of your endpoint',
    value: {
      type: 'http.push',
      payload: { url: 'https://example.com/hooks/orders', body: { order: 4711 }, timeoutMs: 10_000 },
    },
  },
};
const items = [
  { type: 'echo', payload: 1, idempotencyKey: 'order-4711' },
  { type: 'echo', payload: 2, priority: 'low' },
];

const submissionErrors = [
  ...orderErrors,
  'unknown_job_type',
  'unknown_queue',
  'invalid_payload',
  'idempotency_conflict',
  'queue_full',
  'broker_unavailable',
] as const;

export const jobOperations: readonly Operation[] = [
  {
    id: 'submitJob',
    method: 'post',
    path: '/v1/jobs',
    tag: 'Jobs',
    summary: 'Submit a job',
    description: 'Answered after the broker has confirmed the job, never before.',
    scope: 'submit',
    headers: ['Idempotency-Key', 'traceparent', 'tracestate'],
    body: {
      isRequired: true,
      content: { 'application/json': { schema: { allOf: [JobRequest, KnownJob] }, examples: requests } },
    },
    answer: {
      status: 202,
      description: 'The broker has the job; `durability` says how safely.',
      schema: Accepted,
      example: accepted,
      headers: { Location: 'always', 'Idempotency-Replayed': 'sometimes' },
    },
    errors: submissionErrors,
  },
  {
    id: 'submitBatch',
    method: 'post',
    path: '/v1/jobs/batch',
    tag: 'Jobs',
    summary: 'Submit many jobs',
    description:
      'A JSON array, or NDJSON, which is published while it streams in. Each item stands for itself; the answer comes after the last confirm. Instead of the header, items have their own `idempotencyKey`.',
    scope: 'submit',
    headers: ['traceparent', 'tracestate'],
    body: {
      isRequired: true,
      content: {
        'application/json': {
          schema: { type: 'array', items: { allOf: [BatchItem, KnownJob] } },
          examples: { two: { summary: 'Two jobs', value: items } },
        },
        'application/x-ndjson': {
          schema: { type: 'string', description: 'A `BatchItem` on each line.' },
          examples: {
            two: {
              summary: 'Two jobs',
              value: items.map((item) => `${JSON.stringify(item)}\n`).join(''),
            },
          },
        },
      },
    },
    answer: {
      status: 202,
      description: 'Some or all items were accepted; `errors` tells of the others.',
      schema: BatchAnswer,
      example: {
        accepted: 1,
        rejected: 1,
        ids: [id, null],
        errors: [
          { index: 1, code: 'unknown_job_type', detail: "there is no job type 'ecko'; known are echo" },
        ],
      },
    },
    errors: submissionErrors.filter((code) => code !== 'queue_full'),
    // A request that was not read is refused with a problem alone.
    refusals: { 422: BatchRefusal, 503: { anyOf: [BatchRefusal, Problem] } },
  },
  {
    id: 'listJobs',
    method: 'get',
    path: '/v1/jobs',
    tag: 'Jobs',
    summary: 'List jobs, newest first',
    scope: 'read',
    query: JobsQuery,
    answer: { status: 200, description: 'A page.', schema: JobPage },
    errors: readErrors,
  },
  {
    id: 'getJob',
    method: 'get',
    path: '/v1/jobs/{id}',
    tag: 'Jobs',
    summary: 'Look at a job',
    description: 'With `?wait=30` answered as soon as the job has ended, or after so many seconds.',
    scope: 'read',
    query: JobQuery,
    answer: {
      status: 200,
      description: 'The job as it stands; what it does not have is left out.',
      schema: JobAnswer,
      example: {
        ...{ id, type: 'echo', queue: 'default', priority: 'normal', state: 'succeeded', run: 1, attempt: 1 },
        acceptedAt: '2026-11-21T10:00:00.000Z',
        dueAt: '2026-11-21T10:00:00.000Z',
        startedAt: '2026-11-21T10:00:00.012Z',
        finishedAt: '2026-11-21T10:00:00.013Z',
        recorded: true,
        attempts: [],
        result: { hello: 'world' },
      },
    },
    errors: [...readErrors, 'not_found', 'overloaded'],
  },
  {
    id: 'cancelJob',
    method: 'post',
    path: '/v1/jobs/{id}/cancel',
    tag: 'Jobs',
    summary: 'Cancel a job',
    description:
      'From now on the job must not run, and if it runs its `AbortSignal` fires; it is `cancelled` when its worker says so.',
    scope: 'operate',
    answer: { status: 202, description: 'The order holds.', schema: CancelAnswer },
    errors: [...orderErrors, 'not_found', 'conflict'],
  },
  {
    id: 'replayJob',
    method: 'post',
    path: '/v1/jobs/{id}/replay',
    tag: 'Jobs',
    summary: 'Replay a dead or cancelled job',
    description:
      'It begins its next run, due now; with a payload of its own or with the one given here. A replay begins once, however many ask for it at once.',
    scope: 'operate',
    headers: ['traceparent', 'tracestate'],
    body: {
      isRequired: false,
      content: {
        'application/json': {
          schema: ReplayRequest,
          examples: { mended: { summary: 'With a mended payload', value: { payload: { ms: 10 } } } },
        },
      },
    },
    answer: {
      status: 202,
      description: 'The broker has the new run.',
      schema: ReplayAnswer,
      example: { id, type: 'echo', queue: 'default', state: 'queued', run: 2, durability: 'quorum', links },
      headers: { Location: 'always' },
    },
    errors: [
      ...orderErrors,
      'not_found',
      'conflict',
      'unknown_job_type',
      'unknown_queue',
      'invalid_payload',
      'queue_full',
      'broker_unavailable',
    ],
  },
];
