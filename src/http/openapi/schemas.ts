/** The schemas that have a name in the document: those of `api/`, as they are, and what each job type takes. */
import { AuditReport, Finding } from '../../api/audit.js';
import {
  Accepted,
  BatchAnswer,
  BatchItem,
  BatchRefusal,
  CancelAnswer,
  JobAnswer,
  JobPage,
  JobRequest,
  JobSummary,
  Problem,
  ReplayAnswer,
  ReplayRequest,
} from '../../api/contract.js';
import {
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterPage,
  DiscardRequest,
  RedriveAccepted,
  RedriveList,
  ReplayRequest as RedriveRequest,
  RedriveView,
} from '../../api/dead-letters.js';
import { Live, NotReady, Ready } from '../../api/health.js';
import { QueueChange, QueueList, QueueOrdered, QueueView } from '../../api/queues.js';
import type { Part, Refer } from './operation.js';

export interface DocumentedType {
  readonly type: string;
  readonly queue: string;
  /** JSON Schema. */
  readonly payload: object;
}

/** Stands for the job types of the server, which are not known here. */
export const KnownJob = {};

const named: Readonly<Record<string, object>> = {
  Accepted,
  AuditReport,
  BatchAnswer,
  BatchItem,
  BatchRefusal,
  CancelAnswer,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterPage,
  DiscardRequest,
  ErrorCode: Problem.properties.code,
  Finding,
  JobAnswer,
  JobPage,
  JobRequest,
  JobSummary,
  KnownJob,
  Live,
  NotReady,
  Problem,
  QueueChange,
  QueueList,
  QueueOrdered,
  QueueView,
  Ready,
  RedriveAccepted,
  RedriveList,
  RedriveRequest,
  RedriveView,
  ReplayAnswer,
  ReplayRequest,
};

const names = new Map(Object.entries(named).map(([name, schema]) => [schema, name]));

/** A named schema, at whatever depth, becomes a reference to its name. */
export const refer: Refer = (schema) => {
  const name = names.get(schema);
  return name === undefined ? inside(schema) : { $ref: pointerTo(name) };
};

function inside(schema: object): Part {
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, referredIn(value)]));
}

function referredIn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referredIn);
  return typeof value === 'object' && value !== null ? refer(value) : value;
}

/** `components.schemas` of a server with these job types. */
export function schemasOf(jobTypes: readonly DocumentedType[]): Part {
  const known = {
    title: 'KnownJob',
    description: 'What the job types of this server take.',
    oneOf: jobTypes.map(({ type, queue, payload }, index) => ({
      title: type,
      description: `Goes to the queue \`${queue}\` unless the request names another.`,
      properties: {
        type: { const: type },
        payload: moved(payload, `${pointerTo('KnownJob')}/oneOf/${index}/properties/payload`),
      },
    })),
  };
  const schemas = Object.entries(named).map(([name, schema]) => [name, { title: name, ...inside(schema) }]);
  return { ...Object.fromEntries(schemas), KnownJob: known };
}

function pointerTo(name: string): string {
  return `#/components/schemas/${name}`;
}

/** Keywords whose values are data, in which `$ref` means nothing. */
const dataKeywords = new Set(['const', 'default', 'enum', 'examples']);
/** Keywords whose values are schemas by names, which are no keywords. */
const mapKeywords = new Set(['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties']);

/** What refers to its own root, refers from the root of the document. A schema with an `$id` stays a root of its own. */
function moved(value: unknown, place: string, isMap = false): unknown {
  if (Array.isArray(value)) return value.map((one) => moved(one, place));
  if (typeof value !== 'object' || value === null) return value;
  if (!isMap && '$id' in value) return value;
  const entries = Object.entries(value).map(([key, inner]) => {
    if (isMap) return [key, moved(inner, place)];
    if (dataKeywords.has(key)) return [key, inner];
    const isOwn = key === '$ref' && typeof inner === 'string' && /^#(?:\/|$)/.test(inner);
    return [key, isOwn ? place + inner.slice(1) : moved(inner, place, mapKeywords.has(key))];
  });
  const made = Object.fromEntries(entries);
  return isMap ? made : withoutSiblings(made);
}

/** A reference beside other keywords, said in a way that older readers take, too: they follow it past what stands beside it. */
function withoutSiblings(schema: Record<string, unknown>): object {
  const { $ref, allOf = [], ...rest } = schema;
  if (typeof $ref !== 'string' || Object.keys(schema).length === 1) return schema;
  return { ...rest, allOf: [...(allOf as unknown[]), { $ref }] };
}
