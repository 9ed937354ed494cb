import {
  type Context,
  type ContextManager,
  context,
  createContextKey,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';
import { expect } from 'chai';
import { createContextManager, rest } from '../../src/observe/active-span.js';
import { promisesAreHooked } from './support/promise-hook.js';

const seen: Context = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
});

describe('the active span', () => {
  let manager: ContextManager;
  beforeEach(async () => {
    manager = createContextManager();
    expect(await promisesAreHooked(), 'hooked by somebody else').to.equal(false);
  });
  afterEach(() => manager.disable());

  it('is found by all that goes on from there, and by nothing else', async () => {
    const found = await manager.with(seen, async () => {
      await Promise.resolve();
      return manager.active();
    });
    expect(found).to.equal(seen);
    expect(manager.active()).to.equal(ROOT_CONTEXT);
  });

  it('costs promises nothing before there is one, nor after `rest`', async () => {
    const unseen = ROOT_CONTEXT.setValue(createContextKey('of the exporter'), true);
    expect(await manager.with(unseen, promisesAreHooked)).to.equal(false);
    expect(await manager.with(seen, promisesAreHooked)).to.equal(true);
    expect(await promisesAreHooked(), 'still').to.equal(true);
    rest();
    expect(await promisesAreHooked()).to.equal(false);
    expect(manager.active()).to.equal(ROOT_CONTEXT);
  });

  it('is bound to a function, whoever calls it', () => {
    const bound = manager.bind(seen, () => manager.active());
    expect(bound()).to.equal(seen);
    expect(context.active()).to.equal(ROOT_CONTEXT);
  });
});
