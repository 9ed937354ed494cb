/** The payload of a job that has ended, to be mended and run again. */
import { pathOfJob } from '../client/jobs.js';
import { access } from './access.js';
import { useCell } from './cell.js';
import { faultOfJson, indented, isSame } from './json-text.js';
import { h, type JSX, useState } from './lib/preact.js';
import { say, useOrder } from './notices.js';
import { go, hrefOf } from './routes.js';
import { send } from './server.js';

const MOST_ROWS = 24;

/** @param payload  as it is written; undefined: not kept */
export function Replay({
  id,
  payload,
}: {
  readonly id: string;
  readonly payload: string | undefined;
}): JSX.Element {
  const { mayOperate } = useCell(access);
  const kept = payload === undefined ? '' : indented(payload);
  const [text, setText] = useState(kept);
  const [run, isBusy] = useOrder();
  const fault = faultOfJson(text);
  const isChanged = payload === undefined || fault !== undefined || !isSame(text, payload);

  function replay(): void {
    run(async () => {
      // As text, for its numbers; and what was not touched the server has in its own words.
      await send({
        method: 'POST',
        path: `${pathOfJob(id)}/replay`,
        ...(isChanged && { body: { type: 'application/json', content: `{"payload":${text}}` } }),
        repeat: 'if-refused',
      });
      say('The job runs again');
      go(hrefOf('jobs', id));
    });
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (fault === undefined) replay();
      }}
    >
      <label for={`payload-${id}`}>Payload{payload === undefined ? ' (the old one is not kept)' : ''}</label>
      <textarea
        id={`payload-${id}`}
        class="code"
        rows={Math.min(MOST_ROWS, text.split('\n').length + 1)}
        spellcheck={false}
        readOnly={!mayOperate}
        value={text}
        aria-invalid={fault !== undefined}
        aria-describedby={`fault-${id}`}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <p id={`fault-${id}`} class="fault" role="status">
        {fault === undefined ? '' : `This is not JSON: ${fault}`}
      </p>
      {mayOperate ? (
        <div class="buttons">
          <button type="submit" class="main" aria-busy={isBusy} disabled={fault !== undefined}>
            {isChanged ? 'Replay with this payload' : 'Replay as it was'}
          </button>
          <button type="button" class="quiet" disabled={text === kept} onClick={() => setText(kept)}>
            Undo the changes
          </button>
        </div>
      ) : null}
    </form>
  );
}
