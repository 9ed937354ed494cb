/** What all benches are given, and the jobs they send. */
import { Pool } from 'undici';
import type { BenchBroker } from './bench-queue.js';
import type { Place } from './product.js';

export interface Plan {
  readonly rounds: number;
  /** Length of one measurement of ingestion. */
  readonly seconds: number;
  /** Jobs of one measurement of batch and of drain. */
  readonly jobs: number;
  /** The greatest backlog of scale. */
  readonly backlog: number;
  progress(text: string): void;
  /** A line to be printed below the table. */
  note(text: string): void;
}

/** Of the benches on RabbitMQ. */
export interface RabbitPlan extends Plan {
  readonly place: Place;
  readonly broker: BenchBroker;
}

/** About 200 bytes of JSON. */
export const payload = {
  to: 'someone@example.org',
  orderId: 4_711_042,
  lines: [{ sku: 'A-1', count: 2 }],
  note: 'x'.repeat(110),
};
export const job = { type: 'echo', payload };

export const BATCH = 1000;

/** A whole batch of the same job. */
export function batchOf(request: object): string {
  return JSON.stringify(Array.from({ length: BATCH }, () => request));
}

const batchBody = batchOf(job);

/** The queue in which `serve` puts the jobs of this bench. */
export function laneOf(place: Place): string {
  return `${place.prefix}.jobs.default.normal`;
}

/** Posts whole batches to `serve`, `atOnce` of them at a time. @throws Error  when not every job was accepted */
export async function sendBatches(url: string, batches: number, atOnce = 1, body = batchBody): Promise<void> {
  const pool = new Pool(url, { connections: atOnce });
  let left = batches;
  const sender = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const request = { method: 'POST', path: '/v1/jobs/batch', body } as const;
      const response = await pool.request({ ...request, headers: { 'content-type': 'application/json' } });
      const answer = (await response.body.json()) as { readonly accepted?: number };
      if (answer.accepted !== BATCH)
        throw new Error(
          `a batch was refused: ${response.statusCode} ${JSON.stringify(answer).slice(0, 500)}`,
        );
    }
  };
  await Promise.all(Array.from({ length: atOnce }, sender));
  await pool.close();
}
