/** The handler of the bench of slots: takes its time, and nothing else. */
import { defineHandler } from 'sluice/handler';

export default [
  defineHandler({
    type: 'wait',
    payload: {},
    run: ({ payload: { ms } }) => new Promise((resolve) => setTimeout(() => resolve({ ms }), ms)),
  }),
];
