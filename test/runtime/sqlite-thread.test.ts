import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { SqliteFailure } from '../../src/runtime/sqlite-failure.js';
import {
  createSqliteThread,
  type SqliteThread,
  type SqliteThreadOptions,
} from '../../src/runtime/sqlite-thread.js';
import { rejectionOf } from '../broker/inbox.js';
import { testModule, testSchema } from './sqlite-test-schema.js';

describe('the thread of an SQLite file', () => {
  let folder: string;
  let threads: SqliteThread[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-thread-'));
    threads = [];
  });
  afterEach(async () => {
    await Promise.all(threads.map((thread) => thread.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  function make(options: Partial<SqliteThreadOptions> = {}): SqliteThread {
    const thread = createSqliteThread({
      folder,
      schemas: { engine: testSchema },
      modules: [testModule],
      clock: systemClock,
      log: createLog('silent'),
      failed() {},
      ...options,
    });
    threads.push(thread);
    return thread;
  }

  async function open(options?: Partial<SqliteThreadOptions>): Promise<SqliteThread> {
    const thread = make(options);
    await thread.start();
    return thread;
  }

  const nothing = Buffer.alloc(0);
  const add = (thread: SqliteThread, text: string, bytes: Uint8Array = nothing): Promise<unknown> =>
    thread.run('test.add', text, bytes);

  it('runs what is asked for in one turn of the loop as one transaction, in order', async () => {
    const thread = await open();
    const texts = Array.from({ length: 100 }, (_, i) => `note ${i}`);
    await Promise.all(texts.map((text) => add(thread, text)));
    expect(await thread.run('test.commits', undefined)).to.deep.equal({ commits: 1, undone: 0 });
    expect(await thread.run('test.all', undefined)).to.deep.equal(texts);
  });

  it('gathers what is asked for while a batch is under way into the next one', async () => {
    const thread = await open();
    const first = add(thread, 'first');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const rest = Array.from({ length: 50 }, (_, i) => add(thread, `${i}`));
    await Promise.all([first, ...rest]);
    expect(await thread.run('test.commits', undefined))
      .to.have.property('commits')
      .within(1, 2);
  });

  it('carries the bytes of many operations at once, views of larger buffers included, and back', async () => {
    const thread = await open();
    const whole = Buffer.from('0123456789'.repeat(10_000));
    const parts = [whole.subarray(3, 7), nothing, whole, whole.subarray(99_998)];
    const ids = await Promise.all(parts.map((part) => add(thread, 'bytes', part)));
    const back = await Promise.all(ids.map((id) => thread.run('test.bytes', id)));
    expect(back.map((block) => Buffer.from(block as ArrayBuffer).toString())).to.deep.equal(
      parts.map((part) => part.toString()),
    );
  });

  it('lets an operation that fails by itself fail alone, and undoes what it did', async () => {
    const thread = await open();
    const [before, failed, after] = await Promise.all([
      add(thread, 'before'),
      rejectionOf(thread.run('test.addAndFail', 'failing')),
      add(thread, 'after'),
    ]);
    expect([before, after]).to.deep.equal([1, 2]);
    expect(failed).to.be.instanceOf(SqliteFailure).with.property('kind', 'fault');
    expect((failed as Error).message).to.include('no failing');
    expect(await thread.run('test.all', undefined)).to.deep.equal(['before', 'after']);
  });

  it('rejects what finds no room when the disk is full, says which file, and goes on once there is room', async () => {
    const thread = await open();
    const pages = Number(await thread.run('test.pragma', 'page_count'));
    await thread.run('test.pragma', `max_page_count = ${pages + 2}`);
    const large = Buffer.alloc(100_000);
    const [small, ...refused] = await Promise.all([
      rejectionOf(add(thread, 'small')),
      ...Array.from({ length: 20 }, () => rejectionOf(add(thread, 'large', large))),
    ]);
    expect(small, 'what fits goes through').to.equal(undefined);
    for (const error of refused) {
      expect(error).to.be.instanceOf(SqliteFailure).with.property('kind', 'full');
      expect((error as Error).message)
        .to.include('no space is left')
        .and.include(thread.file);
    }
    await thread.run('test.pragma', 'max_page_count = 1000000');
    await add(thread, 'large', large);
    expect(await thread.run('test.all', undefined)).to.deep.equal(['small', 'large']);
  });

  it('tries what needs no room, however many before it in the same turn found none', async () => {
    const thread = await open();
    await thread.run('test.pragma', 'max_page_count = 1');
    const large = Buffer.alloc(100_000);
    const [all, ...refused] = await Promise.all([
      ...Array.from({ length: 20 }, () => rejectionOf(add(thread, 'large', large))),
      thread.run('test.all', undefined),
    ]).then((ends) => ends.toReversed());
    expect(all).to.deep.equal([]);
    for (const error of refused) expect(error).to.have.property('kind', 'full');
  });

  it('finishes what was asked for before it stops, and takes nothing afterwards', async () => {
    const thread = await open();
    const late = Array.from({ length: 3_000 }, (_, i) => add(thread, `${i}`));
    await Promise.all([thread.stop(), thread.stop()]);
    await Promise.all(late);
    expect(await rejectionOf(add(thread, 'too late'))).to.have.property('kind', 'ended');
    const again = await open();
    expect(await again.run('test.all', undefined)).to.have.length(3_000);
  });

  it('stops before it was started, and then does not start', async () => {
    const thread = make();
    await thread.stop();
    await thread.start();
    expect(await rejectionOf(add(thread, 'x'))).to.have.property('kind', 'ended');
  });

  it('keeps what was committed when it is terminated, and rejects the rest', async () => {
    const thread = await open();
    await add(thread, 'kept');
    const [lost] = await Promise.all([rejectionOf(add(thread, 'lost')), thread.terminate()]);
    expect(lost).to.have.property('kind', 'ended');
    const again = await open();
    expect(await again.run('test.all', undefined)).to.deep.equal(['kept']);
  });

  it('says when it has ended by itself, after rejecting all that was under way', async () => {
    let told: Error | undefined;
    const thread = await open({
      failed(error) {
        told = error;
      },
    });
    const errors = await Promise.all([
      rejectionOf(thread.run('test.exit', undefined)),
      rejectionOf(add(thread, 'x')),
    ]);
    for (const error of errors) expect(error).to.have.property('kind', 'ended');
    expect(told).to.have.property('kind', 'ended');
  });

  it('refuses an operation that no module has', async () => {
    const thread = await open();
    expect(await rejectionOf(thread.run('test.nothing', 1)))
      .to.have.property('message')
      .matches(/test\.nothing/);
  });

  it('leads an older file to the present version, step by step, and only the steps it lacks', async () => {
    const first = await open();
    await add(first, 'old');
    await first.stop();
    const schema = [...testSchema, 'ALTER TABLE notes ADD COLUMN two', 'ALTER TABLE notes ADD COLUMN three'];
    const second = await open({ schemas: { engine: schema } });
    expect(await second.run('test.pragma', 'user_version')).to.equal(3);
    expect(await second.run('test.all', undefined)).to.deep.equal(['old']);
    await second.stop();
    await (await open({ schemas: { engine: schema } })).stop(); // Each step is there once: a second run of any would fail.
  });

  it('leaves the file as it was when a step of its version fails', async () => {
    await (await open()).stop();
    const broken = [...testSchema, 'CREATE TABLE more (id); INSERT INTO nowhere VALUES (1)'];
    expect(await rejectionOf(make({ schemas: { engine: broken } }).start()))
      .to.have.property('message')
      .matches(/nowhere/);
    const again = await open();
    expect(await again.run('test.pragma', 'user_version')).to.equal(1);
  });
});
