/** `echo`: returns its payload, whatever JSON it is. For demos, load and tests. */
import { defineHandler, Type } from '../src/handler/define.js';

export const echo = defineHandler({
  type: 'echo',
  payload: Type.Unknown(),
  run: (job) => job.payload,
});
