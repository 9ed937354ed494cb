import { expect } from 'chai';
import type { AuditReport } from '../../src/api/audit.js';
import { type FakeServer, fakeServer, type Reply, type Seen, sluice } from './run.js';

const id = '01980000-0000-7000-8000-000000000001';

const clean: AuditReport = {
  at: '2026-01-01T00:00:00.000Z',
  verdict: 'clean',
  unaccounted: 0,
  accepted: { told: 5, again: 0, implied: 0 },
  states: { succeeded: { rows: 3, deleted: 2 } },
  difference: 0,
  broker: { ready: 0, delayed: 0, suspects: 0, deadLetters: 0, held: 0, events: 0 },
  open: { rows: 0, missing: 0, unrecorded: 0, queues: [] },
  proof: { state: 'proven', provenThrough: null, detail: 'at rest' },
  gaps: [],
  silent: [],
  edited: [],
  findings: [],
};

const lost: AuditReport = {
  ...clean,
  verdict: 'fault',
  unaccounted: 1,
  findings: [{ code: 'job_lost', severity: 'fault', count: 1, detail: '1 job is lost', ids: [id] }],
};

describe('sluice verify', () => {
  const servers: FakeServer[] = [];
  const serverThat = async (reply: (request: Seen, index: number) => Reply): Promise<FakeServer> => {
    const server = await fakeServer(reply);
    servers.push(server);
    return server;
  };
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  it('prints the report and exits with 0 when all can be accounted for', async () => {
    const server = await serverThat(() => ({ status: 200, body: clean }));
    const ended = await sluice(['verify', '--url', server.url]);
    expect(server.seen[0]).to.include({ method: 'GET', url: '/v1/audit' });
    expect([ended.code, ended.stderr]).to.deep.equal([0, '']);
    expect(ended.stdout)
      .to.match(/^accepted +5$/m)
      .and.to.match(/^ {2}succeeded +3 and 2 forgotten$/m);
    expect(ended.stdout)
      .to.match(/^unaccounted +0$/m)
      .and.to.match(/^clean/m);
  });

  it('names what is lost and exits with 1', async () => {
    const server = await serverThat(() => ({ status: 200, body: lost }));
    const ended = await sluice(['verify', '--url', server.url]);
    expect(ended.code).to.equal(1);
    expect(ended.stdout).to.match(new RegExp(`^FAULT job_lost: 1 job is lost\n  ${id}$`, 'm'));
    expect(ended.stderr).to.equal('sluice: 1 jobs cannot be accounted for\n');
  });

  it('asks again while it is open, and prints JSON when asked to', async () => {
    const server = await serverThat((_request, index) => ({
      status: 200,
      body: index === 0 ? { ...clean, verdict: 'open' } : clean,
    }));
    const ended = await sluice(['verify', '--json', '--url', server.url]);
    expect([ended.code, server.seen.length]).to.deep.equal([0, 2]);
    expect(JSON.parse(ended.stdout)).to.deep.equal(clean);
  });

  it('says what the server refuses', async () => {
    const body = { code: 'store_unavailable', detail: 'the database is away' };
    const server = await serverThat(() => ({ status: 503, body }));
    const ended = await sluice(['verify', '--url', server.url]);
    expect([ended.code, ended.stdout]).to.deep.equal([1, '']);
    expect(ended.stderr).to.contain('503 store_unavailable: the database is away');
  });
});
