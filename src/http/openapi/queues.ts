/** The routes of queues, described. */
import { QueueChange, QueueList, QueueOrdered, QueueView } from '../../api/queues.js';
import { type Operation, orderErrors, readErrors } from './operation.js';

const orders = (['pause', 'resume', 'purge'] as const).map((verb): Operation => {
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

export const queueOperations: readonly Operation[] = [
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
  ...orders,
];
