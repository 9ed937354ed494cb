import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execArgv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import type { SqliteUse } from '../../src/runtime/sqlite-messages.js';
import { createSqliteThread, type SqliteThread } from '../../src/runtime/sqlite-thread.js';
import { rejectionOf } from '../broker/inbox.js';
import { type Sluice, startProcess } from '../support/sluice.js';
import { testModule, testSchema } from './sqlite-test-schema.js';

const holder = fileURLToPath(new URL('./sqlite-holder.ts', import.meta.url));
const nothing = Buffer.alloc(0);

describe('a folder that several processes share', () => {
  let folder: string;
  let threads: SqliteThread[];
  let processes: Sluice[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-sharing-'));
    threads = [];
    processes = [];
  });
  afterEach(async () => {
    for (const process of processes) process.kill('SIGKILL');
    await Promise.all([...threads.map((thread) => thread.stop()), ...processes.map(({ exited }) => exited)]);
    rmSync(folder, { recursive: true, force: true });
  });

  function make(
    use: SqliteUse,
    schemas: Record<string, readonly string[]> = { notes: testSchema },
  ): SqliteThread {
    const thread = createSqliteThread({
      folder,
      use,
      schemas,
      modules: [testModule],
      clock: systemClock,
      log: createLog('silent'),
      failed() {},
    });
    threads.push(thread);
    return thread;
  }

  async function open(use: SqliteUse, schemas?: Record<string, readonly string[]>): Promise<SqliteThread> {
    const thread = make(use, schemas);
    await thread.start();
    return thread;
  }

  function hold(use: SqliteUse): Sluice {
    const process = startProcess([...execArgv, holder, folder, use]);
    processes.push(process);
    return process;
  }

  it('is migrated once, and written by all of them in turns', async () => {
    const others = [hold('shared'), hold('shared'), hold('shared')];
    const thread = await open('shared');
    for (const other of others) await other.waitForLine(/^open$/);
    await thread.run('test.add', 'mine', nothing);
    const notes = (await thread.run('test.all', undefined)) as string[];
    expect(notes.sort()).to.deep.equal(['held', 'held', 'held', 'mine']);
  });

  it('keeps the lone engine out, and says who is there; a kill of the last one lets it in', async () => {
    const sharer = hold('shared');
    await sharer.waitForLine(/^open$/);
    const error = await rejectionOf(make('alone').start());
    expect(error).to.have.property('kind', 'in_use');
    expect((error as Error).message)
      .to.include(folder)
      .and.match(/processes with AMQP_URL/);
    sharer.kill('SIGKILL');
    await sharer.exited;
    await open('alone');
  });

  it('is refused while the lone engine has it, with the way out', async () => {
    const engine = hold('alone');
    await engine.waitForLine(/^open$/);
    const error = await rejectionOf(make('shared').start());
    expect(error).to.have.property('kind', 'in_use');
    expect((error as Error).message)
      .to.include(folder)
      .and.match(/without AMQP_URL/);
  });

  it('lets one move at a time work beside those that share it, and none beside the lone engine', async () => {
    await open('shared');
    const move = await open('move');
    const error = await rejectionOf(make('move').start());
    expect(error).to.have.property('kind', 'in_use');
    expect((error as Error).message).to.match(/another `sluice move`/);
    expect(await rejectionOf(make('alone').start())).to.have.property('kind', 'in_use');
    await move.stop();
    await open('move');
  });

  it('gives each component versions of its own, whoever came first', async () => {
    const more = ['CREATE TABLE more (id)', 'ALTER TABLE more ADD COLUMN two'];
    for (const schemas of [
      { engine: testSchema },
      { engine: testSchema, store: more.slice(0, 1) },
      { store: more },
      { engine: testSchema, store: more },
    ])
      await (await open('alone', schemas)).stop();
    const error = await rejectionOf(make('alone', { engine: testSchema, store: more.slice(0, 1) }).start());
    expect(error).to.have.property('kind', 'newer');
    expect((error as Error).message).to.match(
      /newer Sluice \(version 2 of its store, this release knows 1\)/,
    );
    const withoutStore = await open('alone', { engine: testSchema });
    expect(await withoutStore.run('test.pragma', 'user_version')).to.equal(1);
  });

  it('can be read beside its writer, which a long read does not hold up', async () => {
    const writer = await open('alone');
    const reader = await open('read', {});
    const reading = reader.run('test.count', 20_000_000);
    await writer.run('test.add', 'meanwhile', nothing);
    let isRead = false;
    void reading.then(() => {
      isRead = true;
    });
    expect(isRead, 'the writer was first').to.equal(false);
    await reading;
    expect(await reader.run('test.all', undefined)).to.deep.equal(['meanwhile']);
    expect(await rejectionOf(reader.run('test.add', 'no', nothing))).to.have.property('kind', 'readonly');
  });
});
