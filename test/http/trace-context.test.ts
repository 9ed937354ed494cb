import { expect } from 'chai';
import { traceContextOf } from '../../src/http/trace-context.js';

const id = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';
const traceparent = `00-${id}-${parent}-01`;

describe('traceContextOf', () => {
  for (const good of [traceparent, `01-${id}-${parent}-00`, `cc-${id}-${parent}-01-what-the-future-brings`]) {
    it(`carries ${good}`, () => {
      expect(traceContextOf({ traceparent: good })).to.deep.equal({ traceparent: good });
    });
  }

  const bad: readonly string[] = [
    '',
    `ff-${id}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${id}-${'0'.repeat(16)}-01`,
    `00-${id.toUpperCase()}-${parent}-01`,
    `00-${id}-${parent}-01-more`,
    `00-${id}-${parent}-0`,
    `01-${id}-${parent}-01more`,
    `${traceparent}, ${traceparent}`,
    `${traceparent}\n`,
  ];
  for (const value of bad) {
    it(`ignores ${JSON.stringify(value)} and the state that came with it`, () => {
      expect(traceContextOf({ traceparent: value, tracestate: 'a=1' })).to.deep.equal({});
    });
  }

  for (const tracestate of [
    'a=1',
    'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    'a=1 , ,b=2',
    'fw529a3039@dt=FfAx',
    '0t@sys=1',
    'a=x y',
  ]) {
    it(`carries the state ${tracestate}`, () => {
      expect(traceContextOf({ traceparent, tracestate })).to.deep.equal({ traceparent, tracestate });
    });
  }

  const badStates: readonly string[] = [
    '',
    ',',
    'a',
    'A=1',
    '=1',
    'a=',
    'a=1=2',
    'a=1,a=2',
    'a=é',
    `a=${'x'.repeat(257)}`,
    Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(','),
  ];
  for (const tracestate of badStates) {
    it(`drops the state ${JSON.stringify(tracestate.slice(0, 20))} alone`, () => {
      expect(traceContextOf({ traceparent, tracestate })).to.deep.equal({ traceparent });
    });
  }
});
