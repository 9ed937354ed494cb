/** Handlers of `npm run ledger`: what becomes of a job stands in its payload. Every call is a line in the file SINK_FILE. */
import { appendFileSync } from 'node:fs';
import { DeadLetter, defineHandler } from 'sluice/handler';

export default [
  defineHandler({
    type: 'fate',
    payload: {},
    run({ id, run, attempt, payload: { fate } }) {
      // Before anything else, and at once: a kill of this process loses no line.
      appendFileSync(process.env.SINK_FILE, `${id} ${run} ${attempt} ${Date.now()}\n`);
      if (run > 1) return { fate, run };
      if (fate === 'dies') throw new DeadLetter('it was its fate');
      if (fate === 'exhausts') throw new Error(`attempt ${attempt} cannot succeed`);
      if (fate === 'flaky' && attempt === 1) throw new Error('only the first attempt fails');
      return { fate };
    },
  }),
];
