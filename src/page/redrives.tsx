/** Replays and discards of many, as the recorder carries them out. */
import type { RedriveView } from '../api/dead-letters.js';
import { access } from './access.js';
import { useCell } from './cell.js';
import { count, counted, rate } from './format.js';
import { h, type JSX } from './lib/preact.js';
import { say, useOrder } from './notices.js';
import { Panel, Problem, StateMark, Time } from './parts.js';
import { usePolled } from './poll.js';
import { client } from './server.js';

const EVERY_MS = 2_000;
const SHOWN = 10;

export function Redrives(): JSX.Element | null {
  const { mayOperate } = useCell(access);
  const { value, problem } = usePolled('redrives', () => client.deadLetters.redrives(), EVERY_MS);
  if (value === undefined || value.length === 0) return <Problem text={problem} />;
  return (
    <Panel title="Replays and discards">
      <Problem text={problem} />
      <ul class="redrives">
        {value.slice(0, SHOWN).map((redrive) => (
          <Redrive key={redrive.id} redrive={redrive} mayOperate={mayOperate} />
        ))}
      </ul>
    </Panel>
  );
}

function Redrive({ redrive, mayOperate }: { redrive: RedriveView; mayOperate: boolean }): JSX.Element {
  const { id, kind, state, reason, matched, done, skipped, failedAgain, createdAt, ratePerSecond } = redrive;
  const [run, isBusy] = useOrder();
  const what = `${kind === 'replay' ? 'Replay' : 'Discard'} of ${counted(matched, 'job')}`;
  return (
    <li>
      <p>
        <b>{what}</b> <StateMark state={state} /> <Time at={createdAt} />
        {ratePerSecond === null ? null : <span class="faint"> at {rate(ratePerSecond)}/s</span>}
        {state === 'running' && mayOperate ? (
          <button
            type="button"
            aria-busy={isBusy}
            onClick={() =>
              run(async () => {
                await client.deadLetters.stop(id);
                say(`The ${kind} is stopped; what it has begun goes on`);
              })
            }
          >
            Stop <span class="hidden">{what}</span>
          </button>
        ) : null}
      </p>
      <progress max={Math.max(1, matched)} value={done + skipped} aria-label={`Progress: ${what}`} />
      <p class="faint">
        {count(done)} done{skipped > 0 ? `, ${count(skipped)} skipped` : ''}
        {failedAgain > 0 ? `, ${count(failedAgain)} failed again` : ''}
        {reason === null ? '' : `. ${reason}`}
      </p>
    </li>
  );
}
