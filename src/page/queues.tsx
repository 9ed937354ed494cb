/** The queues as they stand, and what an operator orders them. */
import type { QueueView } from '../api/queues.js';
import { access } from './access.js';
import { useCell } from './cell.js';
import { count, duration, rate } from './format.js';
import { h, type JSX, useState } from './lib/preact.js';
import { say, useOrder } from './notices.js';
import { Dialog, Panel } from './parts.js';
import { hrefOf } from './routes.js';
import { client } from './server.js';

const MOST_CONCURRENCY = 10_000;

export function Queues({ queues }: { readonly queues: readonly QueueView[] | undefined }): JSX.Element {
  const { mayOperate } = useCell(access);
  return (
    <Panel title="Queues">
      <table class="cards">
        <thead>
          <tr>
            <th>Queue</th>
            <th class="number">Waiting</th>
            <th class="number">Running</th>
            <th class="number">For later</th>
            <th class="number">Dead</th>
            <th class="number">Oldest</th>
            <th class="number">In / out</th>
            <th>Empty</th>
            <th>Concurrency</th>
            {mayOperate ? (
              <th>
                <span class="hidden">Orders</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {queues?.map((queue) => (
            <QueueRow key={queue.name} queue={queue} mayOperate={mayOperate} />
          ))}
        </tbody>
      </table>
      {queues === undefined ? <p class="waiting">…</p> : null}
    </Panel>
  );
}

function QueueRow({ queue, mayOperate }: { queue: QueueView; mayOperate: boolean }): JSX.Element {
  const { name, depth, scheduled, active, dead, oldestAgeMs, isPaused } = queue;
  const [run, isBusy] = useOrder();

  function turn(): void {
    run(async () => {
      const ordered = await (isPaused ? client.queues.resume(name) : client.queues.pause(name));
      say(
        `${name} is ${ordered.isPaused ? 'paused: what runs is finished, nothing more is taken' : 'resumed'}`,
      );
    });
  }

  return (
    <tr>
      <th scope="row">
        <a href={hrefOf('jobs', undefined, { queue: name })}>{name}</a>
        {isPaused ? <span class="state state-paused">paused</span> : null}
      </th>
      <td class="number" data-label="Waiting">
        {count(depth.total)}
        {depth.high + depth.low === 0 ? null : (
          <small class="faint">
            {' '}
            {depth.high > 0 ? `${count(depth.high)} high ` : ''}
            {depth.low > 0 ? `${count(depth.low)} low` : ''}
          </small>
        )}
      </td>
      <td class="number" data-label="Running">
        {count(active)}
      </td>
      <td class="number" data-label="For later">
        {count(scheduled)}
      </td>
      <td class="number" data-label="Dead">
        {dead === 0 ? (
          '0'
        ) : (
          <a href={hrefOf('jobs', undefined, { queue: name, state: 'dead' })}>{count(dead)}</a>
        )}
      </td>
      <td class="number" data-label="Oldest">
        {oldestAgeMs === null ? '–' : duration(oldestAgeMs)}
      </td>
      <td class="number" data-label="In / out">
        {rate(queue.acceptedPerSecond)} / {rate(queue.drainedPerSecond)}
        <small class="faint"> /s</small>
      </td>
      <td data-label="Empty">{emptyOf(queue)}</td>
      <td data-label="Concurrency">
        <Concurrency queue={queue} mayOperate={mayOperate} />
      </td>
      {mayOperate ? (
        <td class="orders">
          <button type="button" aria-busy={isBusy} onClick={turn}>
            {isPaused ? 'Resume' : 'Pause'} <span class="hidden">{name}</span>
          </button>
        </td>
      ) : null}
    </tr>
  );
}

function emptyOf({ forecast }: QueueView): string {
  switch (forecast.state) {
    case 'empty':
      return 'now';
    case 'draining':
      return forecast.emptyInMs === null ? 'no telling' : `in ${duration(forecast.emptyInMs)}`;
    case 'growing':
      return 'it grows';
    case 'paused':
      return 'paused';
    case 'idle':
      return 'no telling';
  }
}

function Concurrency({ queue, mayOperate }: { queue: QueueView; mayOperate: boolean }): JSX.Element {
  const { name, concurrency } = queue;
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const [run, isBusy] = useOrder();
  const shown = concurrency === null ? 'as set' : `${count(concurrency)} each`;
  if (!mayOperate) return <span>{shown}</span>;

  function change(next: number | null): void {
    run(async () => {
      await client.queues.setConcurrency(name, next);
      setOpen(false);
      say(
        next === null
          ? `${name} goes by the workers' own setting`
          : `Each worker of ${name} runs ${count(next)} at a time`,
      );
    });
  }

  return (
    <div>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          setTyped(concurrency === null ? '' : String(concurrency));
          setOpen(true);
        }}
      >
        {shown} <span class="hidden">: change the concurrency of {name}</span>
        <span aria-hidden="true">✎</span>
      </button>
      {isOpen ? (
        <Dialog title={`Concurrency of ${name}`} onClose={() => setOpen(false)}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              change(Number(typed));
            }}
          >
            <label>
              Jobs that each worker runs at a time
              <input
                type="number"
                min="1"
                max={MOST_CONCURRENCY}
                step="1"
                required
                value={typed}
                onInput={(event) => setTyped(event.currentTarget.value)}
              />
            </label>
            <p class="faint">All workers obey at once. Without an order they go by WORKER_CONCURRENCY.</p>
            <div class="buttons">
              <button type="submit" class="main" aria-busy={isBusy}>
                Set
              </button>
              <button
                type="button"
                aria-busy={isBusy}
                disabled={concurrency === null}
                onClick={() => change(null)}
              >
                Back to the setting
              </button>
              <button type="button" class="quiet" onClick={() => setOpen(false)}>
                Cancel
              </button>
            </div>
          </form>
        </Dialog>
      ) : null}
    </div>
  );
}
