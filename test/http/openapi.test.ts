/** The OpenAPI document by itself: valid, complete, and its examples true. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import { errorStatus } from '../../src/api/contract.js';
import { createDocument } from '../../src/http/openapi/document.js';
import { handlers } from '../../workers/index.js';
import { codesOf, createDocumented, type OpenApi } from './support/documented.js';
import { documented } from './support/serve.js';

const { document, operations } = documented;
/** With the job types that every server has, for the examples. */
const shipped = createDocumented(
  createDocument(
    handlers({ httpPushAllowPrivate: false, retryMaxMs: 1 }).map((one) => ({ ...one, queue: 'default' })),
    true,
  ) as unknown as OpenApi,
);

async function faultsOf(given: object): Promise<unknown> {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(given) as Record<string, unknown>);
  return valid ? undefined : errors;
}

describe('the OpenAPI document', () => {
  it('is a valid one of version 3.1', async () => {
    expect(await faultsOf(document)).to.equal(undefined);
    expect(await faultsOf(createDocument([], false))).to.equal(undefined);
    expect(await faultsOf({ ...document, paths: { '/livez': { get: { responses: 1 } } } })).to.be.an('array');
  });

  it('refers to nothing that is not in it', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = '']) => ref);
    expect(refs).to.include('#/components/schemas/JobSummary');
    for (const ref of new Set(refs)) expect(at(document, ref), ref).to.be.an('object');
  });

  it('gives each operation a name of its own, a summary, a description of each answer, and a scope unless it is open', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).to.equal(ids.length);
    expect(ids).to.include.members([
      'submitJob',
      'submitBatch',
      'getJob',
      'listJobs',
      'cancelJob',
      'replayJob',
    ]);
    for (const { operation, path } of operations) {
      expect(operation.summary, path).to.match(/\w/);
      for (const response of Object.values(operation.responses))
        expect(response).to.have.property('description');
      const scopes = operation.security.flatMap((needs) => Object.values(needs).flat());
      expect(scopes, path).to.have.length(path.startsWith('/v1/') ? 1 : 0);
    }
  });

  it('tells of every error code, at its status', () => {
    const told = new Set<string>();
    for (const { operation } of operations) {
      for (const [status, response] of Object.entries(operation.responses)) {
        for (const code of codesOf(response)) {
          told.add(code);
          expect([operation.operationId, code, errorStatus[code as keyof typeof errorStatus]]).to.deep.equal([
            operation.operationId,
            code,
            Number(status),
          ]);
        }
      }
    }
    // No operation of the document answers it: its methods are those that there are.
    told.add('method_not_allowed');
    expect([...told].toSorted()).to.deep.equal(Object.keys(errorStatus).toSorted());
    const { info } = document as unknown as { info: { description: string } };
    for (const [code, status] of Object.entries(errorStatus))
      expect(info.description).to.include(`| ${status} | \`${code}\` |`);
  });

  it('has an example of each request, and all examples fit', () => {
    for (const { operation, method } of operations) {
      const bodies = Object.entries(operation.requestBody?.content ?? {});
      const answers = Object.values(operation.responses).flatMap(({ content }) => Object.entries(content));
      for (const [, { examples }] of bodies) expect(examples, operation.operationId).to.not.equal(undefined);
      for (const [type, { schema, example, examples = {} }] of [...bodies, ...answers]) {
        const values = [
          ...(example === undefined ? [] : [example]),
          ...Object.values(examples).map((one) => one.value),
        ];
        for (const value of values)
          shipped.expectFits(schema, value, `${method} ${operation.operationId} ${type}`);
      }
    }
  });

  it('tells what the job types take, and where they go', () => {
    const submit =
      document.paths['/v1/jobs']?.['post']?.requestBody?.content['application/json']?.schema ?? {};
    const takes = (value: unknown) => documented.expectFits(submit, value, 'a request');
    takes({ type: 'mail.send', payload: { to: 'ada' } });
    expect(() => takes({ type: 'mail.send', payload: {} })).to.throw("must have required property 'to'");
    expect(() => takes({ type: 'other', payload: {} })).to.throw('must be equal to constant');
    expect(() => takes({ type: 'echo', payload: {}, colour: 'red' })).to.throw('additional properties');
    expect(JSON.stringify(document)).to.include('Goes to the queue `mail`');
  });

  it('keeps what a payload schema refers to within itself', () => {
    const node = {
      type: 'object',
      properties: { next: { $ref: '#/$defs/node' }, $ref: { type: 'integer' } },
    };
    const types = [
      {
        type: 'list',
        queue: 'default',
        payload: { $ref: '#/$defs/node', $defs: { node, rooted: { $ref: '#' } } },
      },
      {
        type: 'own',
        queue: 'default',
        payload: {
          $id: 'https://example.com/own',
          $defs: { a: { type: 'null' } },
          anyOf: [{ $ref: '#/$defs/a' }],
        },
      },
    ];
    const data = { type: 'data', queue: 'default', payload: { default: { $ref: '#/as/it/stands' } } };
    const made = createDocument([...types, data], false) as unknown as OpenApi;
    const { expectFits } = createDocumented(made);
    const known = { $ref: '#/components/schemas/KnownJob' };
    expectFits(known, { type: 'list', payload: { next: { next: {} }, $ref: 1 } }, 'a list');
    expect(() => expectFits(known, { type: 'list', payload: { next: { next: 1 } } }, 'x')).to.throw(
      'must be object',
    );
    expect(() => expectFits(known, { type: 'list', payload: { $ref: 'a' } }, 'x')).to.throw(
      'must be integer',
    );
    expectFits(known, { type: 'own', payload: null }, 'own');
    expect(() => expectFits(known, { type: 'own', payload: 1 }, 'x')).to.throw('must be null');
    expect(JSON.stringify(made)).to.include('"default":{"$ref":"#/as/it/stands"}');
    expect(JSON.stringify(made)).to.include(
      '"rooted":{"$ref":"#/components/schemas/KnownJob/oneOf/0/properties/payload"}',
    );
  });

  it('asks for a key where the server does', () => {
    const security = (isKeyed: boolean): unknown =>
      (createDocument([], isKeyed) as unknown as OpenApi).paths['/v1/jobs']?.['get']?.security;
    expect(security(true)).to.deep.equal([{ apiKey: ['read'] }]);
    expect(security(false)).to.deep.equal([{ apiKey: ['read'] }, {}]);
  });
});

function at(root: object, ref: string): unknown {
  const words = ref
    .slice(2)
    .split('/')
    .map((word) => word.replaceAll('~1', '/').replaceAll('~0', '~'));
  return words.reduce<unknown>((place, word) => (place as Record<string, unknown> | undefined)?.[word], root);
}
