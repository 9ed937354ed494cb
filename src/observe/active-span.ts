/**
 * Where the span of the running handler is found: a context manager over AsyncLocalStorage, as the SDK's own, except that it
 * does nothing while no span is active. On Node 20 the first `run` makes every promise of the process dearer until `disable`; the SDK's exporter calls it without a span, and a `serve` makes none active at all.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, ROOT_CONTEXT, trace } from '@opentelemetry/api';

const storage = new AsyncLocalStorage<Context>();

/** No span is active any more, so promises cost again what they did. A handler that goes on all the same loses its span. */
export function rest(): void {
  storage.disable();
}

/** One for the process. */
export function createContextManager(): ContextManager {
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
