/**
 * Checks what comes over the wire against the schemas of `api/contract`. These are ours, and `test/http/wire-schema.test.ts` holds them
 * against JSON Schema; to do so at each start would compile the whole of its meta-schema, once for each instance of ajv: a sixth of a start.
 */
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { TSchema } from 'typebox';

/** Tells of all faults. */
export function checkOf<Value>(schema: TSchema): ValidateFunction<Value> {
  return compiler(true).compile<Value>(schema);
}

/** Tells of the first fault. */
export function quickCheckOf<Value>(schema: TSchema): ValidateFunction<Value> {
  return compiler(false).compile<Value>(schema);
}

/** An instance of ajv costs more than a schema, and one takes any number. */
const compilers = new Map<boolean, Ajv2020>();

function compiler(allErrors: boolean): Ajv2020 {
  const known = compilers.get(allErrors);
  if (known !== undefined) return known;
  const ajv = new Ajv2020({ allErrors, validateSchema: false, addUsedSchema: false });
  addFormats.default(ajv);
  compilers.set(allErrors, ajv);
  return ajv;
}
