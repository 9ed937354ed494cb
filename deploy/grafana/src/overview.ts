/** At a glance: is anything lost, when is the backlog gone, what limits us now, what failed and why. */
import { pageOf } from './page.js';
import { bars, lines, stat, table, textFrom, texts } from './panels.js';
import {
  countPerQueue,
  cpuOf,
  depthPerQueue,
  increase,
  ofIngestionOnly,
  ofProcess,
  ofQueue,
  ofWorkersOnly,
  quantile,
  rate,
} from './queries.js';
import { Count, JobsPerSecond, PercentUnit, Seconds } from './units.js';

/** Beyond 31 years: the forecast is +Inf while a backlog does not shrink. */
const NO_END = 1e9;

const ended = 'outcome=~"succeeded|dead|cancelled"';

export const overview = () =>
  pageOf({
    name: 'overview',
    title: 'Overview',
    description: 'Peak shaving at a glance. Each panel says what to do when it is not green.',
    rows: [
      {
        title: 'Is all well?',
        panels: [
          stat({
            title: 'Unaccounted jobs',
            description:
              'Jobs that were accepted, have not ended, and are nowhere: proven losses. It must be 0. If not, `npx sluice verify` names them; see the runbook, SluiceJobsUnaccounted. "Not known" means that nobody could look: no `serve` is scraped, or the store is away.',
            unit: Count,
            queries: [{ expr: 'max(sluice_jobs_unaccounted)', legend: 'unaccounted' }],
            levels: [
              [null, 'green'],
              [1, 'red'],
            ],
          }),
          stat({
            title: 'Backlog gone in',
            description:
              'Forecast of the slowest queue, from the pace of the last minute. "No end in sight" is normal in a peak and while a queue is paused; if it stays, look at "What limits us now".',
            unit: Seconds,
            queries: [
              {
                expr: `clamp_max(max(${countPerQueue('sluice_queue_drain_seconds')}), ${NO_END})`,
                legend: '',
              },
            ],
            levels: [
              [null, 'green'],
              [600, 'orange'],
            ],
            mappings: [textFrom(NO_END, 'no end in sight', 'red')],
          }),
          stat({
            title: 'Waiting jobs',
            description:
              'Jobs in the lanes of the broker. They are durable: a large number is what Sluice is for, as long as it shrinks after the peak.',
            unit: Count,
            queries: [{ expr: `sum(${depthPerQueue})`, legend: 'waiting' }],
          }),
          stat({
            title: 'Oldest waiting job',
            description:
              'For how long the job that has waited longest has been due. If it grows while jobs are completed, a lane starves (high goes before low), or this job is held in a delay level: see the dashboard Broker.',
            unit: Seconds,
            queries: [{ expr: `max(${countPerQueue('sluice_queue_oldest_age_seconds')})`, legend: 'oldest' }],
            levels: [
              [null, 'green'],
              [600, 'orange'],
              [1800, 'red'],
            ],
          }),
          stat({
            title: 'Dead letters',
            description:
              'Jobs that no attempt could help, kept with their errors until they are replayed or discarded. `npx sluice dead` groups them by error.',
            unit: Count,
            queries: [{ expr: 'max(sluice_dead_letters)', legend: 'dead' }],
            levels: [
              [null, 'green'],
              [1, 'orange'],
            ],
          }),
          stat({
            title: 'Broker',
            description:
              'As the worst of the processes sees it. Blocked: short of memory or disk, nothing is accepted, draining goes on. Down: `serve` answers 503, `work` waits; both go on by themselves.',
            unit: Count,
            queries: [
              {
                expr: `min(${ofProcess('sluice_broker_up')} - ${ofProcess('sluice_broker_blocked')})`,
                legend: 'broker',
              },
            ],
            mappings: [
              texts({ '1': ['up', 'green'], '0': ['down or blocked', 'red'], '-1': ['down', 'red'] }),
            ],
            levels: [
              [null, 'red'],
              [1, 'green'],
            ],
          }),
        ],
      },
      {
        title: 'The peak',
        panels: [
          lines({
            title: 'Accepted against completed',
            description:
              'The burst that comes in, and the pace at which it is drained. Accepted above completed: the backlog grows. Both at 0 with a backlog: the workers stand still.',
            unit: JobsPerSecond,
            queries: [
              { expr: `sum(${rate(ofQueue('sluice_jobs_accepted_total'))})`, legend: 'accepted' },
              { expr: `sum(${rate(ofQueue('sluice_jobs_completed_total', ended))})`, legend: 'completed' },
              { expr: `sum(${rate(ofProcess('sluice_jobs_refused_total'))})`, legend: 'refused' },
            ],
          }),
          lines({
            title: 'Backlog',
            description:
              'Jobs that wait in their lanes, by queue, and those that wait for their time or their next attempt. Growing without end: give the queue more workers or concurrency (`PATCH /v1/queues/:name`).',
            unit: Count,
            isStacked: true,
            queries: [
              { expr: depthPerQueue, legend: '{{queue}} waiting' },
              { expr: countPerQueue('sluice_jobs_delayed'), legend: '{{queue}} delayed' },
            ],
          }),
          lines({
            title: 'Forecast',
            description:
              'When each backlog is gone at the pace of the last minute. A gap: it does not shrink, so there is no telling.',
            unit: Seconds,
            queries: [{ expr: `${countPerQueue('sluice_queue_drain_seconds')} < Inf`, legend: '{{queue}}' }],
          }),
          lines({
            title: 'How long jobs wait',
            description:
              'From the moment a job is due to the start of its handler, for those that begin now; and the age of the oldest that has not begun.',
            unit: Seconds,
            queries: [
              {
                expr: quantile(0.5, ofQueue('sluice_job_wait_seconds_bucket'), ['queue']),
                legend: '{{queue}} half of them',
              },
              {
                expr: quantile(0.99, ofQueue('sluice_job_wait_seconds_bucket'), ['queue']),
                legend: '{{queue}} 99 of 100',
              },
              { expr: countPerQueue('sluice_queue_oldest_age_seconds'), legend: '{{queue}} oldest' },
            ],
          }),
        ],
      },
      {
        title: 'What limits us, what failed',
        panels: [
          bars({
            title: 'What limits us now',
            description:
              'The longest bar is the narrowest place. Worker slots full and worker CPU low: raise WORKER_CONCURRENCY. Worker CPU full: start more `work`. Ingestion CPU full: start more `serve`. Recorder CPU full: start more `record`. Broker memory near 1: it will block; drain first. No bar is long: what the handlers call is slow, or the queue is paused.',
            unit: PercentUnit,
            queries: [
              {
                expr: `max(sum by (queue) (${ofQueue('sluice_jobs_active')}) / sum by (queue) (${ofQueue('sluice_worker_concurrency')}))`,
                legend: 'Worker slots of the fullest queue',
              },
              { expr: `max(${cpuOf(ofWorkersOnly)})`, legend: 'CPU of the busiest worker' },
              { expr: `max(${cpuOf(ofIngestionOnly)})`, legend: 'CPU of the busiest ingestion' },
              {
                expr: `max(${cpuOf()} unless on (job, instance) ${ofWorkersOnly} unless on (job, instance) ${ofIngestionOnly})`,
                legend: 'CPU of the busiest recorder',
              },
              {
                expr: 'max(rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes)',
                legend: 'Memory of the broker, of its limit',
              },
              { expr: `max(${ofProcess('sluice_broker_blocked')})`, legend: 'Broker blocks' },
            ],
            levels: [
              [null, 'green'],
              [0.7, 'orange'],
              [0.9, 'red'],
            ],
          }),
          table({
            title: 'What failed',
            description:
              'Attempts that did not succeed, in the time that is shown. Why: `npx sluice dead` groups the dead by error; `npx sluice job <id>` shows each attempt. Retried ones cost time, not jobs.',
            unit: Count,
            value: 'Attempts',
            queries: [
              {
                expr: `sort_desc(round(sum by (queue, type, outcome) (${increase(ofQueue('sluice_jobs_completed_total', 'outcome!="succeeded"'))})) > 0)`,
                legend: '',
              },
            ],
          }),
          table({
            title: 'What was refused',
            description:
              'Requests that were not accepted, by error code, in the time that is shown. 4xx codes are faults of clients; overloaded, queue_full and broker_unavailable are ours: see the dashboards Ingestion and Broker.',
            unit: Count,
            value: 'Refused',
            queries: [
              {
                expr: `sort_desc(round(sum by (code) (${increase(ofProcess('sluice_jobs_refused_total'))})) > 0)`,
                legend: '',
              },
            ],
          }),
          lines({
            title: 'Recorder lag',
            description:
              'Batches of events that wait for a recorder. Above 0 for long: what is shown of jobs is old; start more `record`, or look at the store.',
            unit: Count,
            queries: [{ expr: 'max(sluice_recorder_lag)', legend: 'batches' }],
          }),
          lines({
            title: 'Jobs in the store',
            description:
              'Rows, before retention takes the old ones (RETENTION_AGE_MS, RETENTION_JOBS). Growing without end: the disk of the store will fill.',
            unit: Count,
            queries: [{ expr: 'max(sluice_store_rows)', legend: 'rows' }],
          }),
        ],
      },
    ],
  });
