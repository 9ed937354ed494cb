/** `sleep`: does nothing for a while, and stops when told to. For demos, load and tests. */
import { setTimeout } from 'node:timers/promises';
import { defineHandler, Type } from '../src/handler/define.js';

const DAY_MS = 86_400_000;

export const sleep = defineHandler({
  type: 'sleep',
  payload: Type.Object(
    { ms: Type.Integer({ minimum: 0, maximum: DAY_MS }) },
    { additionalProperties: false },
  ),
  async run(job, { signal }) {
    const { ms } = job.payload;
    try {
      await setTimeout(ms, undefined, { signal });
    } catch {
      // The timer's own AbortError hides why: deadline or shutdown.
      signal.throwIfAborted();
    }
    return { ms };
  },
});
