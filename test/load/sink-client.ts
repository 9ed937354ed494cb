/** The sink of the burst and of the kills, from the side of the run that asks it what has arrived. */
import { freePort } from '../support/free-port.js';
import type { Sluice } from '../support/sluice.js';
import type { Arrival } from './ledger.js';
import { startProgram } from './product.js';

export interface SinkProcess {
  readonly sink: Sluice;
  readonly sinkUrl: string;
  /** Distinct jobs so far. */
  count(): Promise<number>;
  readArrivals(): Promise<ReadonlyMap<string, readonly Arrival[]>>;
}

/** @param delayMs  how long it takes to answer each request */
export async function startSinkProcess(delayMs: number): Promise<SinkProcess> {
  const port = await freePort();
  const sinkUrl = `http://127.0.0.1:${port}`;
  const sink = await startProgram('sink-process.ts', {
    PORT: String(port),
    SINK_DELAY_MS: String(delayMs),
  });
  const read = async (path: string): Promise<unknown> => (await fetch(`${sinkUrl}${path}`)).json();
  return {
    sink,
    sinkUrl,
    count: async () => ((await read('/count')) as { readonly distinct: number }).distinct,
    async readArrivals() {
      const listed = (await read('/arrivals')) as [string, [number, number][]][];
      return new Map(listed.map(([id, times]) => [id, times.map(([atMs, attempt]) => ({ atMs, attempt }))]));
    },
  };
}
