/** RabbitMQ, as it counts itself (plugin rabbitmq_prometheus) and as our processes see it. */
import { pageOf } from './page.js';
import { lines, stat, texts } from './panels.js';
import { ofBrokerQueue, ofNode, ofProcess, rate } from './queries.js';
import { Bytes, Count, MessagesPerSecond, PercentUnit, Seconds } from './units.js';

/** 3.10 to 4.1 call it `…_entry_commit_latency_seconds`, later ones do not. */
const commitLatency = '{__name__=~"rabbitmq_raft_(entry_)?commit_latency_seconds", instance=~"$node"}';

const raised = [texts({ '0': ['no', 'green'], '1': ['yes', 'red'] })];

export const broker = () =>
  pageOf({
    name: 'broker',
    title: 'Broker',
    description:
      'RabbitMQ, as it counts itself (plugin rabbitmq_prometheus: /metrics for nodes, /metrics/detailed for queues) and as our processes see it. Without RabbitMQ only the first row has data.',
    variables: [
      { name: 'node', label: 'Node', query: 'label_values(rabbitmq_identity_info, instance)' },
      {
        name: 'prefix',
        label: 'Prefix',
        query: 'label_values(rabbitmq_detailed_queue_messages{queue=~".+\\\\.delay\\\\.00"}, queue)',
        regex: '/^(.+)\\.delay\\.00$/',
      },
    ],
    rows: [
      {
        title: 'As our processes see it',
        panels: [
          stat({
            title: 'Connected',
            description:
              'The worst of the processes. No: `serve` answers 503, `work` waits; both connect again by themselves. Look at the nodes first.',
            unit: Count,
            width: 6,
            queries: [{ expr: `min(${ofProcess('sluice_broker_up')})`, legend: 'connected' }],
            mappings: [texts({ '0': ['no', 'red'], '1': ['yes', 'green'] })],
            levels: [
              [null, 'red'],
              [1, 'green'],
            ],
          }),
          stat({
            title: 'Blocked',
            description:
              'The broker holds back publishes: short of memory or disk. Draining goes on and makes room. "Memory" and "Free disk" say which.',
            unit: Count,
            width: 6,
            queries: [{ expr: `max(${ofProcess('sluice_broker_blocked')})`, legend: 'blocked' }],
            mappings: raised,
            levels: [
              [null, 'green'],
              [1, 'red'],
            ],
          }),
          stat({
            title: 'Memory alarm',
            description:
              'Raised by a node: publishers are blocked, on all nodes. Let workers drain; then find what holds the memory (queues without consumers, long backlogs of large payloads).',
            unit: Count,
            width: 6,
            queries: [{ expr: `max(${ofNode('rabbitmq_alarms_memory_used_watermark')})`, legend: 'alarm' }],
            mappings: raised,
            levels: [
              [null, 'green'],
              [1, 'red'],
            ],
          }),
          stat({
            title: 'Disk alarm',
            description: 'Raised by a node: publishers are blocked, on all nodes. Make room on its disk.',
            unit: Count,
            width: 6,
            queries: [
              { expr: `max(${ofNode('rabbitmq_alarms_free_disk_space_watermark')})`, legend: 'alarm' },
            ],
            mappings: raised,
            levels: [
              [null, 'green'],
              [1, 'red'],
            ],
          }),
          lines({
            title: 'Connections made again',
            description:
              'Per process. Steady: the network, a proxy with a short time limit, or a broker that restarts.',
            unit: Count,
            queries: [
              {
                expr: `increase(${ofProcess('sluice_broker_reconnects_total')}[5m])`,
                legend: '{{job}} {{instance}}, in 5 minutes',
              },
            ],
          }),
          lines({
            title: 'Connections, channels, consumers',
            description:
              'Of the nodes that are chosen. A process of Sluice has two connections; channels that climb are a fault worth a report.',
            unit: Count,
            queries: [
              { expr: `sum(${ofNode('rabbitmq_connections')})`, legend: 'connections' },
              { expr: `sum(${ofNode('rabbitmq_channels')})`, legend: 'channels' },
              { expr: `sum(${ofNode('rabbitmq_consumers')})`, legend: 'consumers' },
            ],
          }),
        ],
      },
      {
        title: 'Queues',
        panels: [
          lines({
            title: 'Messages ready in lanes',
            description:
              'The backlog as the broker counts it. Without consumers it only grows: see the dashboard Workers.',
            unit: Count,
            isStacked: true,
            queries: [
              {
                expr: `max by (queue) (${ofBrokerQueue('messages_ready', 'jobs\\\\.($queue)\\\\..+')})`,
                legend: '{{queue}}',
              },
            ],
          }),
          lines({
            title: 'Messages in the hands of workers',
            description:
              'Delivered and not yet acknowledged. At the prefetch with nothing running: workers hang.',
            unit: Count,
            isStacked: true,
            queries: [
              {
                expr: `max by (queue) (${ofBrokerQueue('messages_unacked', 'jobs\\\\.($queue)\\\\..+')})`,
                legend: '{{queue}}',
              },
            ],
          }),
          lines({
            title: 'Messages in delay levels',
            description:
              'Level n holds a job for 2^n times 100 ms. A low level that stays full is stuck: after the kill of a node for up to three minutes (dead_letter_worker_publisher_confirm_timeout); longer means that the way on is missing or full. What somebody deleted is declared again within a minute.',
            unit: Count,
            isStacked: true,
            queries: [
              { expr: `max by (queue) (${ofBrokerQueue('messages', 'delay\\\\...')})`, legend: '{{queue}}' },
            ],
          }),
          lines({
            title: 'Suspects, dead letters, events',
            description:
              'Suspects have ended three processes and run alone. Dead letters and event batches wait here for a recorder only: if they stay, none runs or the store is away.',
            unit: Count,
            queries: [
              {
                expr: `max by (queue) (${ofBrokerQueue('messages', '(suspects\\\\..+|dead|recorder)')})`,
                legend: '{{queue}}',
              },
            ],
          }),
        ],
      },
      {
        title: 'Flow',
        panels: [
          lines({
            title: 'Messages in',
            description:
              'Published with a confirm, and confirmed; batches of events included. Confirmed below received: the quorum or a disk is slow.',
            unit: MessagesPerSecond,
            queries: [
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_received_confirm_total'))})`,
                legend: 'received',
              },
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_confirmed_total'))})`,
                legend: 'confirmed',
              },
            ],
          }),
          lines({
            title: 'Messages out',
            description:
              'Delivered, acknowledged, and delivered once more. Much redelivery: workers end, or channels close on a consumer timeout.',
            unit: MessagesPerSecond,
            queries: [
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_delivered_total'))})`,
                legend: 'delivered',
              },
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_acknowledged_total'))})`,
                legend: 'acknowledged',
              },
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_redelivered_total'))})`,
                legend: 'redelivered',
              },
            ],
          }),
          lines({
            title: 'Delays that pass',
            description:
              'Messages whose time in a delay level is over, and those whose next place has confirmed them. Expired above confirmed for long: a level is stuck.',
            unit: MessagesPerSecond,
            queries: [
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_dead_lettered_expired_total', 'dead_letter_strategy="at_least_once"'))})`,
                legend: 'expired',
              },
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_dead_lettered_confirmed_total'))})`,
                legend: 'confirmed',
              },
            ],
          }),
          lines({
            title: 'Messages without a queue',
            description:
              'Returned ones are refused with 503 and not lost. Dropped ones are announcements and viewers of nobody, never jobs, which are published as mandatory.',
            unit: MessagesPerSecond,
            queries: [
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_unroutable_returned_total'))})`,
                legend: 'returned',
              },
              {
                expr: `sum(${rate(ofNode('rabbitmq_global_messages_unroutable_dropped_total'))})`,
                legend: 'dropped',
              },
            ],
          }),
        ],
      },
      {
        title: 'Nodes',
        panels: [
          lines({
            title: 'Memory',
            description: 'Of the limit at which a node blocks publishers (vm_memory_high_watermark).',
            unit: PercentUnit,
            queries: [
              {
                expr: `${ofNode('rabbitmq_process_resident_memory_bytes')} / ${ofNode('rabbitmq_resident_memory_limit_bytes')}`,
                legend: '{{instance}}',
              },
            ],
            levels: [
              [null, 'green'],
              [0.8, 'orange'],
              [1, 'red'],
            ],
          }),
          lines({
            title: 'Free disk',
            description: 'Against the limit below which a node blocks publishers (disk_free_limit).',
            unit: Bytes,
            queries: [
              { expr: ofNode('rabbitmq_disk_space_available_bytes'), legend: '{{instance}} free' },
              { expr: ofNode('rabbitmq_disk_space_available_limit_bytes'), legend: '{{instance}} limit' },
            ],
          }),
          lines({
            title: 'Time to commit',
            description:
              'Until a quorum has an entry on disk, mean over the queues. It is most of "Time to confirm": slow means a slow disk, or members far away.',
            unit: Seconds,
            queries: [{ expr: commitLatency, legend: '{{instance}}' }],
          }),
          lines({
            title: 'Open files',
            description: 'Of a node. Near its limit (`ulimit -n`) it takes no connections.',
            unit: Count,
            queries: [{ expr: ofNode('rabbitmq_process_open_fds'), legend: '{{instance}}' }],
          }),
        ],
      },
    ],
  });
