/**
 * Remembers across a kill which jobs were running: a file of slots, each the place of a started job or 0. Written through
 * to the page cache before a handler runs, which survives the process and costs no disk sync; a job that kills its process
 * in its first statement is on record. A slot is used again at once, so the file is as large as the most jobs at a time.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { Unavailable } from '../../job/errors.js';
import type { Log } from '../../runtime/log.js';

export interface Started {
  /** On record when this returns. @returns the slot, for `end` */
  begin(place: number): number;
  /** It no longer runs. Reaches the file with the next `begin`, at the latest at the end of this turn of the loop. */
  end(slot: number): void;
  /** Removes the record: no job runs any more. */
  remove(): void;
  /** Leaves the record as it is, as a kill would. */
  abandon(): void;
}

export interface StartedRecord {
  readonly epoch: number;
  readonly places: readonly number[];
}

const BYTES = Float64Array.BYTES_PER_ELEMENT;
const HEAD = 1; // The first number is the epoch.

/** What a former process left; undefined when it ended in good order. @throws Unavailable  it cannot be read */
export function readStarted(file: string): StartedRecord | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Unavailable(
      `${file} cannot be read (${message}): mend that, or remove it; without it no job that ran at a kill is suspected`,
      { cause: error },
    );
  }
  const numbers: number[] = [];
  for (let at = 0; at + BYTES <= bytes.length; at += BYTES) numbers.push(bytes.readDoubleLE(at));
  const [epoch = 0, ...places] = numbers;
  // A power failure can leave anything here; an epoch of 0 charges nobody.
  if (!Number.isSafeInteger(epoch) || epoch < 0) return { epoch: 0, places: [] };
  return { epoch, places: places.filter((place) => Number.isSafeInteger(place) && place > 0) };
}

/** Begins a new record. The file may be lost without loss of a job, so a disk that fails is logged once and no more. */
export function createStarted(file: string, epoch: number, log: Log): Started {
  const fd = openSync(file, 'w');
  let slots = Buffer.alloc(64 * BYTES);
  const free: number[] = [];
  let used = HEAD;
  let [dirtyFrom, dirtyTo] = [0, HEAD];
  let isWarned = false;
  let isClosed = false;
  let isFlushing = false;
  slots.writeDoubleLE(epoch, 0);
  write();

  function put(slot: number, value: number): void {
    slots.writeDoubleLE(value, slot * BYTES);
    dirtyFrom = Math.min(dirtyFrom, slot);
    dirtyTo = Math.max(dirtyTo, slot + 1);
  }

  function write(): void {
    if (dirtyFrom >= dirtyTo || isClosed) return;
    try {
      writeSync(fd, slots, dirtyFrom * BYTES, (dirtyTo - dirtyFrom) * BYTES, dirtyFrom * BYTES);
      [dirtyFrom, dirtyTo] = [Number.POSITIVE_INFINITY, 0];
    } catch (error) {
      if (!isWarned)
        log.warn(
          { err: error, file },
          'running jobs are not on record: one that kills its process is not set aside',
        );
      isWarned = true;
    }
  }

  function takeSlot(): number {
    const slot = free.pop();
    if (slot !== undefined) return slot;
    if ((used + 1) * BYTES > slots.length) slots = Buffer.concat([slots, Buffer.alloc(slots.length)]);
    return used++;
  }

  function close(): void {
    if (isClosed) return;
    isClosed = true;
    closeSync(fd);
  }

  return {
    begin(place) {
      const slot = takeSlot();
      put(slot, place);
      write();
      return slot;
    },
    end(slot) {
      put(slot, 0);
      free.push(slot);
      if (isFlushing) return;
      isFlushing = true;
      setImmediate(() => {
        isFlushing = false;
        write();
      });
    },
    remove() {
      close();
      rmSync(file, { force: true });
    },
    abandon: close,
  };
}
