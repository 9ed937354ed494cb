import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { createStarted, readStarted } from '../../../src/broker/embedded/started.js';
import { Unavailable } from '../../../src/job/errors.js';
import { createLog } from '../../../src/runtime/log.js';

describe('the record of what was running', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-started-'));
    file = join(folder, 'sluice.started');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const open = (epoch = 1) => createStarted(file, epoch, createLog('silent'));

  it('holds what began and did not end, at every moment, in whatever order it comes and goes', () => {
    const steps = fc.array(fc.record({ isBegin: fc.boolean(), pick: fc.nat(200) }), { maxLength: 400 });
    fc.assert(
      fc.property(steps, (all) => {
        const started = open(7);
        const running = new Map<number, number>();
        let place = 2 ** 41;
        for (const { isBegin, pick } of all) {
          const victim = [...running][pick % Math.max(1, running.size)];
          if (isBegin || victim === undefined) {
            running.set(++place, started.begin(place));
          } else {
            running.delete(victim[0]);
            started.end(victim[1]);
          }
          // What ended is written with the next begin; what began is there at once.
          if (isBegin) expect(new Set(readStarted(file)?.places)).to.deep.equal(new Set(running.keys()));
        }
        expect(readStarted(file)?.epoch).to.equal(7);
        started.abandon();
      }),
      { numRuns: 50 },
    );
  });

  it('forgets at the end of the turn what has ended', async () => {
    const started = open();
    started.end(started.begin(5));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(readStarted(file)?.places).to.deep.equal([]);
    started.remove();
  });

  it('stays as large as the most jobs at a time', () => {
    const started = open();
    for (let i = 1; i <= 10_000; i++) started.end(started.begin(i));
    expect(statSync(file).size).to.be.at.most(32);
    started.remove();
  });

  it('is gone after it was removed, and left as it is when abandoned', () => {
    const first = open();
    first.begin(3);
    first.abandon();
    expect(readStarted(file)).to.deep.equal({ epoch: 1, places: [3] });
    const second = open(2);
    expect(readStarted(file)).to.deep.equal({ epoch: 2, places: [] });
    second.remove();
    expect(readStarted(file)).to.equal(undefined);
  });

  it('says which file it is that cannot be read', () => {
    mkdirSync(file);
    expect(() => readStarted(file)).to.throw(Unavailable, `${file} cannot be read (EISDIR`);
  });

  it('reads what a failing disk left of it without complaint', () => {
    writeFileSync(file, Buffer.from('nonsense that is no number'));
    expect(readStarted(file)).to.deep.equal({ epoch: 0, places: [] });
    for (const garbage of [Number.NaN, Number.POSITIVE_INFINITY, 1e200, 0.5, -3]) {
      writeFileSync(file, Buffer.from(new Float64Array([garbage, 9]).buffer));
      expect(readStarted(file)).to.deep.equal({ epoch: 0, places: [] });
    }
    const started = open(4);
    started.begin(9);
    started.begin(10);
    started.abandon();
    truncateSync(file, 20);
    expect(readStarted(file)).to.deep.equal({ epoch: 4, places: [9] });
  });
});
