import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createWatchdog } from '../../src/runtime/watchdog.js';
import { createMemoryLog } from '../worker/support/pool-bench.js';

const program = fileURLToPath(new URL('./watched-process.ts', import.meta.url));

async function run(limitMs: number, conduct: string) {
  const child = spawn(process.execPath, [...process.execArgv, program, String(limitMs), conduct]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, stdout, lines: stderr.split('\n').filter((line) => line !== '') };
}

describe('the watchdog', () => {
  it('kills a process whose loop stands still, with one line that names the job started last', async () => {
    const { signal, lines } = await run(500, 'block');
    expect(signal).to.equal('SIGKILL');
    expect(lines).to.have.length(1);
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(line).to.include({ level: 'fatal', job: 'job-2', type: 'endless.loop' });
    expect(line['msg']).to.include('500 ms').and.include('worker thread');
  });

  it('leaves a process alone whose loop turns, however slowly', async () => {
    const { code, stdout, lines } = await run(500, 'turn');
    expect({ code, stdout, lines }).to.deep.equal({ code: 0, stdout: 'over\n', lines: [] });
  });

  it('leaves a process alone once stopped', async () => {
    const { code, stdout } = await run(300, 'blockAfterStop');
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: 'over\n' });
  });

  it('keeps no process alive that has nothing else to do', async () => {
    const { code, stdout } = await run(600_000, 'silent');
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: 'over\n' });
  });

  it('stops before start, twice, and does not start then', async () => {
    const { log, lines } = createMemoryLog();
    const watchdog = createWatchdog({ limitMs: 1000, log });
    await watchdog.stop();
    await watchdog.start();
    await watchdog.stop();
    expect(lines).to.deep.equal([]);
  });

  it('tells the beginning of a name that is too long', async () => {
    const { signal, lines } = await run(500, 'blockLongName');
    expect(signal).to.equal('SIGKILL');
    expect(JSON.parse(lines[0] ?? '')).to.include({ level: 'fatal', job: 'i'.repeat(256) });
  });
});
