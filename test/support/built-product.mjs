/**
 * Loaded before the tests by test/run.ts: what they import of src/ and workers/ comes from dist/, which was just built. It is what users
 * run, and need not be compiled again for each process, nor for the thread of each SQLite file.
 */
import { register } from 'node:module';

register('./built-product-hooks.mjs', import.meta.url);
