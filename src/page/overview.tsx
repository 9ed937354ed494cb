/** The first screen: four questions answered, how the figures went, the queues, and what failed. */
import type { QueueView } from '../api/queues.js';
import { type Answer, failureOf, forecastOf, limitOf, lossOf } from './answers.js';
import { Chart } from './chart.js';
import { DeadGroups } from './dead-groups.js';
import { historyOf } from './history.js';
import { h, type JSX, useState } from './lib/preact.js';
import { Panel, Problem } from './parts.js';
import { usePolled } from './poll.js';
import { Queues } from './queues.js';
import { hrefOf } from './routes.js';
import { client } from './server.js';

/** It counts all rows. */
const AUDIT_EVERY_MS = 10_000;
const DEAD_EVERY_MS = 2_000;
const GROUPS_SHOWN = 5;

export function Overview({ queues }: { readonly queues: readonly QueueView[] | undefined }): JSX.Element {
  const audit = usePolled('audit', () => client.audit(), AUDIT_EVERY_MS);
  const dead = usePolled('dead', () => client.deadLetters.groups(), DEAD_EVERY_MS);
  return (
    <div>
      <h1 class="hidden">Overview</h1>
      <div class="answers">
        <Question
          text="Is anything lost?"
          answer={audit.value && lossOf(audit.value)}
          href={hrefOf('audit')}
        />
        <Question text="When is the backlog gone?" answer={queues && forecastOf(queues)} />
        <Question text="What limits us?" answer={queues && limitOf(queues)} />
        <Question
          text="What failed?"
          answer={dead.value && failureOf(dead.value, Date.now())}
          href={hrefOf('dead')}
        />
      </div>
      <Problem text={audit.problem ?? dead.problem} />
      <Charts queues={queues} />
      <Queues queues={queues} />
      {dead.value === undefined || dead.value.total === 0 ? null : (
        <Panel title="What failed, by error" aside={<a href={hrefOf('dead')}>All dead letters</a>}>
          <DeadGroups groups={dead.value.groups.slice(0, GROUPS_SHOWN)} />
        </Panel>
      )}
    </div>
  );
}

function Question(props: {
  readonly text: string;
  readonly answer: Answer | undefined;
  readonly href?: string;
}): JSX.Element {
  const { text, answer, href } = props;
  return (
    <section class={`answer ${answer?.tone ?? 'unknown'}`} aria-label={text}>
      <h2>{text}</h2>
      <p class="says">{answer?.says ?? '…'}</p>
      <p class="because">{answer?.because}</p>
      {href === undefined || answer === undefined || answer.tone === 'good' ? null : (
        <a href={href} aria-label={`${text} Look closer`}>
          Look closer
        </a>
      )}
    </section>
  );
}

function Charts({ queues }: { readonly queues: readonly QueueView[] | undefined }): JSX.Element {
  const [queue, setQueue] = useState('');
  const samples = historyOf(queue);
  // A moment where nobody looked lies half a second after the last look, so that the line breaks there.
  const times = samples.map((sample, i) => (sample?.atMs ?? (samples[i - 1]?.atMs ?? 0) + 500) / 1000);
  return (
    <Panel
      title="Live"
      aside={
        <label class="inline">
          Queue{' '}
          <select value={queue} onChange={(event) => setQueue(event.currentTarget.value)}>
            <option value="">all</option>
            {queues?.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      }
    >
      <div class="charts">
        <Chart
          title="Jobs"
          unit=""
          times={times}
          lines={[
            {
              name: 'waiting',
              color: '--blue',
              isFilled: true,
              values: samples.map((one) => one?.waiting ?? null),
            },
            { name: 'running', color: '--green', values: samples.map((one) => one?.active ?? null) },
          ]}
        />
        <Chart
          title="Jobs per second"
          unit="/s"
          times={times}
          lines={[
            { name: 'in', color: '--violet', values: samples.map((one) => one?.acceptedPerSecond ?? null) },
            { name: 'out', color: '--green', values: samples.map((one) => one?.drainedPerSecond ?? null) },
          ]}
        />
      </div>
      <p class="faint note">Since this page was opened; rates are means over a minute.</p>
    </Panel>
  );
}
