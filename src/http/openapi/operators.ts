/** The routes of operators, described: dead letters, queues, the audit. */
import { AuditReport } from '../../api/audit.js';
import {
  DeadLetterPage,
  DiscardRequest,
  RedriveAccepted,
  RedriveList,
  RedriveView,
  ReplayRequest,
} from '../../api/dead-letters.js';
import { DeadLettersQuery, RedrivesQuery } from '../../api/queries.js';
import { QueueChange, QueueList, QueueOrdered, QueueView } from '../../api/queues.js';
import { anyErrors, bodyErrors, type Operation } from './operation.js';

const redriveId = '5b0f3f0e-2f0c-4d53-9c51-0a6d3d1c9e77';
const group = 'e5b5d3c98118b640';
const started = {
  id: redriveId,
  matched: 42,
  links: {
    self: `/v1/dead-letters/replays/${redriveId}`,
    stop: `/v1/dead-letters/replays/${redriveId}/stop`,
  },
};

const readErrors = [...anyErrors, 'store_unavailable'] as const;
const orderErrors = [...anyErrors, ...bodyErrors, 'store_unavailable'] as const;

const deadLetters: readonly Operation[] = [
  {
    id: 'listDeadLetters',
    method: 'get',
    path: '/v1/dead-letters',
    tag: 'Dead letters',
    summary: 'List dead jobs, and group them by error',
    scope: 'read',
    query: DeadLettersQuery,
    answer: { status: 200, description: 'The groups, and a page of jobs.', schema: DeadLetterPage },
    errors: readErrors,
  },
  {
    id: 'replayDeadLetters',
    method: 'post',
    path: '/v1/dead-letters/replay',
    tag: 'Dead letters',
    summary: 'Replay many',
    description:
      'Carried out by the recorder at the rate given, also after a restart; halts by itself when failures come back.',
    scope: 'operate',
    body: {
      isRequired: true,
      content: {
        'application/json': {
          schema: ReplayRequest,
          examples: {
            group: { summary: 'All of one error', value: { filter: { group }, ratePerSecond: 20 } },
            count: { summary: 'Only count', value: { filter: { type: 'http.push' }, dryRun: true } },
          },
        },
      },
    },
    answer: {
      status: 202,
      description: 'It has begun, or was counted.',
      schema: RedriveAccepted,
      example: started,
      headers: { Location: 'sometimes' },
    },
    errors: orderErrors,
  },
  {
    id: 'discardDeadLetters',
    method: 'post',
    path: '/v1/dead-letters/discard',
    tag: 'Dead letters',
    summary: 'Discard many',
    scope: 'operate',
    body: {
      isRequired: true,
      content: {
        'application/json': {
          schema: DiscardRequest,
          examples: {
            old: {
              summary: 'Of one type, died before a moment',
              value: { filter: { type: 'http.push', before: '2026-11-01T00:00:00Z' } },
            },
          },
        },
      },
    },
    answer: {
      status: 202,
      description: 'It has begun, or was counted.',
      schema: RedriveAccepted,
      example: started,
      headers: { Location: 'sometimes' },
    },
    errors: orderErrors,
  },
  {
    id: 'listRedrives',
    method: 'get',
    path: '/v1/dead-letters/replays',
    tag: 'Dead letters',
    summary: 'List replays and discards of many',
    scope: 'read',
    query: RedrivesQuery,
    answer: { status: 200, description: 'Newest first.', schema: RedriveList },
    errors: readErrors,
  },
  {
    id: 'getRedrive',
    method: 'get',
    path: '/v1/dead-letters/replays/{id}',
    tag: 'Dead letters',
    summary: 'Look at a replay or discard of many',
    scope: 'read',
    answer: { status: 200, description: 'How far it is.', schema: RedriveView },
    errors: [...readErrors, 'not_found'],
  },
  {
    id: 'stopRedrive',
    method: 'post',
    path: '/v1/dead-letters/replays/{id}/stop',
    tag: 'Dead letters',
    summary: 'Stop a replay or discard of many',
    scope: 'operate',
    answer: { status: 202, description: 'It is stopped.', schema: RedriveView },
    errors: [...orderErrors, 'not_found', 'conflict'],
  },
];

const queueOrders = (['pause', 'resume', 'purge'] as const).map((verb): Operation => {
  return {
    id: `${verb}Queue`,
    method: 'post',
    path: `/v1/queues/{name}/${verb}`,
    tag: 'Queues',
    summary: { pause: 'Pause a queue', resume: 'Resume a queue', purge: 'Purge a queue' }[verb],
    description: {
      pause:
        'Workers finish what runs and take nothing more, until the queue is resumed; also after restarts.',
      resume: 'Workers take jobs again.',
      purge: 'All that is due by now is cancelled instead of run, by the workers, as they come to it.',
    }[verb],
    scope: 'operate',
    answer: {
      status: 202,
      description: 'The order is kept, and all workers are told.',
      schema: QueueOrdered,
    },
    errors: [...orderErrors, 'not_found'],
  };
});

const queues: readonly Operation[] = [
  {
    id: 'listQueues',
    method: 'get',
    path: '/v1/queues',
    tag: 'Queues',
    summary: 'List queues',
    scope: 'read',
    answer: { status: 200, description: 'Counts of at most a few seconds ago.', schema: QueueList },
    errors: [...readErrors, 'broker_unavailable'],
  },
  {
    id: 'getQueue',
    method: 'get',
    path: '/v1/queues/{name}',
    tag: 'Queues',
    summary: 'Look at a queue',
    description: 'Depth per lane, rates, and the forecast: when the backlog is gone.',
    scope: 'read',
    answer: { status: 200, description: 'Counts of at most a few seconds ago.', schema: QueueView },
    errors: [...readErrors, 'not_found', 'broker_unavailable'],
  },
  {
    id: 'changeQueue',
    method: 'patch',
    path: '/v1/queues/{name}',
    tag: 'Queues',
    summary: 'Change the concurrency of a queue',
    scope: 'operate',
    body: {
      isRequired: true,
      content: {
        'application/json': {
          schema: QueueChange,
          examples: {
            forty: { summary: 'Forty at a time in every worker', value: { concurrency: 40 } },
            back: { summary: "Back to the workers' setting", value: { concurrency: null } },
          },
        },
      },
    },
    answer: {
      status: 202,
      description: 'The order is kept, and all workers are told.',
      schema: QueueOrdered,
    },
    errors: [...orderErrors, 'not_found'],
  },
  ...queueOrders,
];

const audit: Operation = {
  id: 'getAudit',
  method: 'get',
  path: '/v1/audit',
  tag: 'Audit',
  summary: 'Is anything lost?',
  description: 'Whether every job that was accepted can be accounted for, as numbers.',
  scope: 'read',
  answer: { status: 200, description: 'One look at store and broker.', schema: AuditReport },
  errors: readErrors,
};

export const operatorOperations = [...deadLetters, ...queues, audit];
