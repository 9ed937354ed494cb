/** When each alert must fire, with what it then says, and when it must not. Samples are a minute apart, in promtool's notation. */

/** Series to samples: `0+5x10` is 0, 5, 10 … 50; `_` is none. */
export type Samples = Readonly<Record<string, string>>;

export interface AlertCase {
  readonly fires: readonly {
    readonly when: string;
    readonly given: Samples;
    readonly atMinute: number;
    /** Labels besides the severity. */
    readonly labels?: Readonly<Record<string, string>>;
    readonly summary: string;
  }[];
  readonly quiet: readonly { readonly when: string; readonly given: Samples; readonly atMinute: number }[];
}

const serve = 'job="sluice",instance="serve:8080"';
const work = 'job="sluice",instance="work:8080"';
const outcomes = (outcome: string): string =>
  `sluice_jobs_completed_total{${work},queue="mail",type="email.send",outcome="${outcome}"}`;
const depth = `sluice_queue_depth{${serve},queue="mail",lane="normal"}`;
const drain = `sluice_queue_drain_seconds{${serve},queue="mail"}`;
const oldest = `sluice_queue_oldest_age_seconds{${serve},queue="mail"}`;
const consumers = `sluice_queue_consumers{${serve},queue="mail"}`;
const active = `sluice_jobs_active{${work},queue="mail"}`;
const concurrency = `sluice_worker_concurrency{${work},queue="mail"}`;
const started = `process_start_time_seconds{${work}}`;
const up = `sluice_broker_up{${work}}`;
const blocked = `sluice_broker_blocked{${serve}}`;
const lag = `sluice_recorder_lag{${serve}}`;
const spooled = `sluice_events_spooled{${work}}`;
const unconfirmed = `sluice_publish_unconfirmed{${serve}}`;
const confirms = `sluice_publish_confirm_seconds_count{${serve}}`;
const restarts = 'kube_pod_container_status_restarts_total{container="sluice",pod="work-5c-x7"}';
const unaccounted = `sluice_jobs_unaccounted{${serve}}`;
const confirmed = (le: string): string => `sluice_publish_confirm_seconds_bucket{${serve},le="${le}"}`;

/** `Infx60` is no notation. */
const forMinutes = (count: number, value: string): string => Array(count).fill(value).join(' ');

const ofWork = { job: 'sluice', instance: 'work:8080' };
const ofServe = { job: 'sluice', instance: 'serve:8080' };
const ofMail = { queue: 'mail' };

