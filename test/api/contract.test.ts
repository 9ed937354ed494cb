import { readdir, readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';
import { errorStatus, JobRequest } from '../../src/api/contract.js';

describe('the contract', () => {
  it('has a job schema that is plain, strict JSON Schema', () => {
    const ajv = new Ajv2020({ strict: true });
    addFormats.default(ajv);
    const fits = ajv.compile(JSON.parse(JSON.stringify(JobRequest)));
    expect(fits({ type: 'echo', payload: null, priority: 'low', runAt: '2030-01-01T00:00:00Z' })).to.equal(
      true,
    );
    expect(fits({ type: 'echo' })).to.equal(false);
    expect(fits({ type: 'echo', payload: 1, more: 1 })).to.equal(false);
  });

  it('gives every error code the status of its class', () => {
    for (const [code, status] of Object.entries(errorStatus))
      expect([code, status >= 400 && status < 600]).to.deep.equal([code, true]);
  });

  it('has a test over HTTP for every error code', async () => {
    const folder = new URL('../http/', import.meta.url);
    const files = (await readdir(folder)).filter((name) => name.endsWith('.test.ts'));
    const text = (await Promise.all(files.map((name) => readFile(new URL(name, folder), 'utf8')))).join('\n');
    for (const code of Object.keys(errorStatus))
      expect(text, code).to.match(new RegExp(`['"]${code}\\\\?['"]`));
  });
});
