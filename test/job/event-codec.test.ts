import { expect } from 'chai';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { Undecodable } from '../../src/job/errors.js';
import type { EventBatch, JobEvent } from '../../src/job/event.js';
import { decodeBatch, encodeBatch, sentAtOf } from '../../src/job/event-codec.js';
import { anyBatch } from './support/any-event.js';

const startMs = Date.UTC(2026, 0, 1);
const started: JobEvent = {
  kind: 'started',
  id: v7({ msecs: startMs }),
  type: 'echo',
  queue: 'default',
  lane: 'normal',
  run: 1,
  attempt: 1,
  dueAtMs: startMs,
  atMs: startMs + 10,
};

function batchOf(...events: readonly JobEvent[]): EventBatch {
  return {
    source: '6f1c1c0e-0f43-4a0b-9a52-0d9f2b1f5a11',
    seq: 1,
    role: 'work',
    host: 'here 1',
    atMs: startMs + 20,
    held: 0,
    isLast: false,
    events,
  };
}

describe('the codec of event batches', () => {
  it('reads back any batch that it has written', () => {
    fc.assert(
      fc.property(anyBatch, (batch) => {
        expect(decodeBatch(encodeBatch(batch))).to.deep.equal(batch);
      }),
    );
  });

  it('throws nothing but Undecodable, whatever has become of the bytes', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        anyBatch,
        fc.array(change, { minLength: 1 }),
        fc.option(fc.nat()),
        (batch, changes, cut) => {
          const bytes = encodeBatch(batch);
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          expectReadOrUndecodable(cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('throws nothing but Undecodable for JSON of any other shape', () => {
    const strange = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(undefined));
    fc.assert(
      fc.property(anyBatch, fc.array(fc.tuple(fc.nat(), strange)), (batch, changes) => {
        const made = JSON.parse(encodeBatch(batch).toString()) as Record<string, unknown>;
        for (const [where, value] of changes) replaceAt(made, where, value);
        expectReadOrUndecodable(Buffer.from(JSON.stringify(made)));
      }),
      { numRuns: 1000 },
    );
  });

  it('tells when a batch was sent without reading it', () => {
    fc.assert(fc.property(anyBatch, (batch) => sentAtOf(encodeBatch(batch)) === batch.atMs));
    const host = ',"at":1,';
    expect(sentAtOf(encodeBatch({ ...batchOf(started), host }))).to.equal(batchOf(started).atMs);
    expect(sentAtOf(Buffer.from('{}'))).to.equal(undefined);
  });

  it('writes what the events of a batch share once', () => {
    const [one, two] = [batchOf(started), batchOf(started, started)].map(
      (batch) => encodeBatch(batch).length,
    );
    expect((two ?? 0) - (one ?? 0)).to.be.below(60);
  });

  const wrong: readonly (readonly [title: string, change: (batch: Wire) => void, message: RegExp])[] = [
    ['a format of the future', (batch) => Object.assign(batch, { v: 2 }), /format 2 .* reads format 1/],
    ['no source', (batch) => Object.assign(batch, { source: 'me' }), /source must be a UUID/],
    [
      'a batch before the first',
      (batch) => Object.assign(batch, { seq: 0 }),
      /seq must be a whole number from 1/,
    ],
    [
      'a role that is not known',
      (batch) => Object.assign(batch, { role: 'cook' }),
      /role must be one of serve/,
    ],
    [
      'a queue of another language',
      (batch) => Object.assign(batch.names[0], ['echo', 'a.b']),
      /name 0: queue/,
    ],
    ['a kind of the future', (batch) => Object.assign(batch.events[0], [99]), /event 0: kind 99/],
    ['an id that is none', (batch) => Object.assign(batch.events[0], [1, 'x']), /event 0: id/],
    ['a name that is not listed', (batch) => Object.assign(batch.events[0], { 2: 7 }), /event 0: name 7/],
    ['a run too many', (batch) => Object.assign(batch.events[0], { 3: 65536 }), /run .* from 1 to 65535/],
    ['a time before time', (batch) => Object.assign(batch.events[0], { 6: -9e15 }), /event 0: time/],
    [
      'a time that no date can say',
      (batch) => Object.assign(batch.events[0], { 6: 8.64e15 }),
      /event 0: time/,
    ],
  ];
  for (const [title, change, message] of wrong) {
    it(`refuses ${title}, and says so`, () => {
      const wire = JSON.parse(encodeBatch(batchOf(started)).toString()) as Wire;
      change(wire);
      expect(() => decodeBatch(Buffer.from(JSON.stringify(wire)))).to.throw(Undecodable, message);
    });
  }

  it('leaves alone what a later release has added', () => {
    const wire = JSON.parse(encodeBatch(batchOf(started)).toString()) as Wire;
    wire.events[0].push('more');
    expect(decodeBatch(Buffer.from(JSON.stringify({ ...wire, more: 1 })))).to.deep.equal(batchOf(started));
  });

  it('does not take damaged text for text', () => {
    const bytes = encodeBatch({ ...batchOf(started), host: '?' });
    bytes[bytes.indexOf('?')] = 0xff;
    expect(() => decodeBatch(bytes)).to.throw(Undecodable, /UTF-8/);
  });

  it('refuses JSON nested as deep as it gets', () => {
    expect(() => decodeBatch(Buffer.from('['.repeat(1_000_000)))).to.throw(Undecodable, /not JSON/);
  });
});

interface Wire {
  readonly names: readonly [unknown[]];
  readonly events: readonly [unknown[]];
}

function expectReadOrUndecodable(bytes: Buffer): void {
  try {
    decodeBatch(bytes);
  } catch (error) {
    expect(error).to.be.instanceOf(Undecodable);
  }
}

/** Puts `value` somewhere into `made`, in the depth too. */
function replaceAt(made: object, where: number, value: unknown): void {
  const keys = Object.keys(made);
  if (keys.length === 0) return;
  const key = keys[where % keys.length] ?? '';
  const inside = (made as Record<string, unknown>)[key];
  const rest = Math.floor(where / keys.length);
  if (typeof inside === 'object' && inside !== null && rest % 4 !== 0) replaceAt(inside, rest >> 2, value);
  else (made as Record<string, unknown>)[key] = value;
}
