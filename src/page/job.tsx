/** One job: what became of it, why, and what can be done about it. */
import type { JobAnswer } from '../api/contract.js';
import { membersOf } from '../api/json-members.js';
import { pathOfJob } from '../client/jobs.js';
import { access } from './access.js';
import { useCell } from './cell.js';
import { duration } from './format.js';
import { indented } from './json-text.js';
import { type ComponentChildren, h, type JSX } from './lib/preact.js';
import { say, useOrder } from './notices.js';
import { Facts, Panel, Problem, StateMark, Time } from './parts.js';
import { usePolled } from './poll.js';
import { Replay } from './replay.js';
import { hrefOf } from './routes.js';
import { client, send } from './server.js';

export interface SeenJob {
  readonly job: JobAnswer;
  /** As they are written; undefined: not kept. */
  readonly payload: string | undefined;
  readonly result: string | undefined;
}

const EVERY_MS = 1_000;

export function useJob(id: string): ReturnType<typeof usePolled<SeenJob>> {
  return usePolled(`job ${id}`, () => load(id), EVERY_MS);
}

async function load(id: string): Promise<SeenJob> {
  const { body, text } = await send({ method: 'GET', path: pathOfJob(id), repeat: 'always' });
  const members = membersOf(text);
  return { job: body as JobAnswer, payload: members.get('payload'), result: members.get('result') };
}

export function Job({ id }: { readonly id: string }): JSX.Element {
  const { value: seen, problem } = useJob(id);
  return (
    <div>
      <p class="crumbs">
        <a href={hrefOf('jobs')}>Jobs</a> / <span class="id">{id}</span>
      </p>
      <h1>
        {seen?.job.type ?? 'Job'} {seen === undefined ? null : <StateMark state={seen.job.state} />}
      </h1>
      <Problem text={problem} />
      {seen === undefined ? null : <Seen seen={seen} />}
    </div>
  );
}

function Seen({ seen }: { readonly seen: SeenJob }): JSX.Element {
  const { job, payload, result } = seen;
  return (
    <div>
      <Panel title="What it is" aside={<Cancel job={job} />}>
        <Facts facts={factsOf(job)} />
        {job.progress === undefined ? null : (
          <p>
            <progress max={100} value={job.progress.percent} aria-label="Progress" /> {job.progress.percent} %{' '}
            {job.progress.note}
          </p>
        )}
        {job.cancelRequestedAt === undefined ? null : (
          <p class="note">
            Cancelled by an operator at <Time at={job.cancelRequestedAt} />; its worker has not said so yet.
          </p>
        )}
        {job.recorded ? null : <p class="note">Accepted a moment ago and not recorded yet.</p>}
      </Panel>
      {job.error === undefined ? null : (
        <Panel title={job.state === 'dead' ? 'Why it died' : 'Its last error'}>
          <Failure error={job.error} />
        </Panel>
      )}
      {job.state === 'dead' || job.state === 'cancelled' ? (
        <Panel title="Run it again">
          <Replay key={`${job.id} ${job.run}`} id={job.id} payload={payload} />
        </Panel>
      ) : (
        <Text title="Payload" text={payload} />
      )}
      <Text title={job.resultTruncated ? 'The beginning of its result' : 'Result'} text={result} />
      {job.attempts.length === 0 ? null : (
        <Panel title="Attempts that failed">
          <ol class="attempts">
            {job.attempts.toReversed().map((one) => (
              <li key={`${one.run} ${one.attempt}`}>
                <p>
                  <b>
                    Run {one.run}, attempt {one.attempt}
                  </b>{' '}
                  <StateMark state={one.outcome} /> <Time at={one.endedAt} />
                  {one.startedAt === undefined ? null : (
                    <span class="faint"> after {between(one.startedAt, one.endedAt)}</span>
                  )}
                </p>
                <Failure error={one.error} />
              </li>
            ))}
          </ol>
        </Panel>
      )}
    </div>
  );
}

function factsOf(job: JobAnswer): (readonly [string, ComponentChildren])[] {
  const { startedAt, finishedAt } = job;
  return [
    ['Queue', <a href={hrefOf('jobs', undefined, { queue: job.queue })}>{job.queue}</a>],
    ['Priority', job.priority],
    ['Run', job.run],
    ['Attempt', job.maxAttempts === undefined ? job.attempt : `${job.attempt} of ${job.maxAttempts}`],
    ['Accepted', <Time at={job.acceptedAt} />],
    ['Due', <Time at={job.dueAt} />],
    ['Started', <Time at={startedAt} />],
    ['Ended', <Time at={finishedAt} />],
    ...optional('Ran for', startedAt && finishedAt && between(startedAt, finishedAt)),
    ...optional('Died because', job.deathReason?.replace('_', ' ')),
    ...optional(
      'Error group',
      job.errorGroup && job.state === 'dead' ? (
        <a class="id" href={hrefOf('dead', job.errorGroup)}>
          {job.errorGroup}
        </a>
      ) : undefined,
    ),
    ...optional('Expires', job.expiresAt && <Time at={job.expiresAt} />),
    ...optional('Trace', job.traceId && <span class="id">{job.traceId}</span>),
  ];
}

function optional(name: string, value: ComponentChildren): (readonly [string, ComponentChildren])[] {
  return value === undefined || value === '' ? [] : [[name, value]];
}

function between(from: string, to: string): string {
  return duration(Math.max(0, Date.parse(to) - Date.parse(from)));
}

function Failure({ error }: { readonly error: NonNullable<JobAnswer['error']> }): JSX.Element {
  return (
    <div class="failure">
      <p>
        <b>{error.name}</b> {error.code === undefined ? null : <span class="id">{error.code}</span>}{' '}
        {error.message}
      </p>
      {error.stack === undefined ? null : (
        <details>
          <summary>Stack</summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
          <pre tabIndex={0}>{error.stack}</pre>
        </details>
      )}
    </div>
  );
}

function Text({
  title,
  text,
}: {
  readonly title: string;
  readonly text: string | undefined;
}): JSX.Element | null {
  if (text === undefined) return null;
  return (
    <Panel title={title}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <pre tabIndex={0}>{indented(text)}</pre>
    </Panel>
  );
}

const cancellable: readonly JobAnswer['state'][] = ['scheduled', 'queued', 'active', 'retrying'];

function Cancel({ job }: { readonly job: JobAnswer }): JSX.Element | null {
  const { mayOperate } = useCell(access);
  const [run, isBusy] = useOrder();
  if (!mayOperate || !cancellable.includes(job.state)) return null;
  return (
    <button
      type="button"
      aria-busy={isBusy}
      disabled={job.cancelRequestedAt !== undefined}
      onClick={() =>
        run(async () => {
          await client.cancel(job);
          say('The job is to be cancelled; its worker says when it is');
        })
      }
    >
      Cancel this job
    </button>
  );
}
