/** One request to a server, and what becomes of each answer. */
import { expect } from 'chai';
import { connect, type Outcome, outcomeOf } from '../../src/cli/server.js';
import { Secret } from '../../src/config/secret.js';
import { type FakeServer, fakeServer, type Reply } from './run.js';

describe('a call to a server', () => {
  const servers: FakeServer[] = [];
  const answerTo = async (reply: Reply, url?: string): Promise<Outcome> => {
    const server = await fakeServer(() => reply);
    servers.push(server);
    const { requests } = connect({ url: url ?? server.url, apiKey: new Secret('a-key') });
    const body = { type: 'application/json', content: '{}' } as const;
    const asked = requests.send({ method: 'POST', path: '/v1/jobs', body, repeat: 'if-refused' });
    return outcomeOf(asked, url ?? server.url);
  };
  const problem = (status: number, code: string, more: object = {}): Reply => ({
    status,
    body: { code, detail: 'so it is', ...more },
  });
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  it('is accepted by a 202 with an object, and shows its key', async () => {
    const outcome = await answerTo({ status: 202, body: { id: 'x' } });
    expect(outcome).to.deep.equal({ kind: 'accepted', body: { id: 'x' } });
    expect(servers[0]?.seen[0]?.headers.authorization).to.equal('Bearer a-key');
  });

  it('is refused with one line that says what to do', async () => {
    const cases: readonly (readonly [Reply, RegExp])[] = [
      [problem(422, 'invalid_job'), /^422 invalid_job: so it is$/],
      [
        problem(401, 'unauthorized'),
        /^401 unauthorized: so it is; give a key with --api-key or SLUICE_API_KEY$/,
      ],
      [
        { ...problem(503, 'overloaded'), headers: { 'retry-after': '7' } },
        /^503 overloaded: so it is; try again in 7 s$/,
      ],
      [
        { status: 301, headers: { location: 'https://here/' } },
        /answered 301: .* set the url to https:\/\/here\/ \(--url or SLUICE_URL says where\)$/,
      ],
      [{ status: 404, body: '<html>' }, /answered 404: this is not how a Sluice server answers/],
    ];
    for (const [reply, line] of cases) {
      const outcome = await answerTo(reply);
      expect(outcome.kind).to.equal('refused');
      expect(outcome).to.have.property('line').that.matches(line);
    }
  });

  it('reads Retry-After as seconds or as a date', async () => {
    const waits: (number | undefined)[] = [];
    for (const value of ['7', 'Wed, 21 Oct 2015 07:28:00 GMT', 'soon']) {
      const outcome = await answerTo({ ...problem(503, 'overloaded'), headers: { 'retry-after': value } });
      if (outcome.kind === 'refused') waits.push(outcome.retryAfterMs);
    }
    expect(waits).to.deep.equal([7000, 0, undefined]);
  });

  it('is unknown when the job may be there all the same', async () => {
    const cases: readonly Reply[] = [
      problem(503, 'broker_unavailable', { id: 'x' }),
      problem(503, 'broker_unavailable', { detail: 'outcome unknown: no confirm came' }),
      problem(503, 'broker_unavailable', {
        errors: [{ index: 0, code: 'broker_unavailable', detail: 'outcome unknown: …' }],
      }),
      problem(500, 'internal_error'),
      { status: 502, body: 'bad gateway' },
      { status: 504, body: 'gateway timeout' },
      { status: 202, body: '[]' },
      { status: 200, body: '<html>' },
      { status: 202, body: '{"id":' },
      { status: 0, cut: true },
    ];
    for (const reply of cases)
      expect((await answerTo(reply)).kind, JSON.stringify(reply)).to.equal('unknown');
  });

  it('tells when nothing was sent', async () => {
    const closed = await fakeServer(() => ({ status: 202 }));
    await closed.close();
    const refused = await answerTo({ status: 202 }, closed.url);
    expect(refused).to.include({ kind: 'unreachable' });
    expect(refused)
      .to.have.property('line')
      .that.matches(/connection refused; does `sluice start` run there\?/);
  });
});
