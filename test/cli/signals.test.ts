/** Signals and uncaught faults on a real process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const script = fileURLToPath(new URL('./fake-service.ts', import.meta.url));

describe('a real service process', () => {
  const running: ChildProcess[] = [];
  const launch = (behaviour: string) => {
    const child = spawn(process.execPath, [...process.execArgv, script, behaviour], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    let logged = '';
    const waits: { readonly text: string; readonly found: () => void }[] = [];
    child.stderr.on('data', (chunk: Buffer) => {
      logged += chunk.toString();
      for (const { text, found } of waits) if (logged.includes(text)) found();
    });
    return {
      child,
      ready: once(child.stdout, 'data').then(([chunk]) => String(chunk)),
      ended: once(child, 'close').then(([code]: unknown[]) => code),
      says: (text: string) =>
        new Promise<void>((found) => {
          if (logged.includes(text)) found();
          else waits.push({ text, found });
        }),
      logged: () => logged,
    };
  };
  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
  });

  it('stays alive while it waits, and exits with 0 after SIGTERM', async () => {
    const { child, ready, ended } = launch('well');
    expect(await ready).to.equal('ready\n');
    child.kill('SIGTERM');
    expect(await ended).to.equal(0);
  });

  it('ends at once with 130 on a SIGINT after a SIGTERM', async () => {
    const { child, ready, ended, says } = launch('stuck');
    await ready;
    child.kill('SIGTERM');
    await says('stopping; a second signal ends at once');
    child.kill('SIGINT');
    expect(await ended).to.equal(130);
  });

  for (const behaviour of ['throws', 'rejects']) {
    it(`logs a fault that nobody caught and exits with 1 when something ${behaviour}`, async () => {
      const { ended, logged } = launch(behaviour);
      expect(await ended).to.equal(1);
      expect(logged()).to.include('a fault that nobody caught').and.to.include('surprise');
    });
  }
});
