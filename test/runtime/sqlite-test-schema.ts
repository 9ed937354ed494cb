/** What a thread needs for the operations of sqlite-test-module.mjs. */
export const testSchema = ['CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, bytes BLOB)'];
export const testModule = new URL('./sqlite-test-module.mjs', import.meta.url).href;
