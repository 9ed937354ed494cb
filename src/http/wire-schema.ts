/**
 * Checks what comes over the wire against the schemas of `api/contract`. These are ours, and `test/http/wire-schema.test.ts` holds them
 * against JSON Schema; to do so at each start would compile the whole of its meta-schema, once for each instance of ajv: a sixth of a start.
 */
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { TSchema } from 'typebox';

const trusted = { validateSchema: false, addUsedSchema: false } as const;

/** Tells of all faults. */
export function checkOf<Value>(schema: TSchema): ValidateFunction<Value> {
  return compiler({ ...trusted, allErrors: true }).compile<Value>(schema);
}

/** Tells of the first fault. */
export function quickCheckOf<Value>(schema: TSchema): ValidateFunction<Value> {
  return compiler({ ...trusted, allErrors: false }).compile<Value>(schema);
}

function compiler(options: ConstructorParameters<typeof Ajv2020>[0]): Ajv2020 {
  const ajv = new Ajv2020(options);
  addFormats.default(ajv);
  return ajv;
}
