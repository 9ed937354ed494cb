/** A Sluice at work beside a RabbitMQ that counts itself, and a Prometheus that scrapes all of it, as deploy/prometheus says. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { freePort } from '../../support/free-port.js';
import {
  type PrometheusConfig,
  type PrometheusServer,
  type Sample,
  type ScrapeConfig,
  startPrometheus,
} from '../../support/prometheus.js';
import { type RabbitNode, startNode } from '../../support/rabbitmq.js';
import type { Sluice } from '../../support/sluice.js';
import { openStage, type Stage } from '../../system/stage.js';
import { type Dashboard, filledIn, type Variables } from './dashboards.js';

export interface Scene {
  readonly node: RabbitNode;
  readonly stage: Stage;
  readonly prometheus: PrometheusServer;
  /**
   * Looks after each scrape until `isDone` says yes.
   * @throws Error  with what `missing` says, when `deadline` has come
   */
  until(deadline: AbortSignal, isDone: () => Promise<boolean>, missing: () => string): Promise<void>;
  close(): Promise<void>;
}

export interface SceneOptions {
  /** Text of the rules; none without. */
  readonly rules?: string;
  readonly queues?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Of the broker, see `startNode`. */
  readonly deadLetterTimeoutMs?: number;
  /** Starts processes, and tells where each is scraped. */
  readonly launch: (stage: Stage) => Promise<readonly string[]>;
}

const configUrl = new URL('../../../deploy/prometheus/prometheus.yaml', import.meta.url);

/** Resolves when each target has been scraped. */
export async function openScene(options: SceneOptions): Promise<Scene> {
  const { rules, queues = [], env = {}, deadLetterTimeoutMs, launch } = options;
  const port = await freePort();
  const node = await startNode({
    plugins: ['rabbitmq_prometheus'],
    ...(deadLetterTimeoutMs === undefined ? {} : { deadLetterTimeoutMs }),
    config: {
      'prometheus.tcp.ip': '127.0.0.1',
      'prometheus.tcp.port': String(port),
      // Else it counts every 5 s.
      collect_statistics_interval: '1000',
    },
  });
  const stage = await openStage({ url: node.url, queues, env: { QUEUES: queues.join(','), ...env } });
  const ended: (() => Promise<void>)[] = [() => node.remove(), () => stage.close()];
  const close = async (): Promise<void> => {
    for (const end of ended.toReversed()) await end();
  };
  try {
    const targets = await launch(stage);
    const config = configFor({ sluice: targets, rabbitmq: [`127.0.0.1:${port}`] }, rules !== undefined);
    const prometheus = await startPrometheus(config, rules === undefined ? {} : { 'alerts.yaml': rules });
    ended.push(() => prometheus.remove());
    // Before the first scrape everything would be a beginning, and no rise.
    const scrapedOnes = async (): Promise<number> =>
      (await prometheus.query('sum(up{job!="pulse"})'))[0]?.value ?? 0;
    while ((await scrapedOnes()) < targetsIn(config)) await prometheus.scraped();
    return { node, stage, prometheus, close, until: waiterOf(prometheus) };
  } catch (error) {
    await close();
    throw error;
  }
}

function waiterOf(prometheus: PrometheusServer): Scene['until'] {
  return async (deadline, isDone, missing) => {
    while (!(await isDone())) {
      if (deadline.aborted) throw new Error(missing());
      await prometheus.scraped();
    }
  };
}

function targetsIn({ scrape_configs }: PrometheusConfig): number {
  return scrape_configs.flatMap(({ static_configs = [] }) => static_configs.flatMap((one) => one.targets))
    .length;
}

/** The configuration as it is shipped, with these targets in place of names that only containers resolve. */
function configFor(
  targets: { readonly sluice: readonly string[]; readonly rabbitmq: readonly string[] },
  hasRules: boolean,
): PrometheusConfig {
  const shipped = parse(readFileSync(configUrl, 'utf8')) as PrometheusConfig;
  return {
    rule_files: hasRules ? ['alerts.yaml'] : [],
    scrape_configs: shipped.scrape_configs.map((config): ScrapeConfig => {
      const { dns_sd_configs: _, ...rest } = config;
      const own = config.job_name.startsWith('rabbitmq') ? targets.rabbitmq : targets.sluice;
      return { ...rest, static_configs: [{ targets: own }] };
    }),
  };
}

/** What a person would choose: all values of each variable, as the dashboard finds them. */
export async function variablesOf(
  { templating }: Dashboard,
  prometheus: PrometheusServer,
): Promise<Variables> {
  const variables: Record<string, readonly string[] | string> = { __rate_interval: '10s', __range: '2m' };
  for (const { name, type, definition = '', regex } of templating.list) {
    if (type !== 'query') continue;
    const [, series, label] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
    if (series === undefined || label === undefined)
      throw new Error(`${name} is no label_values: ${definition}`);
    const found = await prometheus.query(`count by (${label}) (${series})`);
    const pattern = regex === undefined ? undefined : new RegExp(regex.slice(1, -1));
    variables[name] = found
      .map(({ labels }) => labels[label] ?? '')
      .flatMap((value) => (pattern === undefined ? [value] : (pattern.exec(value)?.[1] ?? [])));
  }
  return variables;
}

/** The samples that a query of a panel has now, those that are a number or infinite. */
export async function shown(
  expr: string,
  variables: Variables,
  prometheus: PrometheusServer,
): Promise<readonly Sample[]> {
  const samples = await prometheus.query(filledIn(expr, variables));
  return samples.filter(({ value }) => !Number.isNaN(value));
}

/** Of the line in which a process says where its metrics are. */
export function addressOf({ stdout, stderr }: Sluice): string {
  const [address] = [...stdout, ...stderr].flatMap((line) => line.match(/http:\/\/127\.0\.0\.1:\d+/) ?? []);
  if (address === undefined) throw new Error('it has not said where it is');
  return address;
}
