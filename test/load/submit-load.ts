/** The load of the benches of ingestion: jobs one by one, over as many connections as wanted, and what they cost the program. */
import { job } from './bench-plan.js';
import { type LoadResult, runLoad } from './http-load.js';
import type { Sample } from './report.js';
import { startMeter } from './usage.js';

export const CONNECTIONS = 64;

export interface Submitting {
  /** For the error. */
  readonly name: string;
  /** Where the server is; several share the connections. */
  readonly url: string | readonly string[];
  readonly seconds: number;
  /** Default 64. */
  readonly connections?: number;
  /** Sent in turns; default: the usual job. */
  readonly bodies?: readonly string[];
  /** Process ids of those whose usage is measured; without it all Node programs that this process has started. */
  readonly programs?: readonly number[];
}

const usual = [JSON.stringify(job)];

/** Of several servers the percentiles are those of the slowest. @throws Error  a request has failed */
export async function submitFor(submitting: Submitting): Promise<Sample> {
  const { name, url, seconds, connections = CONNECTIONS, bodies = usual, programs } = submitting;
  const urls = [url].flat();
  const load = { bodies, seconds, connections: Math.ceil(connections / urls.length) };
  const meter = startMeter(programs);
  const results = await Promise.all(urls.map((one) => runLoad({ ...load, url: `${one}/v1/jobs` })));
  const of = (pick: (result: LoadResult) => number): number[] => results.map(pick);
  const answers = sum(of((result) => result.answers));
  const usage = meter(answers);
  const faults = sum(of((result) => result.faults));
  if (faults > 0) throw new Error(`${name}: ${faults} requests of ${connections} connections failed`);
  return {
    perSecond: sum(of(({ perSecond }) => perSecond)),
    p50Ms: Math.max(...of(({ p50Ms }) => p50Ms)),
    p99Ms: Math.max(...of(({ p99Ms }) => p99Ms)),
    p999Ms: Math.max(...of(({ p999Ms }) => p999Ms)),
    answers,
    faults,
    usage,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
