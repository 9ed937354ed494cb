/**
 * A folder in memory for all that tests write: a disk waits for each sync, and nothing here outlives a power failure anyway. What `kill -9`
 * leaves behind is the same on both.
 */
import { chmodSync, mkdtempSync, statfsSync } from 'node:fs';
import { createGuard } from './guard.js';

const MEMORY = '/dev/shm';
/** Of the memory and of its file system. Servers and stores take some 500 MB at most, the image that is built twice as much. */
const ROOM_BYTES = 6_000_000_000;

/** @returns its path, or undefined where there is not that much room; gone when this process is */
export function makeRamFolder(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize < ROOM_BYTES || process.availableMemory() < ROOM_BYTES) return undefined;
    const folder = mkdtempSync(`${MEMORY}/sluice-test-`);
    createGuard(folder);
    chmodSync(folder, 0o755); // PostgreSQL, and what an image runs, are other users
    return folder;
  } catch {
    return undefined; // not on this system
  }
}
