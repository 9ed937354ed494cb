/**
 * The tables of the built-in engine, one step per version of the file. A step that was released is never changed: append.
 *
 * `place` is lane * 2^41 + number: one table in the order of delivery of every lane, so that adding at the end of a lane
 * and taking from its front touch one B-tree. Numbers rise over all lanes as long as the file is open.
 */
export const PLACES_PER_LANE = 2 ** 41;

export const schema: readonly string[] = [
  `
  CREATE TABLE lanes (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    lane TEXT NOT NULL,
    jobs INTEGER NOT NULL DEFAULT 0,      -- rows of this lane in each table, kept by the transactions that change them
    delayed INTEGER NOT NULL DEFAULT 0,
    suspects INTEGER NOT NULL DEFAULT 0,
    UNIQUE (queue, lane)
  ) STRICT;

  CREATE TABLE jobs (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    headers TEXT,                         -- JSON, as in a message; NULL when all have their defaults
    body BLOB NOT NULL,
    lost INTEGER NOT NULL DEFAULT 0       -- how often the process ended while it ran
  ) STRICT;

  CREATE TABLE delayed (
    number INTEGER PRIMARY KEY,
    due INTEGER NOT NULL,                 -- ms since the epoch
    lane INTEGER NOT NULL REFERENCES lanes (id),
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    headers TEXT,
    body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX delayed_by_due ON delayed (due);

  CREATE TABLE suspects (
    place INTEGER PRIMARY KEY,            -- as it was in jobs
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    headers TEXT,
    body BLOB NOT NULL,
    lost INTEGER NOT NULL DEFAULT 0       -- counted anew as a suspect
  ) STRICT;

  CREATE TABLE dead (
    number INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    lane TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    headers TEXT,
    body BLOB NOT NULL,
    reason TEXT NOT NULL,
    failure TEXT NOT NULL,                -- JSON
    at INTEGER NOT NULL                   -- ms since the epoch
  ) STRICT;

  CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO facts VALUES ('dead', 0), ('epoch', 0);
  `,
  `
  CREATE TABLE batches (
    number INTEGER PRIMARY KEY,           -- rises as those of places, so that a reader that goes on behind it misses none
    batch BLOB NOT NULL                   -- events on their way to the recorder
  ) STRICT;
  INSERT INTO facts VALUES ('batches', 0);
  `,
];
