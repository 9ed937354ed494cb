import { expect } from 'chai';
import fc from 'fast-check';
import { maxDepth, parseJson } from '../../src/http/json.js';
import { itemsOf } from '../../src/http/json-array.js';
import { Rejection } from '../../src/http/problem.js';

const parse = (text: string): ReturnType<typeof parseJson> => parseJson(Buffer.from(text));

/** JSON text with odd spaces, escapes and order of keys: what a client may write, and JSON.stringify would not. */
const jsonText = (value: unknown, space: string): string => {
  if (Array.isArray(value))
    return `[${space}${value.map((item) => jsonText(item, space)).join(`${space},${space}`)}${space}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, item]) => `${JSON.stringify(key)}${space}:${space}${jsonText(item, space)}`,
    );
    return `{${space}${members.join(`,${space}`)}}`;
  }
  return JSON.stringify(value);
};

const spaces = fc.constantFrom('', ' ', '\n\t', '\r\n  ');
/** Depth is bounded, and the two poisonous keys are left to their own tests. */
const jsonValue = fc
  .jsonValue({ maxDepth: 6 })
  .filter((value) => !/__proto__|constructor/.test(JSON.stringify(value)));

describe('parseJson', () => {
  it('finds the bytes of any payload among any other fields', () => {
    fc.assert(
      fc.property(
        jsonValue,
        fc.array(fc.tuple(fc.string(), jsonValue)),
        fc.array(fc.tuple(fc.string(), jsonValue)),
        spaces,
        (payload, before, after, space) => {
          const others = (fields: readonly (readonly [string, unknown])[]): (readonly [string, unknown])[] =>
            fields.filter(([key]) => key !== 'payload' && !/__proto__|constructor/.test(key));
          const members = [...others(before), ['payload', payload] as const, ...others(after)];
          const body = members.map(
            ([key, value]) => `${space}${JSON.stringify(key)}:${space}${jsonText(value, space)}${space}`,
          );
          const text = `${space}{${body.join(',')}}${space}`;
          const parsed = parse(text);
          expect(parsed.payload?.toString()).to.equal(jsonText(payload, space));
          expect(parsed.value).to.deep.equal(JSON.parse(text));
        },
      ),
    );
  });

  const extents: readonly (readonly [string, string | undefined])[] = [
    ['{}', undefined],
    ['{"payloads":1}', undefined],
    ['{"x":{"payload":1}}', undefined],
    ['[{"payload":1}]', undefined],
    ['"payload"', undefined],
    ['{"x":"payload"}', undefined],
    ['{"payload":"payload"}', '"payload"'],
    ['{"x":"payload","payload":2}', '2'],
    ['{"payload":1,"payload":2}', '2'],
    ['{"payload":{"payload":1}}', '{"payload":1}'],
    ['{"p\\u0061yload":3}', '3'],
    ['{"payload":"\\"},{","x":1}', '"\\"},{"'],
    ['{"payload":"\\\\","x":1}', '"\\\\"'],
    ['{"payload":[[1,2],{"a":[]}] }', '[[1,2],{"a":[]}]'],
  ];
  for (const [text, payload] of extents) {
    it(`takes ${payload} as the payload of ${text}`, () => {
      expect(parse(text).payload?.toString()).to.equal(payload);
    });
  }

  it('never throws anything but a Rejection, whatever the bytes', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ',',
      ':',
      'payload',
      '"payload":',
      '1',
      'é',
      ' ',
    );
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map(Buffer.from),
      fc.array(pieces).map((some) => Buffer.from(some.join(''))),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        try {
          parseJson(bytes);
        } catch (error) {
          expect(error).to.be.instanceOf(Rejection);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('counts the levels of arrays and objects alike', () => {
    const nested = (levels: number): string => '{"a":['.repeat(levels / 2) + ']}'.repeat(levels / 2);
    expect(parse(nested(maxDepth)).payload).to.equal(undefined);
    expect(() => parse(nested(maxDepth + 2))).to.throw(Rejection, `deeper than ${maxDepth} levels`);
  });
});

describe('itemsOf', () => {
  it('splits any array into the texts of its items', () => {
    fc.assert(
      fc.property(fc.array(jsonValue), spaces, (values, space) => {
        const texts = values.map((value) => jsonText(value, space));
        const bytes = Buffer.from(`${space}[${space}${texts.join(`${space},${space}`)}${space}]${space}`);
        expect([...itemsOf(bytes)].map(String)).to.deep.equal(texts);
      }),
    );
  });

  it('takes an array exactly when JSON does', () => {
    const pieces = fc.constantFrom('[', ']', ',', '{', '}', '"', '1', '{"a":1}', '"],"', ' ');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (some) => {
        const text = `[${some.join('')}`;
        const ours = attempt(() => [...itemsOf(Buffer.from(text))].map((item) => parseJson(item).value));
        expect(ours).to.deep.equal(attempt(() => JSON.parse(text)));
      }),
      { numRuns: 2000 },
    );
  });

  it('passes over a byte order mark', () => {
    expect([...itemsOf(Buffer.from('\ufeff[1]'))].map(String)).to.deep.equal(['1']);
  });
});

function attempt(run: () => unknown): unknown {
  try {
    return run();
  } catch {
    return 'refused';
  }
}
