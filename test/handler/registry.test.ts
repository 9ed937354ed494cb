import { expect } from 'chai';
import fc from 'fast-check';
import { type AnyHandler, defineHandler, Type } from '../../src/handler/define.js';
import { createRegistry } from '../../src/handler/registry.js';
import { Invalid } from '../../src/job/errors.js';

const handler = (type: string, payload: object = {}, more: object = {}): AnyHandler =>
  ({ type, payload, run: () => undefined, ...more }) as AnyHandler;

const faultsOf = (handlers: readonly AnyHandler[], extraQueues: readonly string[] = []): string => {
  try {
    createRegistry({ handlers, extraQueues });
  } catch (error) {
    expect(error).to.be.instanceOf(Invalid).with.property('code', 'invalid_handler');
    return (error as Invalid).message;
  }
  return 'accepted';
};

describe('the registry', () => {
  it('fills in the default queue and keeps the one a handler names', () => {
    const registry = createRegistry({ handlers: [handler('a'), handler('b', {}, { queue: 'mail' })] });
    expect(registry.get('a')).to.include({ type: 'a', queue: 'default' });
    expect(registry.get('b')).to.include({ type: 'b', queue: 'mail' });
    expect(registry.get('c')).to.equal(undefined);
  });

  it('knows a closed, sorted set of queues and types, default always among the queues', () => {
    const registry = createRegistry({
      handlers: [handler('z', {}, { queue: 'mail' }), handler('a', {}, { queue: 'mail' })],
      extraQueues: ['zoo', 'bulk', 'mail'],
    });
    expect(registry.queues).to.deep.equal(['bulk', 'default', 'mail', 'zoo']);
    expect(registry.types).to.deep.equal(['a', 'z']);
    expect(registry.hasQueue('default')).to.equal(true);
    expect(registry.hasQueue('constructor')).to.equal(false);
    expect(createRegistry({ handlers: [] }).queues).to.deep.equal(['default']);
  });

  it('does not take inherited names for types', () => {
    expect(createRegistry({ handlers: [] }).get('toString')).to.equal(undefined);
  });

  it('refuses a type taken twice, so that nobody replaces a shipped handler unawares', () => {
    expect(faultsOf([handler('echo'), handler('echo')])).to.match(/"echo": the type is taken.*rename yours/);
  });

  it('reports every faulty handler and queue in one message', () => {
    const said = faultsOf(
      [handler('a', { typo: 1 }), handler('b c'), handler('d'), handler('d')],
      ['No.Dots'],
    );
    expect(said.split('\n')).to.have.length(4);
    expect(said)
      .to.match(/"a".*typo/)
      .and.match(/"b c".*type must/)
      .and.match(/"d".*taken/)
      .and.match(/"No\.Dots" must match/);
  });

  const bad: readonly [string, object, RegExp][] = [
    [
      'a keyword that does not exist',
      { type: 'object', propertees: {} },
      /does not compile: unknown keyword: "propertees"/,
    ],
    ['a type that does not exist', { type: 'strnig' }, /does not compile.*type/],
    [
      'a pattern that is no regular expression',
      { type: 'string', pattern: '(' },
      /does not compile.*regular expression/i,
    ],
    [
      'a format that does not exist',
      { type: 'string', format: 'phone' },
      /does not compile: unknown format "phone"/,
    ],
    [
      'a reference to the outside',
      { $ref: 'https://example.com/a.json' },
      /refers to "https:\/\/example.com\/a.json".*\$defs/,
    ],
    ['a reference to nothing', { $ref: '#/$defs/a' }, /refers to "#\/\$defs\/a"/],
    ['an asynchronous schema', { $async: true }, /remove \$async/],
    ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, /JSON Schema 2020-12/],
  ];
  for (const [title, schema, said] of bad) {
    it(`refuses a schema with ${title}`, () => {
      expect(faultsOf([handler('mine', schema)]))
        .to.match(said)
        .and.match(/^handler "mine": its payload schema /);
    });
  }

  it('lets no handler refer to the schema of another', () => {
    const named = handler('a', { $id: 'https://example.com/a', type: 'string' });
    expect(faultsOf([named, handler('b', { $ref: 'https://example.com/a' })])).to.match(
      /handler "b".*refers to/,
    );
    expect(faultsOf([named, handler('b', { $id: 'https://example.com/a', type: 'number' })])).to.equal(
      'accepted',
    );
  });

  it('accepts what is plain good JSON Schema: unions, anyOf with required, tuples, formats, references within', () => {
    const registry = createRegistry({
      handlers: [
        handler('a', {
          type: 'object',
          properties: {
            note: { type: ['string', 'null'] },
            at: { type: 'string', format: 'date-time' },
            pair: { type: 'array', prefixItems: [{ type: 'string' }] },
            tree: { $ref: '#/$defs/tree' },
          },
          anyOf: [{ required: ['note'] }, { required: ['at'] }],
          $defs: { tree: { type: 'array', items: { $ref: '#/$defs/tree' } } },
        }),
      ],
    });
    expect(registry.checkPayload('a', { note: null, pair: ['x', 1], tree: [[], [[]]] })).to.equal(undefined);
    expect(registry.checkPayload('a', { at: 'yesterday' })).to.equal('/at must match format "date-time"');
    expect(registry.checkPayload('a', {})).to.match(/the payload must have required property 'note'/);
  });
});

