/** Figures that stay fresh while somebody looks at them. */
import { useEffect, useState } from './lib/preact.js';
import { isSilence, saidBy } from './server.js';

export interface Polled<Value> {
  /** The newest there is, of before a failure too. */
  readonly value: Value | undefined;
  /** Why it could not be had the last time; nothing of a server that is gone, which is told for the whole page. */
  readonly problem: string | undefined;
}

/** No part of the page takes more than a fifth of the time of a server that is slow to answer. */
const REST = 4;

const turns = new Set<() => void>();

/** After an order: what is shown may be true no longer. */
export function refreshAll(): void {
  for (const turn of turns) turn();
}

/** @param what  names it: under another name, nothing of before is shown */
export function usePolled<Value>(what: string, load: () => Promise<Value>, everyMs: number): Polled<Value> {
  const [last, setLast] = useState<{ readonly what: string } & Polled<Value>>();

  // `load` is a new function at each drawing: `what` tells whether it means another thing.
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLoading = false;
    let isDue = false;
    let isOver = false;

    async function turn(): Promise<void> {
      clearTimeout(timer);
      isDue = isLoading;
      if (isLoading || document.hidden) return;
      isLoading = true;
      const startedAt = performance.now();
      try {
        const value = await load();
        if (!isOver) setLast({ what, value, problem: undefined });
      } catch (error) {
        const problem = isSilence(error) ? undefined : saidBy(error);
        if (!isOver)
          setLast((before) => ({ what, value: before?.what === what ? before.value : undefined, problem }));
      }
      isLoading = false;
      if (isOver) return;
      if (isDue) return turn();
      const tookMs = performance.now() - startedAt;
      timer = setTimeout(now, Math.max(everyMs, tookMs * REST));
    }

    const now = (): void => void turn();
    turns.add(now);
    document.addEventListener('visibilitychange', now);
    now();
    return () => {
      isOver = true;
      clearTimeout(timer);
      turns.delete(now);
      document.removeEventListener('visibilitychange', now);
    };
  }, [what, everyMs]);

  return last?.what === what ? last : { value: undefined, problem: undefined };
}
