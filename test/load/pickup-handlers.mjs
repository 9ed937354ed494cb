/** The handler of the bench of pickup: says how long after its request was to leave a job began. */
import { defineHandler } from 'sluice/handler';

export default [
  defineHandler({
    type: 'pickup',
    payload: {},
    run({ payload: { sentAtMs } }) {
      process.stdout.write(`picked up after ${performance.timeOrigin + performance.now() - sentAtMs} ms\n`);
    },
  }),
];
