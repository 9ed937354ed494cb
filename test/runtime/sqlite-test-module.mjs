/** Operations for the tests of the thread, loaded by it: in JavaScript, as the thread of the built product reads nothing else. */

/**
 * @param {import('better-sqlite3').Database} db
 * @returns {import('../../src/runtime/sqlite-owner.js').SqliteModule}
 */
export function install(db) {
  const insert = db.prepare('INSERT INTO notes (text, bytes) VALUES (?, ?)');
  let commits = 0;
  let undone = 0;
  return {
    operations: {
      'test.add': (text, bytes) => Number(insert.run(text, bytes).lastInsertRowid),
      'test.addAndFail'(text) {
        insert.run(text, Buffer.alloc(0));
        throw new Error(`no ${text}`);
      },
      'test.all': () => db.prepare('SELECT text FROM notes ORDER BY id').pluck().all(),
      'test.bytes'(id, _bytes, handOver) {
        const found = db.prepare('SELECT bytes FROM notes WHERE id = ?').pluck().get(id);
        const block = new Uint8Array(found ?? []);
        handOver(block.buffer);
        return block.buffer;
      },
      'test.count': (limit) =>
        db
          .prepare(
            'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT count(*) FROM c',
          )
          .pluck()
          .get(limit),
      'test.commits': () => ({ commits, undone }),
      'test.pragma': (text) => db.pragma(text, { simple: true }),
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
