import { createServer } from 'node:net';
import { expect } from 'chai';
import pg from 'pg';
import { Invalid, StoreUnavailable } from '../../src/job/errors.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createPostgresStore } from '../../src/store/postgres.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import { rejectionOf } from '../broker/inbox.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { type PostgresServer, startPostgres } from '../support/postgres.js';
import { type AboutJob, accepted, jobNumber, recordingOf } from './rows.js';

describe('the store while PostgreSQL is away', () => {
  let server: PostgresServer;
  let stores: SqlStore[];
  before(async () => {
    server = await startPostgres({
      settings: { max_connections: '12', superuser_reserved_connections: '3' },
    });
  });
  after(() => server.remove());
  beforeEach(() => {
    stores = [];
  });
  afterEach(async () => {
    await server.thaw();
    await Promise.all(stores.map((store) => store.stop()));
  });

  function make(url: string): SqlStore {
    const store = createPostgresStore({
      url,
      connections: 2,
      statementTimeoutMs: 1_500,
      clock,
      log: createLog('silent'),
    });
    stores.push(store);
    return store;
  }

  async function open(): Promise<{ store: SqlStore; url: string }> {
    const url = await server.createDatabase();
    const store = make(url);
    await store.start();
    return { store, url };
  }

  /** Until it succeeds: each rejection must be StoreUnavailable. */
  function insist(action: () => Promise<void>): Promise<void> {
    return eventually(async () => {
      const error = await rejectionOf(action());
      if (error !== undefined) expect(error).to.be.instanceOf(StoreUnavailable);
      return error === undefined;
    });
  }

  async function untilWell(store: SqlStore): Promise<void> {
    await eventually(() => store.health().ok);
  }

  const jobs = new Map<number, AboutJob>();

  function job(i: number): AboutJob {
    const made = jobs.get(i) ?? jobNumber(i);
    jobs.set(i, made);
    return made;
  }

  const record = (store: SqlStore, i: number): Promise<void> =>
    store.records.record(recordingOf([accepted(job(i))]));

  it('says so, loses nothing that it has recorded, and works again by itself', async () => {
    const { store } = await open();
    await record(store, 0);
    const rejected: unknown[] = [];
    const recorded = new Set([0]);
    let isOver = false;
    let next = 1;
    const recorders = [1, 2, 3].map(async () => {
      while (!isOver) {
        const i = next++;
        const error = await rejectionOf(record(store, i));
        if (error === undefined) recorded.add(i);
        else rejected.push(error);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    await server.kill();
    const error = await rejectionOf(record(store, 9_999));
    expect(error).to.be.instanceOf(StoreUnavailable).with.property('code', 'store_unavailable');
    expect((error as Error).message).to.include(`127.0.0.1:${server.port}`);
    expect(store.health()).to.have.property('ok', false);
    await server.restart();
    await untilWell(store);
    await record(store, 10_000);
    isOver = true;
    await Promise.all(recorders);
    for (const one of rejected) expect(one).to.be.instanceOf(StoreUnavailable);
    const ids = [...recorded].map((i) => job(i).id);
    expect(
      (await store.jobs.list({}, { limit: 20_000, nowMs: 0 })).rows.map(({ id }) => id),
    ).to.include.members(ids);
  });

  it('starts without it, and makes the tables as soon as it is there', async () => {
    const url = await server.createDatabase();
    await server.kill();
    const store = make(url);
    await store.start();
    expect(store.health()).to.have.property('ok', false);
    expect(await rejectionOf(store.jobs.get(job(1).id))).to.be.instanceOf(StoreUnavailable);
    await server.restart();
    await untilWell(store);
    await record(store, 1);
    expect(await store.jobs.get(job(1).id)).not.to.equal(undefined);
  });

  it('gives up a server that has frozen, and stops although it is', async () => {
    const { store } = await open();
    await record(store, 0);
    await server.freeze();
    const waiting = Promise.all([record(store, 1), store.jobs.get(job(0).id)].map(rejectionOf));
    for (const error of await waiting) expect(error).to.be.instanceOf(StoreUnavailable);
    const frozen = make(server.url);
    await frozen.start();
    await frozen.stop();
    await server.thaw();
    await insist(() => record(store, 2));
    await untilWell(store);
  });

  it('takes a server without a free connection for one that is away', async () => {
    const { store } = await open();
    const others: pg.Client[] = [];
    // The name of a plain user: some connections are kept for superusers.
    await store.sql.write([{ sql: 'create role plain login', parameters: [] }]);
    const [database] = await store.sql.read<{ name: string }>({
      sql: 'select current_database() as name',
      parameters: [],
    });
    await store.sql.write([{ sql: 'grant all on schema public to plain', parameters: [] }]);
    const url = `postgres://plain@127.0.0.1:${server.port}/${database?.name}`;
    try {
      for (let isFull = false; !isFull; ) {
        const client = new pg.Client({ connectionString: url });
        client.on('error', () => {});
        isFull = (await rejectionOf(client.connect())) !== undefined;
        if (!isFull) others.push(client);
      }
      const late = make(url);
      await late.start();
      expect(late.health()).to.have.property('reason').that.includes('max_connections');
      await Promise.all(others.map((client) => client.end()));
      others.length = 0;
    } finally {
      await Promise.all(others.map((client) => client.end()));
    }
  });

  it('is refused at start when no waiting mends it: database, rights, a newer schema', async () => {
    const nowhere = await rejectionOf(make(`postgres://sluice@127.0.0.1:${server.port}/nowhere`).start());
    expect(nowhere).to.be.instanceOf(Invalid);
    expect((nowhere as Error).message)
      .to.match(/nowhere/)
      .and.match(/DATABASE_URL/);
    const { store, url } = await open();
    await store.sql.write([
      { sql: "update sluice_versions set version = 99 where component = 'store'", parameters: [] },
    ]);
    const newer = await rejectionOf(make(url).start());
    expect(newer).to.be.instanceOf(Invalid);
    expect((newer as Error).message).to.match(
      /newer Sluice, version 99 of the store, this release knows \d+/,
    );
  });

  it('gives up an address that takes connections and never answers', async () => {
    const port = await freePort();
    const silent = createServer().listen(port, '127.0.0.1');
    try {
      const store = make(`postgres://sluice:secret@127.0.0.1:${port}/x`);
      await store.start();
      const error = (await rejectionOf(store.jobs.get('x'))) as Error;
      expect(error).to.be.instanceOf(StoreUnavailable);
      expect(`${error.message} ${store.place}`).to.include(`127.0.0.1:${port}`).and.not.include('secret');
    } finally {
      silent.close();
    }
  });
});
