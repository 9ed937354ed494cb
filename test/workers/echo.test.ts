import { expect } from 'chai';
import fc from 'fast-check';
import { createRegistry } from '../../src/handler/registry.js';
import { echo } from '../../workers/echo.js';
import { run } from './running.js';

describe('echo', () => {
  const registry = createRegistry({ handlers: [echo] });

  it('accepts and returns any JSON value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(registry.checkPayload('echo', value)).to.equal(undefined);
        expect(await run(echo, value)).to.deep.equal(value);
      }),
    );
  });
});
