import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execArgv } from 'node:process';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { expect } from 'chai';
import { systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { failureOfError } from '../../src/runtime/sqlite-failure.js';
import { createSqliteThread, type SqliteThread } from '../../src/runtime/sqlite-thread.js';
import { rejectionOf } from '../broker/inbox.js';
import { type Sluice, startProcess } from '../support/sluice.js';
import { testModule, testSchema } from './sqlite-test-schema.js';

const holder = fileURLToPath(new URL('./sqlite-holder.ts', import.meta.url));

describe('a folder that cannot be used', () => {
  let folder: string;
  let threads: SqliteThread[];
  let processes: Sluice[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-refusals-'));
    threads = [];
    processes = [];
  });
  afterEach(async () => {
    for (const process of processes) process.kill('SIGKILL');
    await Promise.all([...threads.map((thread) => thread.stop()), ...processes.map(({ exited }) => exited)]);
    rmSync(folder, { recursive: true, force: true });
  });

  function make(where = folder, schema = testSchema): SqliteThread {
    const thread = createSqliteThread({
      folder: where,
      schemas: { engine: schema },
      modules: [testModule],
      clock: systemClock,
      log: createLog('silent'),
      failed() {},
    });
    threads.push(thread);
    return thread;
  }

  function hold(): Sluice {
    const process = startProcess([...execArgv, holder, folder]);
    processes.push(process);
    return process;
  }

  async function refusal(thread: SqliteThread, kind: string): Promise<string> {
    const error = await rejectionOf(thread.start());
    expect(error).to.have.property('kind', kind);
    return (error as Error).message;
  }

  /** A file with some notes in it, closed in good order. */
  async function filled(): Promise<string> {
    const thread = make();
    await thread.start();
    await Promise.all(
      Array.from({ length: 200 }, () => thread.run('test.add', 'x'.repeat(500), Buffer.alloc(0))),
    );
    await thread.stop();
    return thread.file;
  }

  it('is refused while another process has it, with the way out; a kill -9 of that one frees it', async () => {
    const first = hold();
    await first.waitForLine(/^open$/);
    const message = await refusal(make(), 'in_use');
    expect(message).to.include(folder).and.include('DATA_DIR').and.include('AMQP_URL');
    expect(await hold().waitForLine(/^refused: /)).to.include(folder);
    first.kill('SIGKILL');
    await first.exited;
    const thread = make();
    await thread.start();
    expect(await thread.run('test.all', undefined)).to.deep.equal(['held']);
  });

  it('is refused to a second opener in the same process, too', async () => {
    const first = make();
    await first.start();
    await refusal(make(), 'in_use');
    await first.stop();
    await make().start();
  });

  it('is refused when the file is of a newer version, and the file is left alone', async () => {
    const newer = make(folder, [...testSchema, 'CREATE TABLE later (id)']);
    await newer.start();
    await newer.stop();
    const before = readFileSync(newer.file);
    expect(await refusal(make(), 'newer')).to.match(
      /newer Sluice \(version 2 of the file, this release knows 1\)/,
    );
    expect(readFileSync(newer.file).equals(before)).to.equal(true);
  });

  it('is refused when the file is no SQLite file, and the file is left alone', async () => {
    const file = join(folder, 'sluice.db');
    writeFileSync(file, 'these are my notes, not yours\n'.repeat(100));
    const message = await refusal(make(), 'corrupt');
    expect(message)
      .to.include(file)
      .and.match(/backup/)
      .and.match(/\.recover/);
    expect(readFileSync(file, 'utf8')).to.match(/^these are my notes/);
  });

  it('is refused when the file belongs to another program, and the file is left alone', async () => {
    const file = join(folder, 'sluice.db');
    const other = new Sqlite(file);
    other.exec('CREATE TABLE theirs (id)');
    other.close();
    const before = readFileSync(file);
    expect(await refusal(make(), 'foreign')).to.match(/not a file of Sluice/);
    expect(readFileSync(file).equals(before)).to.equal(true);
  });

  it('is refused when its lock is none, and that one is named', async () => {
    const lock = join(folder, 'sluice.lock');
    writeFileSync(lock, 'this is somebody else’s\n'.repeat(100));
    expect(await refusal(make(), 'foreign'))
      .to.include(lock)
      .and.match(/remove it/);
    rmSync(lock);
    mkdirSync(lock);
    expect(await refusal(make(), 'readonly')).to.include(lock);
  });

  it('is refused when the file is cut off', async () => {
    truncateSync(await filled(), 5_000);
    expect(await refusal(make(), 'corrupt')).to.match(/damaged/);
  });

  it('gives a clear error for a page that is damaged, when it is met', async () => {
    const file = await filled();
    const bytes = readFileSync(file);
    bytes.fill(0xaa, 5 * 4096, bytes.length - 4096); // behind the roots of the tables
    writeFileSync(file, bytes);
    const thread = make();
    await thread.start();
    const error = await rejectionOf(thread.run('test.all', undefined));
    expect(error).to.have.property('kind', 'corrupt');
    expect((error as Error).message).to.include(file);
    const [damaged, added] = await Promise.all([
      rejectionOf(thread.run('test.all', undefined)),
      rejectionOf(thread.run('test.add', 'in the same turn', Buffer.alloc(0))),
    ]);
    expect(damaged).to.have.property('kind', 'corrupt');
    expect(added, 'what does not meet the page goes through').to.equal(undefined);
  });

  it('is refused when the file is gone but its log is there', async () => {
    const first = hold();
    await first.waitForLine(/^open$/);
    first.kill('SIGKILL');
    await first.exited;
    rmSync(join(folder, 'sluice.db'));
    expect(await refusal(make(), 'corrupt')).to.match(/is missing, but its log/);
    expect(readFileSync(join(folder, 'sluice.db-wal')).length).to.be.above(0);
    writeFileSync(join(folder, 'sluice.db'), '');
    expect(await refusal(make(), 'corrupt')).to.match(/is empty, but its log/);
    expect(readFileSync(join(folder, 'sluice.db-wal')).length).to.be.above(0);
  });

  it('is refused when its log is gone but not the index of it', async () => {
    const first = hold();
    await first.waitForLine(/^open$/);
    first.kill('SIGKILL');
    await first.exited;
    rmSync(join(folder, 'sluice.db-wal'));
    expect(await refusal(make(), 'corrupt')).to.match(/sluice\.db-wal is missing/);
    rmSync(join(folder, 'sluice.db-shm')); // The way out that it names.
    const thread = make();
    await thread.start();
  });

  it('is refused when it cannot be made, or stands where a file is', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await refusal(make(join(folder, 'file', 'below')), 'readonly')).to.match(/cannot be written/);
    mkdirSync(join(folder, 'sluice.db'));
    await refusal(make(), 'readonly');
  });

  it('is refused when this user may not write it', async () => {
    if (process.getuid?.() === 0) {
      // Root may write anything; the loader's own files cannot be read by others here, so the mapping is what is left to check.
      for (const code of ['SQLITE_READONLY', 'SQLITE_CANTOPEN', 'EACCES', 'EROFS'])
        expect(failureOfError(Object.assign(new Error('no'), { code }), 'f').kind).to.equal('readonly');
      return;
    }
    chmodSync(folder, 0o555);
    expect(await refusal(make(), 'readonly')).to.match(/right to write/);
    chmodSync(folder, 0o755);
  });

  it('makes the folders that are missing', async () => {
    await make(join(folder, 'a', 'b')).start();
  });
});

describe('the explanation of a failure', () => {
  it('says what to install when the native module is missing', () => {
    const missing = new Error('Could not locate the bindings file. Tried:\n -> /x/build/better_sqlite3.node');
    const wrong = Object.assign(new Error('was compiled against a different Node.js version'), {
      code: 'ERR_DLOPEN_FAILED',
    });
    const absent = Object.assign(new Error("Cannot find package 'better-sqlite3'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
    for (const error of [missing, wrong, absent]) {
      const failure = failureOfError(error, '/data/sluice.db');
      expect(failure.kind).to.equal('no_module');
      expect(failure.message)
        .to.include('python3, make and g++')
        .and.include('npm rebuild better-sqlite3')
        .and.include('AMQP_URL')
        .and.not.include('\n');
    }
  });
});
