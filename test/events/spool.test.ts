import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readdir, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ADOPT_AFTER_MS, createSpool, type Spool, type SpoolOptions } from '../../src/events/spool.js';
import { encodeBatch } from '../../src/job/event-codec.js';
import { systemClock } from '../../src/runtime/clock.js';
import { accepted } from './support/events.js';
import { createKeptLog } from './support/log.js';

const ours = '6f1c1c0e-0f43-4a0b-9a52-0d9f2b1f5a11';
const theirs = '11111111-0f43-4a0b-9a52-0d9f2b1f5a11';

function batchOf(seq: number, events = 1, source = ours): Buffer {
  return encodeBatch({
    source,
    seq,
    role: 'work',
    host: 'here',
    atMs: 0,
    held: 0,
    isLast: false,
    events: Array.from({ length: events }, () => accepted()),
  });
}

describe('the spool of events', () => {
  let folder: string;
  const log = createKeptLog();

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'sluice-spool-')), 'spool');
    log.errors.length = 0;
  });
  afterEach(async () => {
    await rm(join(folder, '..'), { recursive: true, force: true });
  });

  async function opened(options: Partial<SpoolOptions> = {}): Promise<Spool> {
    const spool = createSpool({ folder, source: ours, clock: systemClock, log, ...options });
    await spool.open();
    return spool;
  }

  /** What another process has left. */
  async function leave(pid: number, number = 1, suffix = ''): Promise<string> {
    await opened();
    const path = join(folder, `${theirs}.${pid}.${number}.1${suffix}`);
    await writeFile(path, batchOf(number, 1, theirs));
    return path;
  }

  async function age(path: string): Promise<void> {
    const then = (Date.now() - ADOPT_AFTER_MS) / 1000 - 1;
    await utimes(path, then, then);
  }

  async function drain(spool: Spool): Promise<Buffer[]> {
    const batches: Buffer[] = [];
    for (let next = await spool.next(); next !== undefined; next = await spool.next()) {
      batches.push(next.batch);
      await next.remove();
    }
    return batches;
  }

  const endedPid = (): number => spawnSync(process.execPath, ['--version']).pid;

  it('gives back what was written, in its order, until it is removed', async () => {
    const spool = await opened();
    const [one, two] = [batchOf(1, 2), batchOf(2, 3)];
    expect([await spool.write(one, 2), await spool.write(two, 3)]).to.deep.equal([true, true]);
    expect(spool.stats).to.deep.equal({ files: 2, bytes: one.length + two.length, events: 5 });
    expect((await spool.next())?.batch).to.deep.equal(one);
    expect(await drain(spool)).to.deep.equal([one, two]);
    expect(spool.stats).to.deep.equal({ files: 0, bytes: 0, events: 0 });
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('has synced the file, and then its name, before it says that it is written', async () => {
    const spool = await opened();
    const handle = await open(folder, 'r');
    const prototype = Object.getPrototypeOf(handle) as { sync(this: typeof handle): Promise<void> };
    await handle.close();
    const { sync } = prototype;
    const synced: boolean[] = [];
    prototype.sync = async function () {
      const isFolder = (await this.stat()).isDirectory();
      const names = await readdir(folder);
      await sync.call(this);
      // The file is synced under another name, the folder once the file has its own.
      expect(names).to.have.lengthOf(1);
      expect(names[0]?.endsWith('.part')).to.equal(!isFolder);
      synced.push(isFolder);
    };
    try {
      expect(await spool.write(batchOf(1), 1)).to.equal(true);
    } finally {
      prototype.sync = sync;
    }
    expect(synced).to.deep.equal([false, true]);
  });

  it('says no when it is full, logs it once, and has room again later', async () => {
    const batch = batchOf(1);
    const spool = await opened({ mostBytes: batch.length });
    expect(await spool.write(batch, 1)).to.equal(true);
    expect([await spool.write(batch, 1), await spool.write(batch, 1)]).to.deep.equal([false, false]);
    expect(log.errors).to.have.lengthOf(1);
    expect(log.errors[0]).to.match(/the spool of events is full/);
    expect(await drain(spool)).to.have.lengthOf(1);
    expect(await spool.write(batch, 1)).to.equal(true);
  });

  it('bounds the number of its files, too', async () => {
    const spool = await opened({ mostFiles: 1 });
    expect([await spool.write(batchOf(1), 1), await spool.write(batchOf(2), 1)]).to.deep.equal([true, false]);
  });

  it('adopts the files of a process that has ended', async () => {
    await leave(endedPid());
    const spool = await opened();
    expect(spool.stats).to.include({ files: 1, events: 1 });
    expect(await drain(spool)).to.have.lengthOf(1);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('adopts the files of an earlier life with our own process id', async () => {
    await leave(process.pid);
    expect((await opened()).stats.files).to.equal(1);
  });

  describe('beside another process', () => {
    const other = { pid: 0, end: async () => undefined as unknown };
    beforeEach(async () => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
      await once(child, 'spawn');
      other.pid = child.pid ?? 0;
      other.end = () => {
        const ended = once(child, 'exit');
        child.kill();
        return ended;
      };
    });
    afterEach(() => other.end());

    it('leaves its files alone while it lives', async () => {
      await leave(other.pid);
      await leave(other.pid, 2, '.part');
      const spool = await opened();
      expect(spool.stats.files).to.equal(0);
      expect(await spool.next()).to.equal(undefined);
      expect(await readdir(folder)).to.have.lengthOf(2);
    });

    it('adopts files that are too old to be its own', async () => {
      await age(await leave(other.pid));
      expect((await opened()).stats.files).to.equal(1);
    });
  });

  it('removes what a process has left unfinished long ago: nobody was told that it is durable', async () => {
    await age(await leave(endedPid(), 1, '.part'));
    expect((await opened()).stats.files).to.equal(0);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('leaves to another container what that is writing, although its process has our own id', async () => {
    const path = await leave(process.pid, 1, '.part');
    expect((await opened()).stats.files).to.equal(0);
    await rename(path, path.slice(0, -'.part'.length));
    expect(await drain(await opened())).to.have.lengthOf(1);
  });

  it('sets a torn file aside, names it in the log, and goes on with the next', async () => {
    const path = await leave(endedPid());
    await leave(endedPid(), 2);
    await truncate(path, 40);
    const spool = await opened();
    expect(await drain(spool)).to.have.lengthOf(1);
    expect(log.errors).to.deep.equal(['a file of spooled events cannot be read; it is set aside']);
    expect(await readdir(folder)).to.deep.equal([`${path.slice(folder.length + 1)}.unreadable`]);
    expect(spool.stats).to.deep.equal({ files: 0, bytes: 0, events: 0 });
    expect((await opened()).stats.files).to.equal(0);
  });

  it('goes on when another process has sent a file of ours', async () => {
    const spool = await opened();
    await spool.write(batchOf(1), 1);
    await spool.write(batchOf(2), 1);
    await rm(join(folder, (await readdir(folder)).sort()[0] ?? ''));
    expect(await drain(spool)).to.have.lengthOf(1);
    expect(spool.stats).to.deep.equal({ files: 0, bytes: 0, events: 0 });
  });

  it('leaves files of other kinds alone', async () => {
    await opened();
    await writeFile(join(folder, 'README'), 'mine');
    expect((await opened()).stats.files).to.equal(0);
    expect(await readdir(folder)).to.deep.equal(['README']);
  });

  it('takes nothing without a folder, says so once, and finds one that appears later', async () => {
    const place = join(folder, '..');
    await writeFile(folder, 'a file in its place');
    const spool = await opened();
    expect([await spool.write(batchOf(1), 1), await spool.write(batchOf(1), 1)]).to.deep.equal([
      false,
      false,
    ]);
    expect(log.errors).to.have.lengthOf(1);
    expect(log.errors[0]).to.match(/^events cannot be spooled: /);
    await rm(folder);
    await chmod(place, 0o700);
    expect(await spool.write(batchOf(1), 1)).to.equal(true);
  });
});
