/**
 * Where the span of the running handler is found: a context manager over AsyncLocalStorage, as the SDK's own, except that it
 * does nothing before the first span is made active. On Node 20 the first `run` makes every promise of the process dearer for
 * good; the SDK's exporter calls it without a span, and a `serve` makes none active at all.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, ROOT_CONTEXT, trace } from '@opentelemetry/api';

export function createContextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with(context, run, self, ...given) {
      const isIdle = storage.getStore() === undefined && trace.getSpan(context) === undefined;
      return isIdle ? run.apply(self, given) : storage.run(context, () => run.apply(self, given));
    },
    bind(context, target) {
      if (typeof target !== 'function') return target;
      const bound = (...given: unknown[]): unknown => manager.with(context, () => target(...given));
      return bound as typeof target;
    },
    enable: () => manager,
    disable() {
      storage.disable();
      return manager;
    },
  };
  return manager;
}
