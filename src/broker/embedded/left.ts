/** How many jobs the built-in engine has left in a folder, for a process that runs on another engine. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Waiting, delayed and suspected ones; 0 when there is no file, or none that can be read. Never rejects. */
export async function jobsLeftIn(dataDir: string): Promise<number> {
  const file = join(dataDir, 'sluice.db');
  if (!existsSync(file)) return 0;
  try {
    const { default: Sqlite } = await import('better-sqlite3');
    const db = new Sqlite(file, { readonly: true, fileMustExist: true });
    try {
      const sum = db.prepare<[], number | null>('SELECT sum(jobs + delayed + suspects) FROM lanes').pluck();
      return sum.get() ?? 0;
    } finally {
      db.close();
    }
  } catch {
    return 0;
  }
}
