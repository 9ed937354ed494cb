/** Queues: how they stand, and orders that hold for all workers at once, and after restarts. */
import type { QueueList, QueueOrdered, QueueView } from '../api/queues.js';
import type { CallOptions, Requests } from './requests.js';

export interface Queues {
  list(options?: CallOptions): Promise<readonly QueueView[]>;
  get(name: string, options?: CallOptions): Promise<QueueView>;
  /** Workers finish what they run, and take nothing more from it. */
  pause(name: string, options?: CallOptions): Promise<QueueOrdered>;
  resume(name: string, options?: CallOptions): Promise<QueueOrdered>;
  /** All that is due by now is cancelled instead of run, by the workers, as they come to it. */
  purge(name: string, options?: CallOptions): Promise<QueueOrdered>;
  /** Jobs that each worker runs at the same time; null goes back to the workers' own setting. */
  setConcurrency(name: string, concurrency: number | null, options?: CallOptions): Promise<QueueOrdered>;
}

export function createQueues({ ask }: Requests): Queues {
  const pathOf = (name: string): string => `/v1/queues/${encodeURIComponent(name)}`;
  // A purge that is sent again would reach what has become due since.
  const order = (name: string, kind: 'pause' | 'resume' | 'purge', options?: CallOptions) =>
    ask<QueueOrdered>({
      ...options,
      method: 'POST',
      path: `${pathOf(name)}/${kind}`,
      repeat: kind === 'purge' ? 'if-refused' : 'always',
    });
  return {
    list: async (options) =>
      (await ask<QueueList>({ ...options, method: 'GET', path: '/v1/queues', repeat: 'always' })).queues,
    get: (name, options) =>
      ask<QueueView>({ ...options, method: 'GET', path: pathOf(name), repeat: 'always' }),
    pause: (name, options) => order(name, 'pause', options),
    resume: (name, options) => order(name, 'resume', options),
    purge: (name, options) => order(name, 'purge', options),
    setConcurrency: (name, concurrency, options) =>
      ask<QueueOrdered>({
        ...options,
        method: 'PATCH',
        path: pathOf(name),
        body: { type: 'application/json', content: JSON.stringify({ concurrency }) },
        repeat: 'always',
      }),
  };
}