describe('checkPayload', () => {
  const check = (schema: object, payload: unknown): string | undefined =>
    createRegistry({ handlers: [handler('t', schema)] }).checkPayload('t', payload);

  it('is silent about a payload that fits', () => {
    expect(check(Type.Object({ n: Type.Integer() }), { n: 1 })).to.equal(undefined);
    for (const value of [null, 0, '', [], {}, false]) expect(check({}, value)).to.equal(undefined);
  });

  it('refuses a type that it does not know', () => {
    expect(createRegistry({ handlers: [] }).checkPayload('ghost', {})).to.equal('no handler has this type');
  });

  it('names each fault with its JSON pointer', () => {
    const schema = Type.Object(
      { a: Type.Object({ b: Type.Array(Type.Integer()) }), c: Type.String() },
      { additionalProperties: false },
    );
    expect(check(schema, { a: { b: [1, 'x', 2.5] }, d: 1 })).to.equal(
      'the payload must have required property \'c\'; the payload must not have the property "d"; /a/b/1 must be integer; /a/b/2 must be integer',
    );
    expect(check(schema, 'text')).to.equal('the payload must be object');
  });

  it('says which values are allowed', () => {
    expect(check({ enum: ['red', 'blue'] }, 'green')).to.equal('the payload must be one of ["red","blue"]');
    expect(check({ const: 7 }, 8)).to.equal('the payload must be 7');
  });

  it('uses the description of a schema where a pattern alone says little', () => {
    expect(check({ type: 'string', pattern: '^x', description: 'a name with x' }, 'y')).to.equal(
      'the payload must match pattern "^x": a name with x',
    );
    expect(
      check({ type: 'object', propertyNames: { pattern: '^x', description: 'x first' } }, { y: 1 }),
    ).to.equal('the payload must not have a property named "y": x first');
  });

  it('leaves a payload as it is: no defaults, no coercion', () => {
    const payload = { n: '1' };
    expect(
      check(
        { type: 'object', properties: { n: { type: 'integer' }, m: { type: 'string', default: 'x' } } },
        payload,
      ),
    ).to.match(/\/n/);
    expect(payload).to.deep.equal({ n: '1' });
  });

  it('caps how much it tells', () => {
    const said = check({ type: 'array', items: { type: 'integer' } }, Array(50).fill('x')) ?? '';
    expect(said.split('; ')).to.have.length(9);
    expect(said).to.match(/; and 42 more$/);
    const long = check({ type: 'object', additionalProperties: false }, { ['k'.repeat(10_000)]: 1 }) ?? '';
    expect(long.length).to.be.below(300);
  });

  it('stays small in the face of a huge payload that is wrong everywhere', () => {
    const said = check({ type: 'array', items: { type: 'integer' } }, Array(500_000).fill('x'));
    expect(said).to.equal('/0 must be integer');
  });

  it('survives a payload nested deeper than the stack', () => {
    const deep = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000)) as unknown;
    expect(
      check({ $ref: '#/$defs/t', $defs: { t: { type: 'array', items: { $ref: '#/$defs/t' } } } }, deep),
    ).to.equal('the payload is nested too deeply');
  });

  it('carries nothing over from one check to the next', () => {
    const registry = createRegistry({
      handlers: [handler('t', { type: 'array', items: { type: 'integer' }, maxItems: 2_500 })],
    });
    expect(registry.checkPayload('t', ['x'])).to.equal('/0 must be integer');
    expect(registry.checkPayload('t', [1])).to.equal(undefined);
    expect(registry.checkPayload('t', Array(3_000).fill(1))).to.equal(
      'the payload must NOT have more than 2500 items',
    );
  });

  it('never echoes a value of the payload, and stays one short line, whatever comes', () => {
    const registry = createRegistry({
      handlers: [
        defineHandler({
          type: 't',
          payload: Type.Object(
            {
              a: Type.String({ maxLength: 3, pattern: '^a' }),
              b: Type.Integer({ minimum: 9 }),
              c: Type.Enum(['x', 'y']),
              d: Type.Array(Type.Null(), { uniqueItems: true }),
            },
            { additionalProperties: false },
          ),
          run: () => undefined,
        }),
      ],
    });
    const secret = 'hunter2-correct-horse';
    const value = fc.constantFrom<unknown>(
      secret,
      [secret, secret],
      { [`${secret.length}`]: secret },
      7,
      null,
      [null, null],
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e\n\u0000'), value), (payload) => {
        const said = registry.checkPayload('t', payload) ?? '';
        expect(said).to.not.contain(secret);
        expect(said).to.not.match(/\p{Cc}/u);
        expect(said.length).to.be.below(2_100);
      }),
    );
  });
});
