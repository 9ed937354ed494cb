/** The load of the benches of ingestion: jobs one by one, over as many connections as wanted, and what they cost the program. */
import { job } from './bench-plan.js';
import { runLoad } from './http-load.js';
import type { Sample } from './report.js';
import { startMeter } from './usage.js';

export const CONNECTIONS = 64;

export interface Submitting {
  /** For the error. */
  readonly name: string;
  /** Where the server is. */
  readonly url: string;
  readonly seconds: number;
  /** Default 64. */
  readonly connections?: number;
  /** Process ids of those whose usage is measured; without it all Node programs that this process has started. */
  readonly programs?: readonly number[];
}

/** @throws Error  a request has failed */
export async function submitFor({
  name,
  url,
  seconds,
  connections = CONNECTIONS,
  programs,
}: Submitting): Promise<Sample> {
  const meter = startMeter(programs);
  const result = await runLoad({ url: `${url}/v1/jobs`, body: JSON.stringify(job), connections, seconds });
  const usage = meter(result.answers);
  if (result.faults > 0)
    throw new Error(`${name}: ${result.faults} requests of ${connections} connections failed`);
  return { ...result, usage };
}
