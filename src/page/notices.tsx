/** What became of an order, said at the foot of the page and to screen readers. */
import { createCell, useCell } from './cell.js';
import { h, type JSX, useState } from './lib/preact.js';
import { refreshAll } from './poll.js';
import { saidBy } from './server.js';

interface Notice {
  readonly text: string;
  readonly isFault: boolean;
}

const SHOWN_MS = 8_000;

const notice = createCell<Notice | undefined>(undefined);
let leaving: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, isFault = false): void {
  clearTimeout(leaving);
  notice.set({ text, isFault });
  // A fault stays until it is read.
  if (!isFault) leaving = setTimeout(() => notice.set(undefined), SHOWN_MS);
}

/** Both regions are always there: one that comes with its text is not read out. */
export function Notices(): JSX.Element {
  const { text = '', isFault = false } = useCell(notice) ?? {};
  return (
    <div class="notices">
      <p role="status">{isFault ? '' : text}</p>
      <p role="alert">{isFault ? text : ''}</p>
      {text === '' ? null : (
        <button
          type="button"
          class="quiet"
          aria-label="Dismiss this message"
          onClick={() => notice.set(undefined)}
        >
          ✕
        </button>
      )}
    </div>
  );
}

/** Runs an order once at a time; a failure is said, and after it as after success all figures are asked for again. */
export function useOrder(): readonly [(order: () => Promise<void>) => void, isBusy: boolean] {
  const [isBusy, setBusy] = useState(false);
  async function run(order: () => Promise<void>): Promise<void> {
    if (isBusy) return;
    setBusy(true);
    try {
      await order();
    } catch (error) {
      say(saidBy(error), true);
    }
    setBusy(false);
    refreshAll();
  }
  return [(order) => void run(order), isBusy];
}
