/** The routes of dead letters, described. */
import {
  DeadLetterPage,
  DiscardRequest,
  RedriveAccepted,
  RedriveList,
  RedriveView,
  ReplayRequest,
} from '../../api/dead-letters.js';
import { DeadLettersQuery, RedrivesQuery } from '../../api/queries.js';
import { type Operation, orderErrors, readErrors } from './operation.js';

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

const begun: Operation['answer'] = {
  status: 202,
  description: 'It has begun, or was counted.',
  schema: RedriveAccepted,
  example: started,
  headers: { Location: 'sometimes' },
};

export const deadLetterOperations: readonly Operation[] = [
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
    headers: ['traceparent'],
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
    answer: begun,
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
    answer: begun,
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
