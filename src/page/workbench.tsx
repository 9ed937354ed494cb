/** Orders about many dead jobs at once: count them, run them again at a pace, or give them up. */
import { defaultRatePerSecond } from '../api/constants.js';
import type { DeadLetterFilter } from '../api/dead-letters.js';
import { counted } from './format.js';
import { h, type JSX, useState } from './lib/preact.js';
import { say, useOrder } from './notices.js';
import { Dialog, Panel } from './parts.js';
import { client } from './server.js';

const MOST_PER_SECOND = 10_000;

export interface WorkbenchProps {
  /** What is meant, as in "Replay all dead jobs". */
  readonly name: string;
  /** As last seen. */
  readonly total: number;
  readonly filter: DeadLetterFilter;
}

export function Workbench({ name, total, filter }: WorkbenchProps): JSX.Element {
  const [typed, setTyped] = useState(String(defaultRatePerSecond));
  const [isDiscarding, setDiscarding] = useState(false);
  const [run, isBusy] = useOrder();
  const ratePerSecond = Number(typed);
  const isRate = ratePerSecond >= 0.01 && ratePerSecond <= MOST_PER_SECOND;

  function replay(dryRun: boolean): void {
    run(async () => {
      const { matched } = await client.deadLetters.replay(filter, { ratePerSecond, dryRun });
      say(
        dryRun
          ? `${counted(matched, 'job')} would be replayed`
          : `A replay of ${counted(matched, 'job')} has begun`,
      );
    });
  }

  function discard(): void {
    run(async () => {
      const { matched } = await client.deadLetters.discard(filter);
      setDiscarding(false);
      say(`A discard of ${counted(matched, 'job')} has begun`);
    });
  }

  return (
    <Panel title={`What to do with ${name}`}>
      <form
        class="workbench"
        onSubmit={(event) => {
          event.preventDefault();
          replay(false);
        }}
      >
        <label for="pace">Jobs a second</label>
        <input
          id="pace"
          type="number"
          min="0.01"
          max={MOST_PER_SECOND}
          step="any"
          required
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="button" aria-busy={isBusy} disabled={!isRate} onClick={() => replay(true)}>
          Dry run
        </button>
        <button type="submit" class="main" aria-busy={isBusy} disabled={!isRate}>
          Replay {counted(total, 'job')}
        </button>
        <button type="button" class="danger" aria-busy={isBusy} onClick={() => setDiscarding(true)}>
          Discard…
        </button>
      </form>
      <p class="faint note">A replay stops by itself when the runs that it begins die again.</p>
      {isDiscarding ? (
        <Dialog title={`Discard ${counted(total, 'job')}?`} onClose={() => setDiscarding(false)}>
          <p>They are given up for good: what is discarded cannot be replayed.</p>
          <div class="buttons">
            <button type="button" class="danger" aria-busy={isBusy} onClick={discard}>
              Discard {counted(total, 'job')}
            </button>
            <button type="button" onClick={() => setDiscarding(false)}>
              Keep them
            </button>
          </div>
        </Dialog>
      ) : null}
    </Panel>
  );
}
