/** The handlers of this process: which types and queues there are, and whether a payload fits its type. */
import { Invalid } from '../job/errors.js';
import { queueNamePattern } from '../job/job.js';
import { type AnyHandler, defineHandler } from './define.js';
import { createSchemaCompiler, type PayloadCheck } from './schema.js';

const DEFAULT_QUEUE = 'default';

export interface RegisteredHandler extends AnyHandler {
  readonly queue: string;
}

export interface Registry {
  /** The handler of a type, its queue filled in. */
  get(type: string): RegisteredHandler | undefined;
  hasQueue(name: string): boolean;
  /** The closed set of queues, sorted: those of the handlers, the extra ones, and always `default`. */
  readonly queues: readonly string[];
  /** Sorted. */
  readonly types: readonly string[];
  /** Undefined when the payload fits the type's schema, else a sentence naming each fault; payload values are never told. */
  checkPayload(type: string, payload: unknown): string | undefined;
}

interface Entry {
  readonly handler: RegisteredHandler;
  readonly check: PayloadCheck;
}

/**
 * Compiles every schema, so that a bad handler stops the start and not a request.
 * @throws Invalid  code `invalid_handler`, with all faults: of a handler itself, a type taken twice, a schema that does not
 *   compile, is asynchronous or refers to the outside, a malformed queue name
 */
export function createRegistry(parts: {
  readonly handlers: readonly AnyHandler[];
  readonly extraQueues?: readonly string[];
}): Registry {
  const compile = createSchemaCompiler();
  const entries = new Map<string, Entry>();
  const faults: string[] = [];

  const add = (given: AnyHandler): void => {
    try {
      const handler = defineHandler(given);
      const label = `handler ${JSON.stringify(handler.type)}`;
      if (entries.has(handler.type)) {
        faults.push(
          `${label}: the type is taken by another handler, possibly one shipped with Sluice: rename yours`,
        );
        return;
      }
      try {
        const check = compile(handler.payload);
        entries.set(handler.type, {
          handler: Object.freeze({ ...handler, queue: handler.queue ?? DEFAULT_QUEUE }),
          check,
        });
      } catch (error) {
        faults.push(`${label}: its payload schema ${error instanceof Error ? error.message : String(error)}`);
      }
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      faults.push(error.message);
    }
  };
  for (const handler of parts.handlers) add(handler);

  const extraQueues = parts.extraQueues ?? [];
  for (const queue of extraQueues) {
    if (!new RegExp(queueNamePattern).test(queue))
      faults.push(`queue ${JSON.stringify(queue)} must match ${queueNamePattern}`);
  }
  if (faults.length > 0) throw new Invalid('invalid_handler', faults.join('\n'));

  const queues = new Set([
    DEFAULT_QUEUE,
    ...extraQueues,
    ...[...entries.values()].map(({ handler }) => handler.queue),
  ]);
  return {
    get: (type) => entries.get(type)?.handler,
    hasQueue: (name) => queues.has(name),
    queues: Object.freeze([...queues].sort()),
    types: Object.freeze([...entries.keys()].sort()),
    checkPayload(type, payload) {
      const entry = entries.get(type);
      return entry === undefined ? 'no handler has this type' : entry.check(payload);
    },
  };
}
