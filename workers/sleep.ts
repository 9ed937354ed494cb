/** `sleep`: does nothing for a while, and stops when told to. For demos, load and tests. */
import { defineHandler, Type } from '../src/handler/define.js';

const DAY_MS = 86_400_000;

export const sleep = defineHandler({
  type: 'sleep',
  payload: Type.Object(
    { ms: Type.Integer({ minimum: 0, maximum: DAY_MS }) },
    { additionalProperties: false },
  ),
  run({ payload: { ms } }, { signal }) {
    // Not the timer of node:timers/promises, whose own AbortError hides why: deadline or shutdown.
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const timer = setTimeout(() => resolve({ ms }), ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    });
  },
});
