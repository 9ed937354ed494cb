/** The newest jobs, narrowed to a state, a type or a queue; and the way to one whose id is known. */
import type { JobSummary } from '../api/contract.js';
import type { QueueView } from '../api/queues.js';
import { ended } from '../client/waiting.js';
import { short } from './format.js';
import { h, type JSX, useEffect, useState } from './lib/preact.js';
import { Panel, Problem, StateMark, Time } from './parts.js';
import { usePolled } from './poll.js';
import { go, hrefOf } from './routes.js';
import { client } from './server.js';

const states = Object.keys(ended) as (keyof typeof ended)[];

const EVERY_MS = 2_000;
const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Filter = Readonly<Record<string, string>>;

export function Jobs(props: {
  readonly filter: Filter;
  readonly queues: readonly QueueView[] | undefined;
}): JSX.Element {
  const { filter, queues } = props;
  const query = new URLSearchParams(filter).toString();
  const { cursor, ...search } = filter;
  const { value, problem } = usePolled(`jobs?${query}`, () => client.jobPage(search, { cursor }), EVERY_MS);
  return (
    <div>
      <h1>Jobs</h1>
      <Search filter={filter} queues={queues} />
      <Problem text={problem} />
      <Panel
        title={filter['cursor'] === undefined ? 'Newest first' : 'Older jobs'}
        aside={
          <span class="pages">
            {filter['cursor'] === undefined ? null : (
              <a href={hrefOf('jobs', undefined, without(filter))}>Newest</a>
            )}
            {value?.next ? (
              <a href={hrefOf('jobs', undefined, { ...filter, cursor: value.next })}>Older</a>
            ) : null}
          </span>
        }
      >
        {value === undefined ? <p class="waiting">…</p> : <JobTable jobs={value.jobs} />}
      </Panel>
    </div>
  );
}

export function JobTable({ jobs }: { readonly jobs: readonly JobSummary[] }): JSX.Element {
  if (jobs.length === 0) return <p class="none">No jobs here.</p>;
  return (
    <table class="cards jobs">
      <thead>
        <tr>
          <th>Job</th>
          <th>State</th>
          <th>Type</th>
          <th>Queue</th>
          <th>Accepted</th>
          <th class="number">Attempt</th>
          <th>Error</th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <tr key={job.id}>
            <th scope="row">
              <a class="id" href={hrefOf('jobs', job.id)}>
                {job.id}
              </a>
            </th>
            <td data-label="State">
              <StateMark state={job.state} />
            </td>
            <td data-label="Type">{job.type}</td>
            <td data-label="Queue">{job.queue}</td>
            <td data-label="Accepted">
              <Time at={job.acceptedAt} />
            </td>
            <td class="number" data-label="Attempt">
              {job.attempt}
              {job.run > 1 ? <small class="faint"> run {job.run}</small> : null}
            </td>
            <td class="message" data-label="Error">
              {job.error === undefined ? '' : short(job.error.message, 160)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Search({
  filter,
  queues,
}: {
  filter: Filter;
  queues: readonly QueueView[] | undefined;
}): JSX.Element {
  const [text, setText] = useState('');
  const [type, setType] = useState(filter['type'] ?? '');
  useEffect(() => setType(filter['type'] ?? ''), [filter['type']]);
  const isId = id.test(text.trim());
  const narrowed = (change: Filter): void =>
    go(hrefOf('jobs', undefined, { ...without(filter), type: type.trim(), ...change }));

  useEffect(() => {
    function focus(event: KeyboardEvent): void {
      if (event.key !== '/' || (event.target as HTMLElement).matches('input, textarea, select')) return;
      event.preventDefault();
      document.getElementById('find-id')?.focus();
    }
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);

  return (
    <search>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isId) go(hrefOf('jobs', text.trim().toLowerCase()));
        }}
      >
        <label for="find-id">
          Id <kbd title="Press / to come here">/</kbd>
        </label>
        <input
          id="find-id"
          class="id"
          placeholder="01989f0e-…"
          autocomplete="off"
          spellcheck={false}
          value={text}
          aria-invalid={text !== '' && !isId}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" disabled={!isId}>
          Open
        </button>
      </form>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          narrowed({});
        }}
      >
        <label for="find-state">State</label>
        <select
          id="find-state"
          value={filter['state'] ?? ''}
          onChange={(event) => narrowed({ state: event.currentTarget.value })}
        >
          <option value="">any</option>
          {/* Each with its value: this Preact gives an empty one to an option that has none. */}
          {states.map((state) => (
            <option key={state} value={state}>
              {state}
            </option>
          ))}
        </select>
        <label for="find-queue">Queue</label>
        <select
          id="find-queue"
          value={filter['queue'] ?? ''}
          onChange={(event) => narrowed({ queue: event.currentTarget.value })}
        >
          <option value="">any</option>
          {queues?.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <label for="find-type">Type</label>
        <input
          id="find-type"
          placeholder="any, such as http.push"
          autocomplete="off"
          spellcheck={false}
          value={type}
          onInput={(event) => setType(event.currentTarget.value)}
        />
        <button type="submit">Find</button>
      </form>
    </search>
  );
}

/** The filter of the first page. */
function without({ cursor: _, ...filter }: Filter): Filter {
  return filter;
}