export const alertCases: Readonly<Record<string, AlertCase>> = {
  SluiceJobsUnaccounted: {
    fires: [
      {
        when: 'one of two processes has proven a loss',
        given: { [unaccounted]: '0x10', 'sluice_jobs_unaccounted{instance="serve2:8080"}': '0 0 2x8' },
        atMinute: 5,
        summary: '2 jobs were accepted, have not ended, and are nowhere.',
      },
    ],
    quiet: [{ when: 'nothing is missing', given: { [unaccounted]: '0x10' }, atMinute: 10 }],
  },
  SluiceNotAudited: {
    fires: [
      {
        when: 'nobody has told the number for a quarter of an hour',
        given: { [unaccounted]: '0x5', [up]: '1x60' },
        atMinute: 30,
        summary: 'For 15 minutes nobody could say whether a job is lost.',
      },
    ],
    quiet: [
      { when: 'the number is told, whatever it is', given: { [unaccounted]: '3x30' }, atMinute: 30 },
      { when: 'the store was away for five minutes', given: { [unaccounted]: '0x9 _x5 0x20' }, atMinute: 15 },
    ],
  },
  SluiceDeadLetterRate: {
    fires: [
      {
        when: 'one job of ten dies',
        given: { [outcomes('dead')]: '0+1x30', [outcomes('succeeded')]: '0+9x30' },
        atMinute: 30,
        labels: { queue: 'mail', type: 'email.send' },
        summary: '10% of the email.send jobs of queue mail end among the dead letters.',
      },
    ],
    quiet: [
      {
        when: 'one job of a hundred dies',
        given: { [outcomes('dead')]: '0+1x30', [outcomes('succeeded')]: '0+99x30' },
        atMinute: 30,
      },
      {
        when: 'only three have died, though there was nothing else',
        given: { [outcomes('dead')]: '0 1 2 3x27', [outcomes('succeeded')]: '0x30' },
        atMinute: 10,
      },
      {
        when: 'many are retried',
        given: {
          [outcomes('retried')]: '0+100x30',
          [outcomes('succeeded')]: '0+1x30',
          [outcomes('dead')]: '0x30',
        },
        atMinute: 30,
      },
    ],
  },
  SluiceBacklogGrowing: {
    fires: [
      {
        when: 'the backlog grows for half an hour, and its end cannot be foreseen',
        given: { [depth]: '0+10x60', [drain]: forMinutes(60, 'Inf') },
        atMinute: 40,
        labels: ofMail,
        summary:
          'The backlog of queue mail has been growing for 15 minutes, and no end of it can be foreseen.',
      },
      {
        when: 'it grows unevenly, and every third minute looks better',
        given: { [depth]: '0+10x60', [drain]: Array(20).fill('Inf Inf 600').join(' ') },
        atMinute: 50,
        labels: ofMail,
        summary:
          'The backlog of queue mail has been growing for 15 minutes, and no end of it can be foreseen.',
      },
    ],
    quiet: [
      { when: 'the backlog shrinks', given: { [depth]: '900-10x60', [drain]: '5400-60x60' }, atMinute: 40 },
      {
        when: 'the queue is paused and nothing comes in',
        given: { [depth]: '100x60', [drain]: forMinutes(60, 'Inf') },
        atMinute: 40,
      },
      {
        when: 'it is a peak of ten minutes',
        given: { [depth]: '0+10x10 90-10x9 0x40', [drain]: `${forMinutes(10, 'Inf')} 60x10 0x40` },
        atMinute: 12,
      },
    ],
  },
  SluiceBacklogStalled: {
    fires: [
      {
        when: 'jobs wait and the workers complete none',
        given: { [depth]: '5x40', [outcomes('succeeded')]: '7x40' },
        atMinute: 20,
        labels: ofMail,
        summary: '5 jobs wait in queue mail, and none has been completed for 10 minutes.',
      },
      {
        when: 'jobs wait and there are no workers',
        given: { [depth]: '5x40' },
        atMinute: 20,
        labels: ofMail,
        summary: '5 jobs wait in queue mail, and none has been completed for 10 minutes.',
      },
    ],
    quiet: [
      {
        when: 'jobs are completed, slowly',
        given: { [depth]: '500x40', [outcomes('succeeded')]: '0x4 1x4 2x4 3x4 4x4 5x4 6x4' },
        atMinute: 20,
      },
      { when: 'nothing waits', given: { [depth]: '0x40', [outcomes('succeeded')]: '7x40' }, atMinute: 20 },
    ],
  },
  SluiceOldestJobTooOld: {
    fires: [
      {
        when: 'a job has been due for more than half an hour',
        given: { [oldest]: '4000x10' },
        atMinute: 5,
        labels: ofMail,
        summary: 'A job of queue mail has been due for 1h 6m 40s and has not begun.',
      },
    ],
    quiet: [
      { when: 'all are younger', given: { [oldest]: '1700x10' }, atMinute: 5 },
      {
        when: 'the recorder is away, so that jobs which have ended are still told to wait',
        given: { [oldest]: '4000x10', [lag]: '1+9x10' },
        atMinute: 8,
      },
    ],
  },
  SluiceDelayedJobsStuck: {
    fires: [
      {
        when: 'a job is due, its lane is empty and slots are free',
        given: { [oldest]: '0+60x20', [depth]: '0x20', [active]: '2x20', [concurrency]: '10x20' },
        atMinute: 10,
        labels: ofMail,
        summary: 'A job of queue mail has been due for 10m 0s and has come to no lane.',
      },
    ],
    quiet: [
      {
        when: 'it waits in its lane',
        given: { [oldest]: '0+60x20', [depth]: '5x20', [active]: '2x20', [concurrency]: '10x20' },
        atMinute: 10,
      },
      {
        when: 'the recorder is away, so that jobs which have ended are still told to wait',
        given: {
          ...{ [oldest]: '0+60x20', [depth]: '0x20', [active]: '2x20', [concurrency]: '10x20' },
          [lag]: '1+9x20',
        },
        atMinute: 10,
      },
      {
        when: 'a worker with full slots has it in hand',
        given: { [oldest]: '0+60x20', [depth]: '0x20', [active]: '10x20', [concurrency]: '10x20' },
        atMinute: 10,
      },
      {
        when: 'a killed broker holds its level for three minutes',
        given: { [oldest]: '0 60 120 180 0x16', [depth]: '0x20', [active]: '2x20', [concurrency]: '10x20' },
        atMinute: 6,
      },
    ],
  },
  SluiceConsumersGone: {
    fires: [
      {
        when: 'jobs wait and nobody consumes',
        given: { [consumers]: '3x4 0x20', [depth]: '50x30' },
        atMinute: 12,
        labels: ofMail,
        summary: 'Jobs wait in queue mail, and nobody consumes it.',
      },
    ],
    quiet: [
      {
        when: 'nobody consumes and nothing waits',
        given: { [consumers]: '0x20', [depth]: '0x20' },
        atMinute: 12,
      },
      { when: 'there are consumers', given: { [consumers]: '3x20', [depth]: '50x20' }, atMinute: 12 },
      {
        when: 'a deploy takes three minutes',
        given: { [consumers]: '3x5 0x3 3x10', [depth]: '50x20' },
        atMinute: 8,
      },
    ],
  },
  SluiceRestartLoop: {
    fires: [
      {
        when: 'a process has been started four times more',
        given: { [started]: '100 200 300 400 500x20', [up]: '1x30' },
        atMinute: 8,
        labels: ofWork,
        summary: 'work:8080 has been started 4 times in 15 minutes.',
      },
      {
        when: 'a pod ends each time before anybody has scraped it',
        given: { [restarts]: '0 1 2 3 4 5x20' },
        atMinute: 10,
        labels: { container: 'sluice', pod: 'work-5c-x7' },
        summary: 'work-5c-x7 has been started 5 times in 15 minutes.',
      },
    ],
    quiet: [
      { when: 'it was deployed once', given: { [started]: '100x5 200x20', [up]: '1x30' }, atMinute: 8 },
      {
        when: 'what restarts is none of ours',
        given: { 'process_start_time_seconds{job="node",instance="node:9100"}': '100 200 300 400 500x20' },
        atMinute: 8,
      },
    ],
  },
  SluiceRecorderLag: {
    fires: [
      {
        when: 'batches have been waiting for ten minutes',
        given: { [lag]: '0 0 7x20' },
        atMinute: 15,
        summary: 'For 10 minutes the recorder has not caught up; 7 batches of events wait.',
      },
    ],
    quiet: [{ when: 'it catches up in between', given: { [lag]: '900x7 0 900x7 0 900x7' }, atMinute: 16 }],
  },
  SluiceEventsSpooled: {
    fires: [
      {
        when: 'events stay on the disk of a process',
        given: { [spooled]: '0 12x20' },
        atMinute: 10,
        labels: ofWork,
        summary: 'work:8080 keeps 12 events on its own disk.',
      },
    ],
    quiet: [{ when: 'they are sent within three minutes', given: { [spooled]: '0 12x2 0x20' }, atMinute: 6 }],
  },
  SluiceBrokerDown: {
    fires: [
      {
        when: 'a process has lost its connection',
        given: { [up]: '1 1 0x10' },
        atMinute: 5,
        labels: ofWork,
        summary: 'work:8080 has no connection to the broker.',
      },
    ],
    quiet: [
      { when: 'it is connected', given: { [up]: '1x10' }, atMinute: 5 },
      { when: 'it was away for a moment', given: { [up]: '1 1 0 1x10' }, atMinute: 3 },
    ],
  },
  SluiceBrokerBlocked: {
    fires: [
      {
        when: 'the broker holds back publishes',
        given: { [blocked]: '0 0 1x10' },
        atMinute: 5,
        labels: ofServe,
        summary: 'The broker holds back what serve:8080 publishes.',
      },
    ],
    quiet: [
      { when: 'it takes them', given: { [blocked]: '0x10' }, atMinute: 5 },
      { when: 'it did so for a moment', given: { [blocked]: '0 0 1 0x10' }, atMinute: 3 },
    ],
  },
  SluiceConfirmLatency: {
    fires: [
      {
        when: 'one confirm of two takes between one and two and a half seconds',
        given: { [confirmed('1')]: '0+5x30', [confirmed('2.5')]: '0+10x30', [confirmed('+Inf')]: '0+10x30' },
        atMinute: 20,
        summary: 'The broker takes 2.47s to confirm a job (99th percentile).',
      },
      {
        when: 'publishes wait and none is confirmed',
        given: { [unconfirmed]: '0 40x30', [confirms]: '900x30' },
        atMinute: 20,
        summary: 'The broker confirms no job any more.',
      },
    ],
    quiet: [
      {
        when: 'confirms take less than a second',
        given: { [confirmed('1')]: '0+10x30', [confirmed('2.5')]: '0+10x30', [confirmed('+Inf')]: '0+10x30' },
        atMinute: 20,
      },
      {
        when: 'publishes wait at each look, and are confirmed',
        given: { [unconfirmed]: '40x30', [confirms]: '0+900x30' },
        atMinute: 20,
      },
      {
        when: 'nothing is published',
        given: { [confirmed('1')]: '5x30', [confirmed('2.5')]: '10x30', [confirmed('+Inf')]: '10x30' },
        atMinute: 20,
      },
    ],
  },
};
