/** Turns a handler's JSON Schema into a check of payloads, and what the check finds into a sentence for people. */
import { Ajv2020, type ErrorObject, type Options } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** Undefined when the payload fits, else one sentence that names each fault with its JSON pointer, and no payload value. */
export type PayloadCheck = (payload: unknown) => string | undefined;

const MOST_FAULTS = 8;
const LONGEST_FAULT = 240;
const LONGEST_NAME = 80;
/** Payloads of at most so many values are searched for all faults; an ajv error object each for a million values would fill the memory. */
const MOST_VALUES_SEARCHED = 2_000;

/**
 * Strict, so that a mistyped keyword stops the start. Without `strictRequired` and with union types, because
 * `anyOf: [{ required }]` and `type: ['string', 'null']` are plain good JSON Schema. No schema is kept by its `$id`:
 * handlers cannot refer to, or collide with, each other's.
 */
const options: Options = {
  strict: true,
  strictRequired: false,
  strictTuples: false,
  allowUnionTypes: true,
  addUsedSchema: false,
  logger: false,
};

/** Returns `compile(schema)`; one per process is enough, an ajv instance costs more than a schema. @throws Error from compile, saying what to mend */
export function createSchemaCompiler(): (schema: object) => PayloadCheck {
  const quick = new Ajv2020(options);
  // What it compiles has been validated by the other: once is enough, for it means to compile the meta-schema first.
  const thorough = new Ajv2020({ ...options, validateSchema: false, allErrors: true, verbose: true });
  addFormats.default(quick);
  addFormats.default(thorough);

  return (schema) => {
    if ('$async' in schema) throw new Error('is asynchronous: remove $async');
    try {
      const fits = quick.compile(schema);
      const search = thorough.compile(schema);
      return (payload) => {
        try {
          if (fits(payload)) return undefined;
          if (!hasMoreValuesThan(payload, MOST_VALUES_SEARCHED)) search(payload);
          return sentence(search.errors ?? fits.errors ?? []);
        } catch (error) {
          if (error instanceof RangeError) return 'the payload is nested too deeply';
          throw error;
        } finally {
          search.errors = null;
        }
      };
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof Ajv2020.MissingRefError) {
    return `refers to ${JSON.stringify(error.missingRef)}, which is not in it: put what it needs under $defs`;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith('no schema with key or ref')) {
    return 'names another dialect in $schema: JSON Schema 2020-12 is understood, so remove $schema or change it';
  }
  return `does not compile: ${clip(message.replace(/^strict mode: /, ''), 400)}`;
}

function hasMoreValuesThan(payload: unknown, limit: number): boolean {
  const waiting: unknown[] = [payload];
  for (let seen = 0; waiting.length > 0; seen++) {
    if (seen + waiting.length > limit) return true;
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    // One by one: a spread of a huge array would overflow the stack.
    for (const inner of Object.values(value)) waiting.push(inner);
  }
  return false;
}

function sentence(errors: readonly ErrorObject[]): string {
  const faults = [...new Set(errors.filter((error) => !isEcho(error)).map(faultOf))];
  const told = faults.slice(0, MOST_FAULTS).join('; ');
  return faults.length > MOST_FAULTS ? `${told}; and ${faults.length - MOST_FAULTS} more` : told;
}

/** ajv reports these beside the fault that caused them. */
function isEcho(error: ErrorObject): boolean {
  return error.keyword === 'if' || error.propertyName !== undefined;
}

function faultOf(error: ErrorObject): string {
  const where = error.instancePath === '' ? 'the payload' : clip(error.instancePath, LONGEST_NAME);
  return clip(`${where} ${wrongWith(error)}`, LONGEST_FAULT);
}

function wrongWith(error: ErrorObject): string {
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case 'additionalProperties':
      return `must not have the property ${name(params['additionalProperty'])}`;
    case 'unevaluatedProperties':
      return `must not have the property ${name(params['unevaluatedProperty'])}`;
    case 'propertyNames':
      return withHint(`must not have a property named ${name(params['propertyName'])}`, error.schema);
    case 'enum':
      return `must be one of ${JSON.stringify(params['allowedValues'])}`;
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`;
    case 'not':
    case 'pattern':
    case 'format':
      return withHint(error.message ?? 'is not valid', error.parentSchema);
    default:
      return error.message ?? `does not fit '${error.keyword}'`;
  }
}

/** A schema's `description` says better than a pattern what is wanted. */
function withHint(message: string, schema: unknown): string {
  if (typeof schema !== 'object' || schema === null || !('description' in schema)) return message;
  return `${clip(message, LONGEST_NAME)}: ${String(schema.description)}`;
}

function name(value: unknown): string {
  return JSON.stringify(clip(String(value), LONGEST_NAME));
}

function clip(text: string, most: number): string {
  const plain = text.replace(/\p{Cc}/gu, ' ');
  return plain.length > most ? `${plain.slice(0, most - 1)}…` : plain;
}
