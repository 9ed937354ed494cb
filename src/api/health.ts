/** What `/livez` and `/readyz` answer. */
import type { Static } from 'typebox';
import { Type } from '../runtime/typebox.js';
import { Problem } from './contract.js';

const closed = { additionalProperties: false };

export const Live = Type.Object({ status: Type.Literal('live') }, closed);

export const Ready = Type.Object({ status: Type.Literal('ready') }, closed);

/** The 503 of `GET /readyz`. */
export const NotReady = Type.Object({
  ...Problem.properties,
  reasons: Type.Record(Type.String(), Type.String(), { description: 'What is not ready, by name, and why.' }),
});
export type NotReady = Static<typeof NotReady>;
