/** A closed loop of POSTs over keep-alive connections: wrk where it is installed, else a loop of our own on undici. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'hdr-histogram-js';
import { Pool } from 'undici';

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Answers that were counted. */
  readonly answers: number;
  /** Answers other than 2xx, and connections that failed. */
  readonly faults: number;
}

export interface Load {
  readonly url: string;
  /** Sent in turns. */
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
}

export const generator: 'wrk' | 'undici' =
  spawnSync('wrk', ['--version']).error === undefined ? 'wrk' : 'undici';

export function runLoad(load: Load): Promise<LoadResult> {
  return generator === 'wrk' ? runWrk(load) : runUndici(load);
}

async function runWrk({ url, bodies, connections, seconds }: Load): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-wrk-'));
  try {
    const script = join(folder, 'post.lua');
    await writeFile(script, [...headOfScript, bodyOfScript(bodies), tellOfTail].join('\n'));
    const length = ['-d', `${seconds}s`, '--timeout', `${PATIENCE_S}s`];
    const args = ['-t', '1', '-c', String(connections), ...length, '--latency', '-s', script, url];
    return parseWrk((await promisify(execFile)('wrk', args)).stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** An answer that comes late is no fault, and the percentiles have it; wrk's 2 s would make one of each pause of a shared machine. */
const PATIENCE_S = 10;

const headOfScript = ['wrk.method = "POST"', 'wrk.headers["content-type"] = "application/json"'];

/** A request that is always the same is made once and for all; to choose one costs wrk a call of Lua. */
function bodyOfScript(bodies: readonly string[]): string {
  const [first = '', ...more] = bodies.map((body) => `[==[${body}]==]`);
  if (more.length === 0) return `wrk.body = ${first}`;
  return `local requests, turn = {}, 0
init = function()
  for at, body in ipairs({ ${[first, ...more].join(', ')} }) do requests[at] = wrk.format(nil, nil, nil, body) end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end`;
}

/** The report itself ends with the 99th percentile; here it is in us. */
const tellOfTail =
  'done = function(_, latency) print(string.format("  99.9%% %.0fus", latency:percentile(99.9))) end\n';

/** @param report  what `wrk --latency` prints, and the script above */
export function parseWrk(report: string): LoadResult {
  const find = (pattern: RegExp): string => {
    const found = pattern.exec(report)?.[1];
    if (found === undefined) throw new Error(`wrk printed no ${pattern}:\n${report}`);
    return found;
  };
  const faults = [
    ...report.matchAll(/Non-2xx or 3xx responses: (\d+)|(?:connect|read|write|timeout) (\d+)/g),
  ];
  return {
    perSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    p50Ms: toMs(find(/50%\s+([\d.]+\w+)/)),
    p99Ms: toMs(find(/99%\s+([\d.]+\w+)/)),
    p999Ms: toMs(find(/99\.9%\s+([\d.]+\w+)/)),
    answers: Number(find(/(\d+) requests in/)),
    faults: faults.reduce((sum, [, answers, sockets]) => sum + Number(answers ?? sockets), 0),
  };
}

const unitMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function toMs(text: string): number {
  const [, number, unit = ''] = /^([\d.]+)(\w+)$/.exec(text) ?? [];
  return Number(number) * (unitMs[unit] ?? Number.NaN);
}

async function runUndici({ url, bodies, connections, seconds }: Load): Promise<LoadResult> {
  const { origin, pathname: path } = new URL(url);
  const pool = new Pool(origin, { connections });
  const latencies = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
  });
  const startMs = performance.now();
  const untilMs = startMs + seconds * 1000;
  let answers = 0;
  let faults = 0;
  let turn = 0;
  const connection = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const sentMs = performance.now();
      try {
        turn = (turn + 1) % bodies.length;
        const response = await pool.request({
          method: 'POST',
          path,
          body: bodies[turn] ?? null,
          headers: { 'content-type': 'application/json' },
        });
        await response.body.dump();
        latencies.recordValue(Math.max(1, Math.round((performance.now() - sentMs) * 1000)));
        if (response.statusCode >= 300) faults += 1;
        answers += 1;
      } catch {
        faults += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  const elapsedMs = performance.now() - startMs;
  await pool.close();
  const atMs = (percentile: number): number => latencies.getValueAtPercentile(percentile) / 1000;
  return {
    perSecond: (answers * 1000) / elapsedMs,
    p50Ms: atMs(50),
    p99Ms: atMs(99),
    p999Ms: atMs(99.9),
    answers,
    faults,
  };
}
