/** What can go wrong with an SQLite file, as one error that says which file and what to do. */

/**
 * `full`: no space left. `readonly`: may not be written. `corrupt`: damaged, or no SQLite file. `newer`: written by a newer
 * release. `foreign`: another program's. `busy`: locked by another program. `in_use`: another process of ours has the folder.
 * `no_module`: better-sqlite3 is not there. `io`: the disk failed, so a change may or may not be on it. `ended`: the thread
 * is not running. `content`: an operation brought what the file does not take, `fault`: it failed by itself otherwise; in both its
 * neighbours are not concerned.
 */
export type SqliteFailureKind =
  | 'full'
  | 'readonly'
  | 'corrupt'
  | 'newer'
  | 'foreign'
  | 'busy'
  | 'in_use'
  | 'no_module'
  | 'io'
  | 'ended'
  | 'content'
  | 'fault';

export class SqliteFailure extends Error {
  readonly kind: SqliteFailureKind;
  constructor(kind: SqliteFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SqliteFailure';
    this.kind = kind;
  }
}

const kindsOfCode: readonly (readonly [pattern: RegExp, kind: SqliteFailureKind])[] = [
  [/^(SQLITE_FULL|ENOSPC|EDQUOT)/, 'full'],
  // SQLITE_CANTOPEN also stands for a folder in which no file can be made.
  [
    /^(SQLITE_READONLY|SQLITE_PERM|SQLITE_CANTOPEN|EACCES|EPERM|EROFS|ENOTDIR|EISDIR|ENOENT|EEXIST)/,
    'readonly',
  ],
  [/^(SQLITE_CORRUPT|SQLITE_NOTADB)/, 'corrupt'],
  [/^(SQLITE_BUSY|SQLITE_LOCKED)/, 'busy'],
  [/^(SQLITE_IOERR|EIO)/, 'io'],
  [/^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)/, 'content'],
  [/^(ERR_DLOPEN_FAILED|ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND)/, 'no_module'],
];

/** The failure that an error of SQLite or of the file system stands for. */
export function failureOfError(thrown: unknown, file: string): SqliteFailure {
  if (thrown instanceof SqliteFailure) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // better-sqlite3 finds its binary through `bindings`, whose error has no code.
  const kind = /could not locate the bindings file/i.test(error.message)
    ? 'no_module'
    : (kindsOfCode.find(([pattern]) => pattern.test(code))?.[1] ?? 'fault');
  return new SqliteFailure(kind, adviceOn(kind, file, error.message.split('\n')[0] ?? ''), { cause: error });
}

function adviceOn(kind: SqliteFailureKind, file: string, detail: string): string {
  switch (kind) {
    case 'full':
      return `no space is left for ${file} (${detail}): free some space on its disk`;
    case 'readonly':
      return `${file} cannot be written (${detail}): it must lie in a folder, and this user must have the right to write both; mend that, or set DATA_DIR to another folder`;
    case 'corrupt':
      return (
        `${file} is damaged, or is no SQLite file (${detail}): keep a copy of its folder, then put back a backup or recover ` +
        'what is readable with `sqlite3 sluice.db .recover`; to start empty, move the folder away or set DATA_DIR to another one'
      );
    case 'busy':
      return `${file} is locked by another program (${detail}): close it there, such as an sqlite3 shell in the middle of a transaction`;
    case 'io':
      return `the disk failed on ${file} (${detail}): look into the system's log; the change may or may not have been stored`;
    case 'no_module':
      return (
        `better-sqlite3, which keeps ${file}, cannot be loaded (${detail}): install python3, make and g++, then run ` +
        '`npm rebuild better-sqlite3` (or `npm ci` where it is missing); or set AMQP_URL to use RabbitMQ instead'
      );
    case 'newer':
    case 'foreign':
    case 'in_use':
    case 'ended':
    case 'content':
    case 'fault':
      return `${file}: ${detail}`;
  }
}
