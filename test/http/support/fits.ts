/** Whether a live answer is what the contract says. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';
import type { TSchema } from 'typebox';

const ajv = new Ajv2020({ strict: true, allErrors: true });
addFormats.default(ajv);

/** Returns the value for further looks. */
export function expectFits<Value>(schema: TSchema, value: Value): Value {
  const fits = ajv.compile(schema);
  expect(fits(value), `${ajv.errorsText(fits.errors)} in ${JSON.stringify(value)}`).to.equal(true);
  return value;
}
