/** Whether each promise of this process is made dearer by a hook, as by an AsyncLocalStorage on Node 20. */
import { executionAsyncId } from 'node:async_hooks';

/** Promises have ids of their own as long as somebody hooks them, and else none. */
export async function promisesAreHooked(): Promise<boolean> {
  const [first, second] = await Promise.all([0, 0].map(() => Promise.resolve().then(executionAsyncId)));
  return first !== second;
}
