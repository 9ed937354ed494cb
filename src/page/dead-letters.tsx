/** The workbench of dead letters: all groups, or one with an example to mend and its jobs. */
import type { DeadLetterGroup, DeadLetterPage } from '../api/dead-letters.js';
import { access } from './access.js';
import { useCell } from './cell.js';
import { DeadGroups } from './dead-groups.js';
import { counted } from './format.js';
import { useJob } from './job.js';
import { JobTable } from './jobs.js';
import { h, type JSX } from './lib/preact.js';
import { Panel, Problem } from './parts.js';
import { usePolled } from './poll.js';
import { Redrives } from './redrives.js';
import { Replay } from './replay.js';
import { hrefOf } from './routes.js';
import { client } from './server.js';
import { Workbench } from './workbench.js';

const EVERY_MS = 3_000;
const JOBS_SHOWN = 20;

/** @param group  its fingerprint; undefined: all */
export function DeadLetters({ group }: { readonly group: string | undefined }): JSX.Element {
  const { value: page, problem } = usePolled(
    `dead ${group}`,
    () => client.deadLetters.page(group === undefined ? {} : { group }, { limit: JOBS_SHOWN }),
    EVERY_MS,
  );
  return (
    <div>
      {group === undefined ? (
        <h1>Dead letters</h1>
      ) : (
        <div>
          <p class="crumbs">
            <a href={hrefOf('dead')}>Dead letters</a> / <span class="id">{group}</span>
          </p>
          <h1>{page?.groups[0]?.example.name ?? 'Dead letters of one error'}</h1>
        </div>
      )}
      <Problem text={problem} />
      {page === undefined ? <p class="waiting">…</p> : <Found page={page} group={group} />}
      <Redrives />
    </div>
  );
}

function Found({ page, group }: { page: DeadLetterPage; group: string | undefined }): JSX.Element {
  const { mayOperate } = useCell(access);
  const { total, groups, items } = page;
  if (total === 0)
    return <p class="none">{group === undefined ? 'Nothing is dead.' : 'None is left with this error.'}</p>;
  const [only] = groups;
  const name = group === undefined ? 'all dead jobs' : 'the jobs with this error';
  return (
    <div>
      <Panel
        title={group === undefined ? `${counted(total, 'dead job')}, by error` : counted(total, 'dead job')}
      >
        <DeadGroups groups={groups} />
      </Panel>
      {mayOperate ? (
        <Workbench
          key={group ?? ''}
          name={name}
          total={total}
          filter={group === undefined ? {} : { group }}
        />
      ) : null}
      {group === undefined || only === undefined ? null : <Example key={only.example.id} group={only} />}
      {group === undefined ? null : (
        <Panel
          title={total > items.length ? `The newest ${items.length}` : 'The jobs'}
          aside={
            only === undefined ? null : (
              <a href={hrefOf('jobs', undefined, { state: 'dead', type: only.example.type })}>
                All dead {only.example.type}
              </a>
            )
          }
        >
          <JobTable jobs={items} />
        </Panel>
      )}
    </div>
  );
}

function Example({ group }: { readonly group: DeadLetterGroup }): JSX.Element {
  const { id } = group.example;
  const { value: seen, problem } = useJob(id);
  return (
    <Panel title="An example, to mend and try" aside={<a href={hrefOf('jobs', id)}>Open this job</a>}>
      <Problem text={problem} />
      {seen?.job.state === 'dead' ? (
        <Replay id={id} payload={seen.payload} />
      ) : (
        <p class="none">{seen === undefined ? '…' : `It is ${seen.job.state} by now.`}</p>
      )}
    </Panel>
  );
}
