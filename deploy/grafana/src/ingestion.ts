/** The way in: requests, what is accepted and refused, and the broker's confirm that each 202 waits for. */
import { pageOf } from './page.js';
import { lines, stat } from './panels.js';
import { cpuOf, ofIngestionOnly, ofOurs, ofProcess, ofQueue, quantile, rate } from './queries.js';
import { Bytes, Count, JobsPerSecond, PercentUnit, RequestsPerSecond, Seconds } from './units.js';

const requests = 'sluice_http_requests_total';

export const ingestion = () =>
  pageOf({
    name: 'ingestion',
    title: 'Ingestion',
    description:
      'The way in: requests, what is accepted and refused, and the confirm that each 202 waits for.',
    rows: [
      {
        title: 'At a glance',
        panels: [
          stat({
            title: 'Accepted',
            description: 'Jobs confirmed by the broker, per second.',
            unit: JobsPerSecond,
            width: 6,
            queries: [{ expr: `sum(${rate(ofQueue('sluice_jobs_accepted_total'))})`, legend: 'accepted' }],
          }),
          stat({
            title: 'Answers of 5xx',
            description:
              'Share of all answers. A 503 says that nothing was accepted (or that the outcome is unknown), and clients should try again after Retry-After. "What is refused" tells the reason.',
            unit: PercentUnit,
            width: 6,
            queries: [
              {
                expr: `(sum(${rate(ofProcess(requests, 'status=~"5.."'))}) or vector(0)) / sum(${rate(ofProcess(requests))})`,
                legend: '5xx',
              },
            ],
            levels: [
              [null, 'green'],
              [0.001, 'orange'],
              [0.01, 'red'],
            ],
          }),
          stat({
            title: 'Slow answers',
            description:
              '99 of 100 requests are answered within this time. Those with ?wait= are meant to be slow.',
            unit: Seconds,
            width: 6,
            queries: [
              {
                expr: quantile(0.99, ofProcess('sluice_http_request_duration_seconds_bucket')),
                legend: 'p99',
              },
            ],
            levels: [
              [null, 'green'],
              [0.5, 'orange'],
              [2, 'red'],
            ],
          }),
          stat({
            title: 'Slow confirms',
            description:
              '99 of 100 publishes are confirmed by the broker within this time. Every 202 waits for it.',
            unit: Seconds,
            width: 6,
            queries: [
              { expr: quantile(0.99, ofProcess('sluice_publish_confirm_seconds_bucket')), legend: 'p99' },
            ],
            levels: [
              [null, 'green'],
              [0.25, 'orange'],
              [1, 'red'],
            ],
          }),
        ],
      },
      {
        title: 'Requests',
        panels: [
          lines({
            title: 'Requests by route',
            description: 'Which routes are called. `unmatched` requests knock at doors that do not exist.',
            unit: RequestsPerSecond,
            queries: [
              {
                expr: `sum by (method, route) (${rate(ofProcess(requests))})`,
                legend: '{{method}} {{route}}',
              },
            ],
          }),
          lines({
            title: 'Answers by status',
            description:
              '202: accepted and durable. 499: the client left before its answer, perhaps because its own time limit is shorter than ours.',
            unit: RequestsPerSecond,
            isStacked: true,
            queries: [{ expr: `sum by (status) (${rate(ofProcess(requests))})`, legend: '{{status}}' }],
          }),
          lines({
            title: 'Time to answer',
            description:
              'From the headers of a request to its answer. Compare with "Time to confirm": what is on top is ours.',
            unit: Seconds,
            queries: [0.5, 0.9, 0.99].map((share) => ({
              expr: quantile(share, ofProcess('sluice_http_request_duration_seconds_bucket')),
              legend: `${share * 100} of 100`,
            })),
          }),
          lines({
            title: 'Time to confirm',
            description:
              "From writing a job to the broker's confirm. Slow: the disk of a broker node, or a quorum that has lost its nearest member; see the dashboard Broker.",
            unit: Seconds,
            queries: [0.5, 0.9, 0.99].map((share) => ({
              expr: quantile(share, ofProcess('sluice_publish_confirm_seconds_bucket')),
              legend: `${share * 100} of 100`,
            })),
            levels: [
              [null, 'green'],
              [1, 'red'],
            ],
          }),
        ],
      },
      {
        title: 'Jobs',
        panels: [
          lines({
            title: 'Accepted by queue and lane',
            description: 'Where the burst goes. Much in high: then high is no priority any more.',
            unit: JobsPerSecond,
            isStacked: true,
            queries: [
              {
                expr: `sum by (queue, lane) (${rate(ofQueue('sluice_jobs_accepted_total'))})`,
                legend: '{{queue}} {{lane}}',
              },
            ],
          }),
          lines({
            title: 'Accepted by type',
            description: 'What the burst is made of.',
            unit: JobsPerSecond,
            isStacked: true,
            queries: [
              { expr: `sum by (type) (${rate(ofQueue('sluice_jobs_accepted_total'))})`, legend: '{{type}}' },
            ],
          }),
          lines({
            title: 'What is refused',
            description:
              'By error code. invalid_payload and its kin: a client is wrong. overloaded: PUBLISH_WINDOW is full, the broker is slower than the burst. broker_unavailable: down or blocked. store_unavailable: requests with an Idempotency-Key only.',
            unit: JobsPerSecond,
            queries: [
              { expr: `sum by (code) (${rate(ofProcess('sluice_jobs_refused_total'))})`, legend: '{{code}}' },
            ],
          }),
          lines({
            title: 'Unconfirmed publishes',
            description:
              'Publishes that wait for their confirm. At PUBLISH_WINDOW requests are refused with 503 overloaded: the burst is more than the broker takes.',
            unit: Count,
            queries: [{ expr: ofProcess('sluice_publish_unconfirmed'), legend: '{{instance}}' }],
          }),
        ],
      },
      {
        title: 'Processes',
        panels: [
          lines({
            title: 'CPU',
            description: 'Of one core: at 1 a process can do no more. Start another `serve`.',
            unit: PercentUnit,
            width: 8,
            queries: [{ expr: cpuOf(ofIngestionOnly), legend: '{{instance}}' }],
            levels: [
              [null, 'green'],
              [0.9, 'red'],
            ],
          }),
          lines({
            title: 'Event-loop delay',
            description:
              '99 of 100 turns of the loop are at most so late (a timer of 10 ms included). High with low CPU: the machine is too busy.',
            unit: Seconds,
            width: 8,
            queries: [
              { expr: ofOurs('nodejs_eventloop_lag_p99_seconds', ofIngestionOnly), legend: '{{instance}}' },
            ],
          }),
          lines({
            title: 'Memory',
            description: 'Resident. It is bounded by design; steady growth is a fault worth a report.',
            unit: Bytes,
            width: 8,
            queries: [
              { expr: ofOurs('process_resident_memory_bytes', ofIngestionOnly), legend: '{{instance}}' },
            ],
          }),
        ],
      },
    ],
  });
