/**
 * An open loop: requests leave at their times whatever became of those before, and a latency counts from the time at which its request
 * was to leave. A closed loop waits for slow answers and so leaves out what they would have cost others (coordinated omission).
 */
import { build } from 'hdr-histogram-js';
import { Pool } from 'undici';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import type { LoadResult } from './http-load.js';

export interface OpenLoad {
  readonly url: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** @param atMs  when it was to leave, in ms since the epoch */
  body(atMs: number): string;
}

const MOST_CONNECTIONS = 256;

/** Finer than `Date.now()`. In ms since the epoch. */
const now = (): number => performance.timeOrigin + performance.now();

export async function runOpenLoop({ url, perSecond, seconds, body }: OpenLoad): Promise<LoadResult> {
  const { origin, pathname: path } = new URL(url);
  const pool = new Pool(origin, { connections: MOST_CONNECTIONS });
  const latencies = createLatencies();
  const underWay = new Set<Promise<void>>();
  let answers = 0;
  let faults = 0;

  async function send(dueMs: number): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    try {
      const response = await pool.request({ method: 'POST', path, body: body(dueMs), headers });
      await response.body.dump();
      answers += 1;
      if (response.statusCode >= 300) faults += 1;
    } catch {
      faults += 1;
    }
    latencies.add(now() - dueMs);
  }

  const startMs = now();
  for (let sent = 0; sent < perSecond * seconds; sent++) {
    const dueMs = startMs + (sent * 1000) / perSecond;
    const earlyMs = dueMs - now();
    if (earlyMs > 0) await sleep(systemClock, earlyMs);
    const sending = send(dueMs).finally(() => underWay.delete(sending));
    underWay.add(sending);
  }
  await Promise.all(underWay);
  const elapsedMs = now() - startMs;
  await pool.close();
  return { perSecond: (answers * 1000) / elapsedMs, ...latencies.percentiles(), answers, faults };
}

export interface Latencies {
  add(ms: number): void;
  readonly count: number;
  percentiles(): { readonly p50Ms: number; readonly p99Ms: number; readonly p999Ms: number };
}

/** To a hundredth of a ms, up to a minute. */
export function createLatencies(): Latencies {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 6_000_000,
    numberOfSignificantValueDigits: 3,
  });
  const atMs = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 100;
  return {
    add: (ms) => histogram.recordValue(Math.max(1, Math.round(ms * 100))),
    get count() {
      return histogram.totalCount;
    },
    percentiles: () => ({ p50Ms: atMs(50), p99Ms: atMs(99), p999Ms: atMs(99.9) }),
  };
}
