/** `sluice batch` as a process, against a small server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type FakeServer, fakeServer, type Reply, type Seen, sluice } from './run.js';

const linesOf = (seen: Seen): string[] => seen.body.trimEnd().split('\n');

/** Accepts what is `{"type":"echo"…` and rejects the rest by its index, as a server does. */
function judge(seen: Seen): Reply {
  const errors = linesOf(seen).flatMap((line, index) =>
    line.startsWith('{"type":"echo"') ? [] : [{ index, code: 'invalid_job', detail: `no job: ${line}` }],
  );
  const count = linesOf(seen).length;
  return { status: 202, body: { accepted: count - errors.length, rejected: errors.length, ids: [], errors } };
}

describe('sluice batch', () => {
  let folder: string;
  let server: FakeServer;
  let reply: (seen: Seen, index: number) => Reply;
  const file = (text: string): string => {
    const path = join(folder, 'jobs.ndjson');
    writeFileSync(path, text);
    return path;
  };
  const jobs = (count: number): string => '{"type":"echo","payload":1}\n'.repeat(count);
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-batch-'));
    reply = judge;
    server = await fakeServer((seen, index) => reply(seen, index));
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it('streams a file in requests of at most 10,000 lines and prints the sum', async () => {
    const ended = await sluice(['batch', file(jobs(25_000)), '--url', server.url, '--api-key', 'a-key']);
    expect(ended).to.deep.equal({ code: 0, stdout: 'accepted 25000, rejected 0\n', stderr: '' });
    expect(server.seen.map((seen) => linesOf(seen).length)).to.deep.equal([10_000, 10_000, 5000]);
    expect(server.seen[0]).to.include({ method: 'POST', url: '/v1/jobs/batch' });
    expect(server.seen[0]?.headers).to.include({
      'content-type': 'application/x-ndjson',
      authorization: 'Bearer a-key',
    });
  });

  it('names the lines that were refused by their number in the file, and fails', async () => {
    const text = `${jobs(2)}\nbad one\n${jobs(1)}  \r\nbad two`;
    const ended = await sluice(['batch', '-', '--url', server.url, '--chunk', '2'], { stdin: text });
    expect(ended.stderr).to.equal(
      'line 4: invalid_job: no job: bad one\nline 7: invalid_job: no job: bad two\n',
    );
    expect(ended.stdout).to.equal('accepted 3, rejected 2\n');
    expect(ended.code).to.equal(1);
    const json = await sluice(['batch', '-', '--url', server.url, '--json'], { stdin: text });
    expect(JSON.parse(json.stdout)).to.deep.equal({
      accepted: 3,
      rejected: 2,
      unknown: 0,
      resumeLine: null,
      errors: [
        { line: 4, code: 'invalid_job', detail: 'no job: bad one' },
        { line: 7, code: 'invalid_job', detail: 'no job: bad two' },
      ],
      errorsOmitted: 0,
    });
  });

  it('waits as Retry-After says while nothing is accepted, then sends the same lines again', async () => {
    reply = (seen, index) =>
      index < 2
        ? { status: 503, body: { code: 'overloaded', detail: 'full' }, headers: { 'retry-after': '0' } }
        : judge(seen);
    const ended = await sluice(['batch', file(jobs(3)), '--url', server.url]);
    expect(ended.code, ended.stderr).to.equal(0);
    expect(ended.stdout).to.equal('accepted 3, rejected 0\n');
    expect(ended.stderr.match(/waiting 0 ms, then trying again: 503 overloaded: full/g)).to.have.length(2);
    expect(new Set(server.seen.map((seen) => seen.body))).to.have.property('size', 1);
  });

  it('stops where the server is lost and says from which line to go on', async () => {
    reply = (seen, index) => (index === 1 ? { status: 0, cut: true } : judge(seen));
    const path = file(jobs(6));
    const ended = await sluice(['batch', path, '--url', server.url, '--chunk', '2']);
    expect(ended.code).to.equal(1);
    expect(ended.stdout).to.equal('accepted 2, rejected 0, unknown 2\n');
    expect(ended.stderr).to.include('Lines 3 to 4 may or may not have been accepted.');
    expect(ended.stderr).to.include(
      `Lines from 5 on were not accepted. Once mended: tail -n +5 ${path} | sluice batch -`,
    );
    expect(server.seen).to.have.length(2);
  });

  it('has nothing to do with an empty file', async () => {
    const ended = await sluice(['batch', file('\n\n'), '--url', server.url]);
    expect(ended).to.deep.equal({ code: 0, stdout: 'accepted 0, rejected 0\n', stderr: '' });
    expect(server.seen).to.have.length(0);
  });
});
