/** Operations for the tests of the thread, loaded by it. */
import type { Database } from 'better-sqlite3';
import type { SqliteModule } from '../../src/runtime/sqlite-owner.js';

export const testSchema = ['CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, bytes BLOB)'];

export function install(db: Database): SqliteModule {
  const insert = db.prepare<[string, Buffer]>('INSERT INTO notes (text, bytes) VALUES (?, ?)');
  let commits = 0;
  let undone = 0;
  return {
    operations: {
      'test.add': (text: string, bytes: Buffer) => Number(insert.run(text, bytes).lastInsertRowid),
      'test.addAndFail'(text: string) {
        insert.run(text, Buffer.alloc(0));
        throw new Error(`no ${text}`);
      },
      'test.all': () => db.prepare('SELECT text FROM notes ORDER BY id').pluck().all(),
      'test.bytes'(id: number, _bytes: Buffer, handOver: (block: ArrayBuffer) => void) {
        const found = db.prepare<[number], Buffer>('SELECT bytes FROM notes WHERE id = ?').pluck().get(id);
        const block = new Uint8Array(found ?? []);
        handOver(block.buffer);
        return block.buffer;
      },
      'test.count': (limit: number) =>
        db
          .prepare<[number], number>(
            'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT count(*) FROM c',
          )
          .pluck()
          .get(limit),
      'test.commits': () => ({ commits, undone }),
      'test.pragma': (text: string) => db.pragma(text, { simple: true }),
      'test.exit': () => process.exit(3),
    },
    beforeCommit() {
      commits += 1;
    },
    rolledBack() {
      undone += 1;
    },
  };
}
