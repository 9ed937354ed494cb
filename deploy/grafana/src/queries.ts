/**
 * PromQL of the dashboards, with their variables in place. Counts of broker and store are told by every `serve`, the same by each, and
 * so are taken by max() and never by instance; the rest belongs to the process that tells it.
 */

/** What `serve` and `start` tell and no other, also while broker and store are away. */
export const ofIngestionOnly = 'sluice_jobs_refused_total';
/** What only a process with workers tells. */
export const ofWorkersOnly = 'sluice_worker_concurrency';

/** Series of one process. */
export function ofProcess(metric: string, ...matchers: readonly string[]): string {
  return selector(metric, ['instance=~"$instance"', ...matchers]);
}

/** Series of one process about one queue. */
export function ofQueue(metric: string, ...matchers: readonly string[]): string {
  return selector(metric, ['queue=~"$queue"', 'instance=~"$instance"', ...matchers]);
}

/** A count that every `serve` tells of each queue: one value per queue. */
export function countPerQueue(metric: string): string {
  return `max by (queue) (${metric}{queue=~"$queue"})`;
}

/** Jobs that wait in the lanes of a queue: one value per queue. */
export const depthPerQueue = 'sum by (queue) (max by (queue, lane) (sluice_queue_depth{queue=~"$queue"}))';

/** Series of one node of the broker. */
export function ofNode(metric: string, ...matchers: readonly string[]): string {
  return selector(metric, ['instance=~"$node"', ...matchers]);
}

/** Series about queues of the broker; `names` is a regular expression for what follows the prefix. */
export function ofBrokerQueue(metric: string, names: string): string {
  return `rabbitmq_detailed_queue_${metric}{queue=~"$prefix\\\\.${names}"}`;
}

/** Per second, over a window that suits the scrape interval and the width of the panel. */
export function rate(series: string): string {
  return `rate(${series}[$__rate_interval])`;
}

/** Over the time that is shown. */
export function increase(series: string): string {
  return `increase(${series}[$__range])`;
}

/** A quantile of a histogram, one value for each combination of the labels `by`. */
export function quantile(share: number, buckets: string, by: readonly string[] = []): string {
  return `histogram_quantile(${share}, sum by (${['le', ...by].join(', ')}) (${rate(buckets)}))`;
}

/** What Node tells of processes is told by others, too: only of ours, and with `role` only of those that have this series. */
export function ofOurs(metric: string, role = 'sluice_broker_up'): string {
  return `${ofProcess(metric)} and on (job, instance) ${role}`;
}

export const cpuOf = (role?: string): string =>
  `${rate(ofProcess('process_cpu_seconds_total'))} and on (job, instance) ${role ?? 'sluice_broker_up'}`;

function selector(metric: string, matchers: readonly string[]): string {
  return `${metric}{${matchers.join(',')}}`;
}
