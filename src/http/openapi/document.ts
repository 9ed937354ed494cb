/** The OpenAPI 3.1 document of a server: made of the schemas that validate, of its routes described, and of its job types. */
import { errorStatus } from '../../api/contract.js';
import { auditOperation } from './audit.js';
import { meanings } from './codes.js';
import { deadLetterOperations } from './dead-letters.js';
import { jobOperations } from './jobs.js';
import { operationObject, type Part, requestHeaders } from './operation.js';
import { openOperations } from './ops.js';
import { queueOperations } from './queues.js';
import { type DocumentedType, refer, schemasOf } from './schemas.js';

const operations = [
  ...jobOperations,
  ...deadLetterOperations,
  ...queueOperations,
  auditOperation,
  ...openOperations,
];

const tags = [
  { name: 'Jobs', description: 'Submit jobs, and see what became of them.' },
  { name: 'Dead letters', description: 'Jobs that no attempt can help, with their payloads and errors.' },
  { name: 'Queues', description: 'How queues stand, and what operators order them.' },
  { name: 'Audit', description: 'Whether every job that was accepted can be accounted for.' },
  { name: 'Operations', description: 'For probes, Prometheus and browsers; open without a key.' },
];

const introduction = `A peak-shaving job queue: takes the burst over HTTP, holds it durably, drains it at the pace your workers can bear.

Errors are \`application/problem+json\` (RFC 9457) with a stable \`code\`. A path that is not listed here answers \`404 not_found\`, a
method that is not, \`405 method_not_allowed\`. Unknown fields and query parameters are errors, never ignored. \`HEAD\` is answered
wherever \`GET\` is.

| status | code | |
|---|---|---|
`;

/** @param isKeyed  whether the server has API keys */
export function createDocument(jobTypes: readonly DocumentedType[], isKeyed: boolean): Part {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      // Of the interface: its paths begin with it.
      version: '1',
      description: introduction + codeRows(),
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server' }],
    tags,
    paths: pathsOf(isKeyed),
    components: {
      schemas: schemasOf(jobTypes),
      parameters: Object.fromEntries(
        Object.entries(requestHeaders).map(([name, header]) => {
          return [name, { name, in: 'header', required: false, ...header }];
        }),
      ),
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description: `An API key with the scope that the route needs: \`submit\`, \`read\` or \`operate\`. ${
            isKeyed
              ? 'This server asks for one.'
              : 'This server has no keys: it takes requests from everybody.'
          }`,
        },
      },
    },
  };
}

function pathsOf(isKeyed: boolean): Part {
  const paths = new Map<string, Record<string, Part>>();
  for (const operation of operations) {
    const methods = paths.get(operation.path) ?? {};
    methods[operation.method] = operationObject(operation, refer, isKeyed);
    paths.set(operation.path, methods);
  }
  return Object.fromEntries(paths);
}

function codeRows(): string {
  return Object.entries(errorStatus)
    .map(([code, status]) => `| ${status} | \`${code}\` | ${meanings[code as keyof typeof errorStatus]} |\n`)
    .join('');
}
