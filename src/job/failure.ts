/** Whatever was thrown, as data of bounded size: reading it never throws, however hostile its shape. */
import { inspect } from 'node:util';
import type { Failure } from './outcome.js';

/** Characters kept of each part; a dead letter of many failures must stay small beside its job. */
export const failureLimits = { name: 100, message: 2000, code: 100, stack: 8000 } as const;

const DEEPEST_CAUSE = 3;

/**
 * Describes anything that can be thrown: errors, other objects, strings, undefined, proxies. The stacks of up to three
 * causes follow the error's own. Never throws.
 */
export function failureOf(thrown: unknown): Failure {
  const code = codeOf(thrown);
  const stack = stackOf(thrown);
  return {
    name: cap(textAt(thrown, 'name') ?? 'NonError', failureLimits.name),
    message: cap(messageOf(thrown, code), failureLimits.message),
    ...(code !== undefined && { code: cap(code, failureLimits.code) }),
    ...(stack !== undefined && { stack: cap(stack, failureLimits.stack) }),
  };
}

/** The same failure, its texts as `mask` gives them back. */
export function maskedFailure(failure: Failure, mask: (text: string) => string): Failure {
  const { message, stack } = failure;
  return { ...failure, message: mask(message), ...(stack !== undefined && { stack: mask(stack) }) };
}

/** A property of anything, or undefined: also when there is none to read, and when a getter or a proxy throws. */
export function propertyOf(value: unknown, key: string): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Readonly<Record<string, unknown>>)[key];
  } catch {
    return undefined;
  }
}

function messageOf(thrown: unknown, code: string | undefined): string {
  if (typeof thrown === 'string') return thrown;
  // Network errors of several addresses (AggregateError) come with an empty message and a code that says it all.
  return textAt(thrown, 'message') ?? code ?? `threw ${describe(thrown)}`;
}

function codeOf(thrown: unknown): string | undefined {
  const code = propertyOf(thrown, 'code');
  return typeof code === 'number' ? String(code) : textAt(thrown, 'code');
}

function stackOf(thrown: unknown): string | undefined {
  const own = textAt(thrown, 'stack');
  if (own === undefined) return undefined;
  const stacks = [cap(own, failureLimits.stack)];
  let cause = propertyOf(thrown, 'cause');
  for (let depth = 0; depth < DEEPEST_CAUSE && cause !== undefined && cause !== null; depth++) {
    stacks.push(`caused by: ${cap(textAt(cause, 'stack') ?? describe(cause), failureLimits.stack)}`);
    cause = propertyOf(cause, 'cause');
  }
  return stacks.join('\n');
}

function textAt(value: unknown, key: string): string | undefined {
  const text = propertyOf(value, key);
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function describe(value: unknown): string {
  try {
    return inspect(value, {
      depth: 1,
      customInspect: false,
      maxStringLength: 500,
      maxArrayLength: 20,
      breakLength: Number.POSITIVE_INFINITY,
    });
  } catch {
    return `a value of type ${typeof value} that cannot be described`;
  }
}

function cap(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
