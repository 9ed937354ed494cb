import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { eventually } from './eventually.js';
import { startSink } from './sink.js';
import { startProcess } from './sluice.js';

describe('processes of a test', () => {
  it('give a line that was printed before and one that comes later', async () => {
    const child = startProcess(
      ['-e', "console.log('one'); process.stdin.on('data', (d) => console.error('got ' + d))"],
      {},
      { input: 'x' },
    );
    expect(await child.waitForLine(/^one/)).to.equal('one');
    expect(await child.waitForLine(/^got/)).to.equal('got x');
    expect(await child.waitForLine(/^o/)).to.equal('one');
    expect(await child.exited).to.deep.equal({ code: 0, signal: null });
  });

  it('fail the wait with their output when they end without the line', async () => {
    const child = startProcess(['-e', "console.error('bad settings'); process.exit(2)"]);
    const failure = await child.waitForLine(/ready/).then(
      () => 'found',
      (error: Error) => error.message,
    );
    expect(failure).to.contain('bad settings').and.contain('(2)');
  });

  it('get the signal that is sent', async () => {
    const child = startProcess(['-e', "console.log('up'); setInterval(() => {}, 1000)"]);
    await child.waitForLine(/up/);
    child.kill('SIGKILL');
    expect((await child.exited).signal).to.equal('SIGKILL');
  });

  it('hand on nothing of our environment but PATH and HOME', async () => {
    const child = startProcess(['-p', 'Object.keys(process.env).sort().join()'], { ONLY: '1' });
    await child.exited;
    expect(
      child.stdout
        .join()
        .split(',')
        .filter((name) => !['HOME', 'ONLY', 'PATH'].includes(name)),
    ).to.deep.equal([]);
  });

  it('end, folder included, when the process that guards them is killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-guard-'));
    writeFileSync(join(folder, 'data'), 'x');
    const script = `
      import { spawn } from 'node:child_process';
      import { createGuard } from ${JSON.stringify(new URL('./guard.ts', import.meta.url).href)};
      const child = spawn('sleep', ['1000'], { detached: true, stdio: ['ignore', 'inherit', 'ignore'] });
      createGuard(${JSON.stringify(folder)}).watch([child.pid]);
      console.log('guarded');
      setInterval(() => {}, 1000);
    `;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(createInterface({ input: parent.stdout }), 'line');
    const closed = once(parent, 'close'); // comes when the grandchild too has let go of stdout
    parent.kill('SIGKILL');
    await closed;
    await eventually(() => !existsSync(folder));
    expect(existsSync(folder)).to.equal(false);
  });
});

describe('the sink', () => {
  it('counts requests per job and tells when enough distinct jobs came', async () => {
    const sink = await startSink(({ jobId }) => ({ status: jobId === 'b' ? 503 : 204 }));
    try {
      const send = (id: string): Promise<Response> =>
        fetch(sink.url, { method: 'POST', headers: { 'job-id': id }, body: '{}' });
      let isReached = false;
      const two = sink.untilDistinct(2).then(() => {
        isReached = true;
      });
      expect((await send('a')).status).to.equal(204);
      await send('a');
      expect(isReached).to.equal(false);
      expect((await send('b')).status).to.equal(503);
      await two;
      expect([...sink.counts]).to.deep.equal([
        ['a', 2],
        ['b', 1],
      ]);
      expect(sink.total).to.equal(3);
    } finally {
      await sink.close();
    }
  });
});
