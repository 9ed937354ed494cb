/** Private Prometheus servers for tests: own port, own folder; gone when the test run is gone. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { stringify } from 'yaml';
import { freePort } from './free-port.js';
import { createGuard } from './guard.js';

const run = promisify(execFile);

export interface PrometheusServer {
  /** The value that each series of an expression has now. @throws Error  what Prometheus finds wrong with it */
  query(expr: string): Promise<readonly Sample[]>;
  /** Alerts that are pending or firing. */
  alerts(): Promise<readonly Alert[]>;
  /** Resolves when it has scraped its targets once more: all that a wait needs, as it scrapes each second. */
  scraped(): Promise<void>;
  /** Kills it and deletes its data. */
  remove(): Promise<void>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** What prometheus.yaml may hold, as far as tests read or change it. */
export interface PrometheusConfig {
  readonly global?: Readonly<Record<string, string>>;
  readonly rule_files?: readonly string[];
  readonly scrape_configs: readonly ScrapeConfig[];
}

export interface ScrapeConfig {
  readonly job_name: string;
  readonly static_configs?: readonly { readonly targets: readonly string[] }[];
  readonly [option: string]: unknown;
}

/** Whether there is a Prometheus with its promtool on the PATH. */
export function hasPrometheus(): boolean {
  return ['prometheus', 'promtool'].every((command) => spawnSync(command, ['--version']).error === undefined);
}

/** @returns what it printed, and whether it was content */
export async function promtool(
  ...args: string[]
): Promise<{ readonly isGood: boolean; readonly output: string }> {
  try {
    const { stdout, stderr } = await run('promtool', args);
    return { isGood: true, output: stdout + stderr };
  } catch (error) {
    const {
      code,
      stdout = '',
      stderr = '',
    } = error as NodeJS.ErrnoException & {
      stdout?: string;
      stderr?: string;
    };
    if (typeof code !== 'number') throw error;
    return { isGood: false, output: stdout + stderr };
  }
}

/**
 * Resolves when it answers. It scrapes and evaluates each second, whatever `config` says.
 * @param files  name to text, put beside the configuration: rules
 */
export async function startPrometheus(
  config: PrometheusConfig,
  files: Readonly<Record<string, string>> = {},
): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
  const guard = createGuard(folder);
  const pulse = await startPulse();
  const global = { ...config.global, scrape_interval: '1s', evaluation_interval: '1s', scrape_timeout: '1s' };
  const jobs = [
    ...config.scrape_configs,
    { job_name: 'pulse', static_configs: [{ targets: [pulse.target] }] },
  ];
  const written = { ...files, 'prometheus.yaml': stringify({ ...config, global, scrape_configs: jobs }) };
  for (const [name, text] of Object.entries(written)) await writeFile(join(folder, name), text);
  const address = `127.0.0.1:${await freePort()}`;

  const server = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (server.pid !== undefined) guard.watch([server.pid]);
  const remove = async (): Promise<void> => {
    await guard.release();
    await pulse.close();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      let printed = '';
      const fail = (cause?: unknown): void =>
        reject(new Error(`Prometheus did not start:\n${printed}`, { cause }));
      server.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        printed += chunk;
        if (printed.includes('Server is ready to receive web requests')) resolve();
      });
      server.once('error', fail);
      server.once('close', () => fail());
    });
  } catch (error) {
    await remove();
    throw error;
  }
  server.stderr.removeAllListeners('data').resume(); // a full pipe would stop it
  (server.stderr as Socket).unref();
  server.unref();

  async function ask<Data>(path: string, params: Record<string, string> = {}): Promise<Data> {
    const answer = await request(`http://${address}/api/v1/${path}?${new URLSearchParams(params)}`);
    const said = (await answer.body.json()) as { status: string; error?: string; data: Data };
    if (said.status !== 'success') throw new Error(`${params['query'] ?? path}: ${said.error}`);
    return said.data;
  }

  return {
    async query(expr) {
      const { result } = await ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
        'query',
        { query: expr },
      );
      return result.map(({ metric, value: [, value] }) => ({ labels: metric, value: numberOf(value) }));
    },
    alerts: async () => (await ask<{ alerts: readonly Alert[] }>('alerts')).alerts,
    scraped: () => pulse.next(),
    remove,
  };
}

/** A target of its own: when it is scraped, the others are, too. */
async function startPulse(): Promise<{ target: string; next(): Promise<void>; close(): Promise<void> }> {
  let waiting: (() => void)[] = [];
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4').end('pulse 1\n');
    for (const resolve of waiting) resolve();
    waiting = [];
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}
