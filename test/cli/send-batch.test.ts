/** The ledger of a batch, and how a stream of lines is cut into requests. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Chunk, type ChunkLimits, chunksOf, type LongLine } from '../../src/cli/ndjson-chunks.js';
import { type Ledger, type LineFault, sendBatch } from '../../src/cli/send-batch.js';
import type { Outcome } from '../../src/cli/server.js';

async function* streamOf(pieces: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

async function cut(pieces: readonly (string | Buffer)[], limits: ChunkLimits): Promise<(Chunk | LongLine)[]> {
  const all: (Chunk | LongLine)[] = [];
  for await (const chunk of chunksOf(streamOf(pieces), limits)) all.push(chunk);
  return all;
}

const wide: ChunkLimits = { lines: 1000, bytes: 1_000_000 };

describe('lines cut into requests', () => {
  it('are the same lines with the same numbers, however the stream arrives', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'ü', ' ', '\r', '{'), maxLength: 12 });
    const cuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
    const limits = fc.record({
      lines: fc.integer({ min: 1, max: 5 }),
      bytes: fc.integer({ min: 30, max: 80 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(line), cuts, limits, fc.boolean(), async (lines, sizes, limit, isEnded) => {
        const bytes = Buffer.from(lines.join('\n') + (isEnded ? '\n' : ''));
        const pieces: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          pieces.push(bytes.subarray(at, at + size));
          at += size;
        }
        const found = (await cut(pieces, limit)).flatMap((chunk) => {
          if (chunk.kind === 'long-line') throw new Error('no line is that long');
          expect(chunk.lines.length).to.be.at.least(1).and.at.most(limit.lines);
          expect(chunk.body.length).to.be.at.most(limit.bytes);
          const texts = chunk.body.toString().split('\n').slice(0, -1);
          expect(texts).to.have.length(chunk.lines.length);
          return texts.map((text, index) => [chunk.lines[index], text] as const);
        });
        const expected = lines
          .map((text, index) => [index + 1, text] as const)
          .filter(([, text]) => /[^ \r\t]/.test(text));
        expect(found).to.deep.equal(expected);
      }),
    );
  });

  it('leave out a line that is longer than a request, and keep its neighbours', async () => {
    const found = await cut(['short\n', 'x'.repeat(30), 'x'.repeat(30), '\nend'], { lines: 10, bytes: 20 });
    expect(found.map((one) => (one.kind === 'chunk' ? one.body.toString() : one.line))).to.deep.equal([
      2,
      'short\nend\n',
    ]);
  });

  it('take a line that just fits', async () => {
    const [chunk, more] = await cut(['x'.repeat(19)], { lines: 10, bytes: 20 });
    expect(chunk).to.include({ kind: 'chunk' });
    expect(more).to.equal(undefined);
  });

  it('leave the bytes of a line alone, but for a byte order mark at the start', async () => {
    const odd = Buffer.from([0xff, 0x00, 0xfe]);
    const [chunk] = await cut([Buffer.from([0xef, 0xbb, 0xbf]), odd], wide);
    expect(chunk?.kind === 'chunk' && chunk.body).to.deep.equal(Buffer.concat([odd, Buffer.from('\n')]));
  });
});

describe('the ledger of a batch', () => {
  /** Sends `lines` lines two by two; `outcomes` are the server's answers in turn. */
  async function send(lines: number, outcomes: readonly Outcome[], patienceMs = 10_000) {
    const faults: LineFault[] = [];
    const waits: number[] = [];
    const bodies: string[] = [];
    const chunks = chunksOf(streamOf(Array.from({ length: lines }, (_, index) => `${index + 1}\n`)), {
      lines: 2,
      bytes: 100,
    });
    const ledger: Ledger = await sendBatch(chunks, {
      post: async ({ body }) => {
        bodies.push(body.toString());
        return outcomes[bodies.length - 1] ?? accepted(2);
      },
      wait: async (ms) => waits.push(ms),
      patienceMs,
      onFault: (fault) => faults.push(fault),
      onProgress: () => undefined,
      onWait: () => undefined,
    });
    return { ledger, faults, waits, bodies };
  }
  const accepted = (count: number, errors: readonly object[] = []): Outcome => ({
    kind: 'accepted',
    body: { accepted: count, rejected: errors.length, errors },
  });
  const refused = (status: number, retryAfterMs?: number, body: object = {}): Outcome => ({
    kind: 'refused',
    status,
    body: { code: 'a_code', ...body },
    retryAfterMs,
    line: `${status} a_code: no`,
  });
  const unknown: Outcome = { kind: 'unknown', line: 'gone' };

  it('adds up what was accepted and rejected', async () => {
    const { ledger, faults } = await send(5, [
      accepted(2),
      accepted(1, [{ index: 1, code: 'x', detail: 'y' }]),
      accepted(1),
    ]);
    expect(ledger).to.deep.equal({ accepted: 4, rejected: 1, unknown: 0, stopped: undefined });
    expect(faults).to.deep.equal([{ line: 4, code: 'x', detail: 'y' }]);
  });

  it('goes on behind lines that were all refused', async () => {
    const errors = [0, 1].map((index) => ({ index, code: 'x', detail: `d${index}` }));
    const { ledger, faults } = await send(6, [
      refused(422, undefined, { errors }),
      refused(422),
      accepted(2),
    ]);
    expect(ledger).to.deep.equal({ accepted: 2, rejected: 4, unknown: 0, stopped: undefined });
    expect(faults.map(({ line }) => line)).to.deep.equal([1, 2, 3]);
    expect(faults[2]?.detail).to.include('and the 1 lines after it');
  });

  it('tries again after 503 and 429 as long as it has patience', async () => {
    const { ledger, waits, bodies } = await send(2, [
      refused(503, 2000),
      refused(429),
      refused(503, 500),
      accepted(2),
    ]);
    expect(waits).to.deep.equal([2000, 1000, 500]);
    expect(new Set(bodies)).to.have.property('size', 1);
    expect(ledger).to.include({ accepted: 2, stopped: undefined });
    const impatient = await send(4, [refused(503, 2000), refused(503, 2000)], 3000);
    expect(impatient.waits).to.deep.equal([2000]);
    expect(impatient.ledger.stopped).to.deep.equal({
      reason: '503 a_code: no',
      resumeLine: 1,
      unknownLines: undefined,
    });
  });

  it('does not ask for ever a server that always says at once', async () => {
    const { waits, ledger } = await send(2, Array(1000).fill(refused(503, 0)), 1000);
    expect(waits).to.have.length.above(1).and.below(100);
    expect(ledger.stopped).to.include({ resumeLine: 1 });
  });

  it('stops where going on would repeat the same refusal', async () => {
    for (const status of [400, 401, 403, 404, 413, 415]) {
      const { ledger, bodies } = await send(6, [accepted(2), refused(status)]);
      expect(bodies).to.have.length(2);
      expect(ledger).to.deep.include({ accepted: 2, rejected: 0, unknown: 0 });
      expect(ledger.stopped).to.deep.equal({
        reason: `${status} a_code: no`,
        resumeLine: 3,
        unknownLines: undefined,
      });
    }
  });

  it('never sends again what may have been accepted', async () => {
    for (const outcome of [unknown, accepted(7), { kind: 'accepted', body: {} } as const]) {
      const { ledger, bodies } = await send(6, [accepted(2), outcome]);
      expect(bodies).to.deep.equal(['1\n2\n', '3\n4\n']);
      expect(ledger).to.include({ accepted: 2, rejected: 0, unknown: 2 });
      expect(ledger.stopped).to.deep.include({ resumeLine: 5, unknownLines: [3, 4] });
    }
  });

  it('stops before the first line when nothing listens', async () => {
    const { ledger } = await send(2, [{ kind: 'unreachable', line: 'nobody' }]);
    expect(ledger).to.deep.equal({
      accepted: 0,
      rejected: 0,
      unknown: 0,
      stopped: { reason: 'nobody', resumeLine: 1, unknownLines: undefined },
    });
  });
});
