/**
 * Batches of events on the disk of this machine, while the broker takes nothing. A file per batch, holding the very bytes of its
 * message: `<source>.<process id>.<number>.<events>`. A file appears under this name whole and synced, or not at all; so whoever
 * takes it over by mistake can only send it twice, and the recorder knows a batch that comes twice.
 */
import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBatch } from '../job/event-codec.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';

/** A file so old is adopted even if a process of that id lives: after a restart of the machine it is another one. */
export const ADOPT_AFTER_MS = 600_000;
const fileName = /^[0-9a-f-]{36}\.(?<pid>\d+)\.\d+\.(?<events>\d+)(?<part>\.part)?$/;

export interface SpoolOptions {
  /** Made when it is missing. */
  readonly folder: string;
  /** Of the batches that are written here. */
  readonly source: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly mostBytes?: number;
  readonly mostFiles?: number;
}

export interface Spool {
  /** What is to be sent from here, that of ended processes of this machine included. */
  readonly stats: Readonly<{ files: number; bytes: number; events: number }>;
  /**
   * Adopts what processes have left that are gone; called again, also what others have left since. Never rejects: without a folder
   * nothing can be written, and the log says so.
   */
  open(): Promise<void>;
  /** True once it is on the disk for good; false when it is full or cannot be written. Never rejects. */
  write(batch: Buffer, events: number): Promise<boolean>;
  /** The oldest one; the same again until it is removed. What cannot be read is set aside on the way. */
  next(): Promise<Spooled | undefined>;
}

export interface Spooled {
  readonly batch: Buffer;
  remove(): Promise<void>;
}

interface Entry {
  readonly path: string;
  readonly bytes: number;
  readonly events: number;
}

export function createSpool(options: SpoolOptions): Spool {
  const { folder, source, clock, log, mostBytes = 268_435_456, mostFiles = 100_000 } = options;
  const stats = { files: 0, bytes: 0, events: 0 };
  /** In the order of sending. */
  const entries = new Set<Entry>();
  let isOpen = false;
  let opening: Promise<void> | undefined;
  let number = 0;
  let hasComplained = false;

  function keep(entry: Entry): void {
    entries.add(entry);
    count(entry, 1);
  }

  function forget(entry: Entry): void {
    if (entries.delete(entry)) count(entry, -1);
  }

  function count({ bytes, events }: Entry, sign: 1 | -1): void {
    stats.files += sign;
    stats.bytes += sign * bytes;
    stats.events += sign * events;
  }

  async function adopt(name: string): Promise<void> {
    const { pid, events, part } = fileName.exec(name)?.groups ?? {};
    if (pid === undefined) return;
    const path = join(folder, name);
    const found = await stat(path).catch(ignoreMissing);
    if (found === undefined) return;
    const isYoung = clock.now() - found.mtimeMs < ADOPT_AFTER_MS;
    // Unfinished, and nobody was told that it is durable, so its jobs come again. A process of another container on this folder can
    // be at it under any id, ours included: taken for an ended one's, it would be gone from under its hands.
    if (part !== undefined) {
      if (!isYoung) await unlink(path).catch(ignoreMissing);
      return;
    }
    if (isAlive(Number(pid)) && isYoung) return;
    keep({ path, bytes: found.size, events: Number(events) });
  }

  async function makeFile(path: string, batch: Buffer): Promise<void> {
    const part = `${path}.part`;
    try {
      const handle = await open(part, 'wx');
      try {
        await handle.writeFile(batch);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(part, path);
      await syncFolder(folder);
    } catch (error) {
      await Promise.allSettled([unlink(part), unlink(path)]);
      throw error;
    }
  }

  function complain(fields: object, what: string): void {
    if (hasComplained) return;
    hasComplained = true;
    log.error(
      { folder, ...fields },
      `${what}; while the broker holds back publishes, jobs stay unsettled until it takes them again`,
    );
  }

  async function setAside(entry: Entry, error: unknown): Promise<void> {
    forget(entry);
    const path = `${entry.path}.unreadable`;
    log.error({ err: error, file: path }, 'a file of spooled events cannot be read; it is set aside');
    await rename(entry.path, path).catch((failure: unknown) => {
      log.warn({ err: failure, file: entry.path }, 'a file of spooled events could not be set aside');
    });
  }

  async function openFolder(): Promise<void> {
    if (!isOpen) await adoptAll();
  }

  async function adoptAll(): Promise<void> {
    try {
      await mkdir(folder, { recursive: true });
      const names = (await readdir(folder)).filter((name) => !name.startsWith(source));
      const known = new Set(names.length === 0 ? [] : [...entries].map(({ path }) => path));
      for (const name of names.sort()) if (!known.has(join(folder, name))) await adopt(name);
      isOpen = true;
    } catch (error) {
      complain({ err: error }, 'events cannot be spooled: give this user the right to write this folder');
    }
  }

  return {
    stats,
    open() {
      opening ??= adoptAll().finally(() => {
        opening = undefined;
      });
      return opening;
    },
    async write(batch, events) {
      await (opening ?? openFolder());
      if (!isOpen) return false;
      if (stats.bytes + batch.length > mostBytes || stats.files >= mostFiles) {
        complain({ ...stats }, 'the spool of events is full');
        return false;
      }
      number++;
      const path = join(folder, `${source}.${process.pid}.${number}.${events}`);
      try {
        await makeFile(path, batch);
      } catch (error) {
        complain({ err: error }, 'events cannot be spooled');
        return false;
      }
      hasComplained = false;
      keep({ path, bytes: batch.length, events });
      return true;
    },
    async next() {
      for (const entry of entries) {
        try {
          const batch = await readFile(entry.path).catch(ignoreMissing);
          if (batch === undefined) {
            forget(entry); // Another process has sent it.
            continue;
          }
          decodeBatch(batch, () => {}); // Events of a later release are for a later recorder.
          return {
            batch,
            async remove() {
              forget(entry);
              await unlink(entry.path).catch(ignoreMissing);
            },
          };
        } catch (error) {
          await setAside(entry, error);
        }
      }
      return undefined;
    },
  };
}

/** A new name is durable once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A process of our own id under another source has ended: in a container, every life can have the same. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
