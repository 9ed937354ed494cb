/** Many jobs through the client: cut into requests, one result each, none twice. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type BatchItem, type BatchOptions, type BatchResult, submitBatch } from '../../src/client/batch.js';
import { broken, failureOf, type Reply, refused, type Seen, scripted } from './support/scripted.js';

type Line = BatchItem & { readonly idempotencyKey: string };
const linesOf = ({ body }: Seen): Line[] =>
  body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Takes each item as a server does: by its key once. `decide` refuses. */
function serverWith(decide: (line: Line, round: number) => string | undefined = () => undefined) {
  const ids = new Map<string, string>();
  const judge = (seen: Seen, round: number, most = Number.POSITIVE_INFINITY): Reply => {
    const lines = linesOf(seen);
    const errors: { index: number; code: string; detail: string }[] = [];
    const read = lines.slice(0, most + 1).map((line, index) => {
      const code = index === most ? 'payload_too_large' : decide(line, round);
      if (code !== undefined) errors.push({ index, code, detail: `no: ${code}` });
      else if (!ids.has(line.idempotencyKey)) ids.set(line.idempotencyKey, `id-${ids.size}`);
      return code === undefined ? (ids.get(line.idempotencyKey) ?? null) : null;
    });
    const accepted = read.length - errors.length;
    const books = { accepted, rejected: errors.length, ids: read, errors };
    if (accepted > 0) return { status: 202, body: books };
    const isPassing = errors.some(({ code }) => code === 'overloaded');
    const code = isPassing ? 'overloaded' : 'invalid_job';
    return { status: isPassing ? 503 : 422, body: { code, detail: 'none', ...books } };
  };
  return { ids, judge };
}

const items = (count: number): BatchItem[] =>
  Array.from({ length: count }, (_, n) => ({ type: 'echo', payload: { n } }));

async function resultsOf(
  reply: (seen: Seen, index: number) => Reply,
  given: Iterable<BatchItem> | AsyncIterable<BatchItem>,
  options?: BatchOptions,
) {
  const server = scripted(reply);
  const results: BatchResult[] = [];
  for await (const result of submitBatch(server.requests, given, options)) results.push(result);
  return { ...server, results };
}

describe('a batch of the client', () => {
  it('gives one result per item in their order, whatever the requests are cut to and the server refuses', async () => {
    const refusals = fc.array(fc.constantFrom(undefined, undefined, 'invalid_payload', 'overloaded'), {
      maxLength: 30,
    });
    const limits = { jobs: fc.integer({ min: 1, max: 7 }), bytes: fc.integer({ min: 1, max: 400 }) };
    await fc.assert(
      fc.asyncProperty(
        refusals,
        limits.jobs,
        limits.bytes,
        fc.integer({ min: 1, max: 9 }),
        async (codes, jobs, bytes, most) => {
          const tried = new Set<string>();
          const { ids, judge } = serverWith(({ payload, idempotencyKey }) => {
            const code = codes[(payload as { n: number }).n];
            if (code === 'overloaded' && tried.has(idempotencyKey)) return undefined;
            tried.add(idempotencyKey);
            return code;
          });
          const { results, seen } = await resultsOf(
            (one, round) => judge(one, round, most),
            items(codes.length),
            {
              chunkJobs: jobs,
              chunkBytes: bytes,
            },
          );
          expect(results.map(({ index }) => index)).to.deep.equal(codes.map((_, index) => index));
          for (const [index, code] of codes.entries()) {
            const result = results[index];
            if (code === 'invalid_payload')
              expect(result?.error).to.deep.equal({ code, detail: `no: ${code}` });
            else expect(result?.id).to.match(/^id-/);
          }
          expect(ids.size).to.equal(codes.filter((code) => code !== 'invalid_payload').length);
          for (const one of seen) {
            const lines = linesOf(one).length;
            expect(lines).to.be.at.most(jobs);
            if (lines > 1) expect(Buffer.byteLength(one.body)).to.be.at.most(bytes);
          }
        },
      ),
    );
  });

  it('takes items as they come and holds one request of them', async () => {
    const { judge } = serverWith();
    let made = 0;
    async function* endless(): AsyncGenerator<BatchItem> {
      for (;;) yield { type: 'echo', payload: made++ };
    }
    const { requests, seen } = scripted(judge);
    for await (const { index, id } of submitBatch(requests, endless(), { chunkJobs: 10 })) {
      expect(id).to.not.equal(null);
      expect(made).to.be.at.most(10 * seen.length + 1);
      if (index === 24) break;
    }
    expect(seen).to.have.length(3);
  });

  it('gives each item a key of its own, or takes yours', async () => {
    const { judge } = serverWith();
    const given = [...items(2), { type: 'echo', payload: 1, idempotencyKey: 'mine', queue: 'mail' }];
    const { seen } = await resultsOf(judge, given);
    const lines = seen.flatMap(linesOf);
    expect(new Set(lines.map(({ idempotencyKey }) => idempotencyKey))).to.have.property('size', 3);
    expect(lines[2]).to.deep.equal({ type: 'echo', payload: 1, idempotencyKey: 'mine', queue: 'mail' });
    expect(lines[0]?.idempotencyKey).to.match(/^[0-9a-f-]{36}\.0$/);
  });

  it('sends the same bytes again when a request was lost, and makes no second jobs', async () => {
    const { ids, judge } = serverWith();
    const { seen, results } = await resultsOf((one, index) => {
      const taken = judge(one, index);
      return index === 0 ? broken : taken;
    }, items(3));
    expect(seen.map(({ body }) => body)).to.deep.equal([seen[0]?.body, seen[0]?.body]);
    expect(results.map(({ id }) => id)).to.deep.equal(['id-0', 'id-1', 'id-2']);
    expect(ids.size).to.equal(3);
  });

  it('sends again only the items that were refused for now, and tells when they stay refused', async () => {
    const { judge } = serverWith(({ payload }) =>
      (payload as { n: number }).n === 1 ? 'overloaded' : undefined,
    );
    const { seen, results } = await resultsOf((one, round) => judge(one, round), items(3), {
      retry: { attempts: 3 },
    });
    expect(results.map(({ error }) => error?.code)).to.deep.equal([undefined, 'overloaded', undefined]);
    // The second is a batch of it alone, which is refused as a whole, three times.
    expect(seen.map((one) => linesOf(one).length)).to.deep.equal([3, 1, 1, 1]);
  });

  it('throws what is no verdict on an item', async () => {
    const { requests, seen } = scripted((_, index) =>
      index === 0 ? serverWith().judge(seen[0] as Seen, 0) : refused('forbidden', 403),
    );
    const results = submitBatch(requests, items(4), { chunkJobs: 2 });
    expect((await results.next()).value).to.include({ index: 0 });
    expect((await results.next()).value).to.include({ index: 1 });
    expect(await failureOf(results.next())).to.include({ status: 403 });
    const strange = scripted(() => ({ status: 202, body: { ids: [] } }));
    expect(await failureOf(submitBatch(strange.requests, items(1)).next())).to.include({
      code: 'unexpected_answer',
    });
  });

  it('sends nothing for no items', async () => {
    const { seen, results } = await resultsOf(() => ({ status: 500 }), []);
    expect([seen, results]).to.deep.equal([[], []]);
  });
});
