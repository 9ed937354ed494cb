/** The way out: slots, outcomes, times, and the processes that do the work. */
import { pageOf } from './page.js';
import { lines, stat } from './panels.js';
import {
  countPerQueue,
  cpuOf,
  ofOurs,
  ofProcess,
  ofQueue,
  ofWorkersOnly,
  quantile,
  rate,
} from './queries.js';
import { Bytes, Count, JobsPerSecond, PercentUnit, Seconds } from './units.js';

const completed = 'sluice_jobs_completed_total';
const slotsTaken = `sum by (queue) (${ofQueue('sluice_jobs_active')}) / sum by (queue) (${ofQueue('sluice_worker_concurrency')})`;

export const workers = () =>
  pageOf({
    name: 'workers',
    title: 'Workers',
    description: 'The way out: slots, outcomes, times, and the processes that do the work.',
    rows: [
      {
        title: 'At a glance',
        panels: [
          stat({
            title: 'Completed',
            description: 'Jobs that ended, per second: succeeded, dead or cancelled.',
            unit: JobsPerSecond,
            width: 6,
            queries: [
              {
                expr: `sum(${rate(ofQueue(completed, 'outcome=~"succeeded|dead|cancelled"'))})`,
                legend: 'completed',
              },
            ],
          }),
          stat({
            title: 'Slots taken',
            description:
              'Of the fullest queue. 100 % with a backlog: concurrency is the limit; raise it (WORKER_CONCURRENCY, or `PATCH /v1/queues/:name`) as far as what the handlers call can bear.',
            unit: PercentUnit,
            width: 6,
            queries: [{ expr: `max(${slotsTaken})`, legend: 'taken' }],
          }),
          stat({
            title: 'Attempts that fail',
            description:
              'Share of attempts that were retried or ended dead. "Outcomes" shows since when, "Outcomes by type" of what.',
            unit: PercentUnit,
            width: 6,
            queries: [
              {
                expr: `sum(${rate(ofQueue(completed, 'outcome=~"retried|dead"'))}) / sum(${rate(ofQueue(completed))})`,
                legend: 'failing',
              },
            ],
            levels: [
              [null, 'green'],
              [0.01, 'orange'],
              [0.05, 'red'],
            ],
          }),
          stat({
            title: 'Worker processes',
            description: 'That are scraped. None: jobs wait, safe in the broker.',
            unit: Count,
            width: 6,
            queries: [
              {
                expr: `count(count by (job, instance) (${ofProcess('sluice_worker_concurrency')})) or vector(0)`,
                legend: 'processes',
              },
            ],
            levels: [
              [null, 'red'],
              [1, 'green'],
            ],
          }),
        ],
      },
      {
        title: 'Slots',
        panels: [
          lines({
            title: 'Handlers that run',
            description:
              'Against the concurrency that is allowed. Below it with a backlog: prefetch or the broker holds jobs back, or the queue is paused.',
            unit: Count,
            queries: [
              { expr: `sum by (queue) (${ofQueue('sluice_jobs_active')})`, legend: '{{queue}} running' },
              {
                expr: `sum by (queue) (${ofQueue('sluice_worker_concurrency')})`,
                legend: '{{queue}} allowed',
              },
            ],
          }),
          lines({
            title: 'Prefetch',
            description:
              'Deliveries that a process may have in hand. It follows the measured time of jobs; WORKER_PREFETCH fixes it.',
            unit: Count,
            queries: [{ expr: ofQueue('sluice_worker_prefetch'), legend: '{{queue}} {{instance}}' }],
          }),
          lines({
            title: 'Consumers',
            description:
              'Of each queue, over its lanes, as the broker counts them. 0: nobody works on it, see WORKER_QUEUES, or it is paused.',
            unit: Count,
            queries: [{ expr: countPerQueue('sluice_queue_consumers'), legend: '{{queue}}' }],
          }),
          lines({
            title: 'Delayed jobs',
            description:
              'Jobs that wait for their time or for their next attempt. A hill after failures is the backoff at work.',
            unit: Count,
            queries: [{ expr: countPerQueue('sluice_jobs_delayed'), legend: '{{queue}}' }],
          }),
        ],
      },
      {
        title: 'Outcomes',
        panels: [
          lines({
            title: 'Outcomes',
            description:
              'Attempts that were settled. Retried ones come back after a backoff; dead ones stay until they are replayed or discarded (`npx sluice dead`).',
            unit: JobsPerSecond,
            isStacked: true,
            queries: [{ expr: `sum by (outcome) (${rate(ofQueue(completed))})`, legend: '{{outcome}}' }],
          }),
          lines({
            title: 'Outcomes by type',
            description:
              'Which handlers fail. One type alone: its handler, or what it calls. All at once: the network or the machine.',
            unit: JobsPerSecond,
            queries: [
              {
                expr: `sum by (type, outcome) (${rate(ofQueue(completed))})`,
                legend: '{{type}} {{outcome}}',
              },
            ],
          }),
          lines({
            title: 'How long handlers run',
            description:
              '99 of 100, by type, and the mean. Near JOB_TIMEOUT_MS: attempts are cut off and tried again.',
            unit: Seconds,
            queries: [
              {
                expr: quantile(0.99, ofQueue('sluice_job_duration_seconds_bucket'), ['type']),
                legend: '{{type}} 99 of 100',
              },
              {
                expr: `sum by (type) (${rate(ofQueue('sluice_job_duration_seconds_sum'))}) / sum by (type) (${rate(ofQueue('sluice_job_duration_seconds_count'))})`,
                legend: '{{type}} mean',
              },
            ],
          }),
          lines({
            title: 'Delivered again',
            description:
              'Deliveries that had been handed out before and not settled: after a crash, a deploy or a lost connection. Steady: something keeps ending, see "Restarts"; a job that kills its process is set aside after three times.',
            unit: JobsPerSecond,
            queries: [
              {
                expr: `sum by (queue) (${rate(ofQueue('sluice_jobs_redelivered_total'))})`,
                legend: '{{queue}}',
              },
            ],
          }),
        ],
      },
      {
        title: 'Processes',
        panels: [
          lines({
            title: 'CPU',
            description:
              'Of one core, of every process of Sluice. A worker at 1 starves its handlers and its heartbeat: start another `work`.',
            unit: PercentUnit,
            queries: [{ expr: cpuOf(), legend: '{{job}} {{instance}}' }],
            levels: [
              [null, 'green'],
              [0.9, 'red'],
            ],
          }),
          lines({
            title: 'Event-loop delay',
            description:
              'Of workers: 99 of 100 turns of the loop are at most so late. High: a handler computes in the loop; its neighbours wait.',
            unit: Seconds,
            queries: [
              { expr: ofOurs('nodejs_eventloop_lag_p99_seconds', ofWorkersOnly), legend: '{{instance}}' },
            ],
          }),
          lines({
            title: 'Memory',
            description: 'Resident, of workers: handlers included.',
            unit: Bytes,
            queries: [
              { expr: ofOurs('process_resident_memory_bytes', ofWorkersOnly), legend: '{{instance}}' },
            ],
          }),
          lines({
            title: 'Heap in use',
            description: 'Of every process of Sluice. A line that only climbs ends in a restart.',
            unit: Bytes,
            queries: [{ expr: ofOurs('nodejs_heap_size_used_bytes'), legend: '{{job}} {{instance}}' }],
          }),
          lines({
            title: 'Restarts',
            description:
              'Starts within the last quarter of an hour. More than 3: a loop; its log says why it ends. Jobs that it held are delivered again.',
            unit: Count,
            queries: [
              {
                expr: `changes(${ofProcess('process_start_time_seconds')}[15m]) and on (job, instance) max_over_time(sluice_broker_up[15m])`,
                legend: '{{job}} {{instance}}',
              },
            ],
            levels: [
              [null, 'green'],
              [3, 'red'],
            ],
          }),
          lines({
            title: 'Events spooled',
            description:
              'Events on the disk of their process, because the broker takes no publishes. They are sent once it does; until then keep DATA_DIR.',
            unit: Count,
            queries: [{ expr: ofProcess('sluice_events_spooled'), legend: '{{job}} {{instance}}' }],
            levels: [
              [null, 'green'],
              [1, 'orange'],
            ],
          }),
        ],
      },
    ],
  });
