import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { drainBetween } from './bench-queue.js';
import { runLoad } from './http-load.js';
import { depthsUpTo, toldOf } from './scale-backlog.js';

describe('the bench of scale', () => {
  it('looks at ten times as many jobs each time, and at last at those that were asked for', () => {
    expect(depthsUpTo(1_000_000)).to.deep.equal([1_000, 10_000, 100_000, 1_000_000]);
    expect(depthsUpTo(25_000)).to.deep.equal([1_000, 10_000, 25_000]);
    expect(depthsUpTo(10)).to.deep.equal([1_000]);
  });

  it('says whether cost and memory are flat', () => {
    const at = (backlog: number, own: number, workMb: number, serveMb: number) => ({
      backlog,
      serveMb,
      drains: [{ perSecond: 100, usage: { ownUs: own, serversUs: 20, residentMb: workMb } }],
    });
    const told = toldOf([at(1_000, 30, 200, 100), at(1_000_000, 35, 300, 110)]);
    expect(told).to.contain('1,000,000');
    expect(told).to.contain('servers x 1.10 (goal <= 1.25: reached)');
    expect(told).to.contain('work x 1.50 (goal <= 1.25: not reached)');
    expect(told).to.contain('serve x 1.10 (goal <= 1.25: reached)');
  });

  it('sends its requests in turns', async () => {
    const seen: string[] = [];
    const server = createServer((req, res) => {
      req.setEncoding('utf8').on('data', (body: string) => seen.push(body));
      req.on('end', () => res.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const bodies = ['{"queue":"a"}', '{"queue":"b"}', '{"queue":"c"}'];
    const load = { url: `http://127.0.0.1:${port}/v1/jobs`, bodies, connections: 1, seconds: 1 };
    expect((await runLoad(load)).faults).to.equal(0);
    server.close();
    const first = bodies.indexOf(seen[0] ?? '');
    const expected = seen.map((_, at) => bodies[(first + at) % bodies.length]);
    expect(seen.length).to.be.greaterThan(bodies.length);
    expect(seen).to.deep.equal(expected);
  });

  it('measures from one depth to another, and no longer', async () => {
    const depths = [100, 85, 50, 15, 5, 0];
    const read = async (): Promise<number> => depths.shift() ?? 0;
    const { perSecond } = await drainBetween(read, { from: 90, to: 20 }, { pollMs: 1 });
    expect(depths).to.deep.equal([5, 0]);
    expect(perSecond).to.be.greaterThan(0);
  });
});
