/** Whether every job that was accepted can be accounted for, in numbers. */
import type { AuditReport, Finding } from '../api/audit.js';
import { lossOf } from './answers.js';
import { count, moment, sentence } from './format.js';
import { h, type JSX } from './lib/preact.js';
import { Facts, Panel, Problem } from './parts.js';
import { usePolled } from './poll.js';
import { hrefOf } from './routes.js';
import { client } from './server.js';

const EVERY_MS = 5_000;
const IDS_SHOWN = 20;
const jobId = /^[0-9a-f]{8}-[0-9a-f]{4}-7/;

export function AuditPanel(): JSX.Element {
  const { value: audit, problem } = usePolled('audit', () => client.audit(), EVERY_MS);
  return (
    <div>
      <h1>Audit</h1>
      <Problem text={problem} />
      {audit === undefined ? <p class="waiting">…</p> : <Report audit={audit} />}
    </div>
  );
}

function Report({ audit }: { readonly audit: AuditReport }): JSX.Element {
  const { accepted, states, difference, broker, open, proof, findings } = audit;
  const loss = lossOf(audit);
  return (
    <div>
      <section class={`answer wide ${loss.tone}`} aria-label="Is anything lost?">
        <h2>Is anything lost?</h2>
        <p class="says">{loss.says}</p>
        <p class="because">{loss.because}</p>
        <p class="faint">Looked at {moment(audit.at)}.</p>
      </section>
      {findings.length === 0 ? null : (
        <Panel title="Findings">
          <ul class="findings">
            {findings.map((finding) => (
              <Found key={finding.code} finding={finding} />
            ))}
          </ul>
        </Panel>
      )}
      <div class="columns">
        <Panel title="What came in">
          <Facts
            facts={[
              ['Accepted', count(accepted.told)],
              ['Again, after an unknown outcome', count(accepted.again)],
              ['Known by what happened to them', count(accepted.implied)],
              ['Difference to the jobs below', count(difference)],
            ]}
          />
        </Panel>
        <Panel title="What it has become">
          <table>
            <thead>
              <tr>
                <th>State</th>
                <th class="number">Jobs</th>
                <th class="number">Forgotten by now</th>
              </tr>
            </thead>
            <tbody>
              {Object.entries(states).map(([state, { rows, deleted }]) => (
                <tr key={state}>
                  <th scope="row">
                    <a href={hrefOf('jobs', undefined, { state })}>{state}</a>
                  </th>
                  <td class="number">{count(rows)}</td>
                  <td class="number">{count(deleted)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Panel>
        <Panel title="What the broker holds">
          {broker === null ? (
            <p class="none">It could not be asked.</p>
          ) : (
            <Facts
              facts={[
                ['Waiting', count(broker.ready)],
                ['Delayed', count(broker.delayed)],
                ['In hand', count(broker.held)],
                ['Suspects', count(broker.suspects)],
                ['Dead letters on their way', count(broker.deadLetters)],
                ['Batches of events', count(broker.events)],
                ['Jobs that have not ended', count(open.rows)],
              ]}
            />
          )}
          <p class="note">
            {sentence(proof.detail)}{' '}
            {proof.provenThrough === null ? '' : `Proven through ${moment(proof.provenThrough)}.`}
          </p>
        </Panel>
      </div>
    </div>
  );
}

function Found({ finding }: { readonly finding: Finding }): JSX.Element {
  const { severity, code, detail, ids } = finding;
  return (
    <li class={severity}>
      <p>
        <span class={`state state-${severity}`}>{severity}</span> {sentence(detail)}{' '}
        <span class="faint id">{code}</span>
      </p>
      {ids.length === 0 ? null : (
        <p class="ids">
          {ids.slice(0, IDS_SHOWN).map((id) =>
            jobId.test(id) ? (
              <a key={id} class="id" href={hrefOf('jobs', id)}>
                {id}
              </a>
            ) : (
              <span key={id} class="id">
                {id}
              </span>
            ),
          )}
          {ids.length > IDS_SHOWN ? ` and ${count(ids.length - IDS_SHOWN)} more` : ''}
        </p>
      )}
    </li>
  );
}
