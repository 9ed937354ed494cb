import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { SMTPServer } from 'smtp-server';
import { createRegistry } from '../../src/handler/registry.js';
import { Invalid } from '../../src/job/errors.js';
import { handlers } from '../../workers/index.js';

const settings = { httpPushAllowPrivate: false, retryMaxMs: 600_000 };

describe('the shipped handlers', () => {
  it('make a registry, with and without the optional settings', () => {
    const more = {
      smtpUrl: 'smtp://mail.test',
      smtpFrom: 'a@b.test',
      httpPushSecret: Buffer.alloc(32).toString('base64'),
    };
    for (const given of [settings, { ...settings, ...more }]) {
      const registry = createRegistry({ handlers: handlers(given) });
      expect(registry.types).to.deep.equal(['echo', 'email.send', 'http.push', 'sleep']);
      expect(registry.queues).to.deep.equal(['default']);
    }
  });

  it('take no payload but an object, echo excepted', () => {
    const registry = createRegistry({ handlers: handlers(settings) });
    for (const type of registry.types) {
      for (const payload of [null, 5, 'x', []]) {
        expect(registry.checkPayload(type, payload) === undefined, type).to.equal(type === 'echo');
      }
    }
  });

  it('refuse a bad setting at load', () => {
    expect(() => handlers({ ...settings, httpPushSecret: 'short' })).to.throw(Invalid, 'HTTP_PUSH_SECRET');
    expect(() => handlers({ ...settings, smtpUrl: 'mail' })).to.throw(Invalid, 'SMTP_URL');
  });

  it('let the process end once their work is done, though connections are kept for reuse', async () => {
    const http = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
    const smtp = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      onData: (stream, _session, done) => void stream.resume().on('end', done),
    });
    smtp.on('error', () => undefined);
    smtp.listen(0, '127.0.0.1');
    await Promise.all([once(http, 'listening'), once(smtp.server, 'listening')]);
    const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

    const program = `
      import { handlers } from ${JSON.stringify(new URL('../../workers/index.ts', import.meta.url).href)};
      const all = handlers({ httpPushAllowPrivate: true, retryMaxMs: 1, smtpUrl: 'smtp://127.0.0.1:${portOf(smtp.server)}', smtpFrom: 'a@b.test' });
      const run = (type, payload) => all.find((handler) => handler.type === type).run({ id: 'i', payload }, { signal: new AbortController().signal });
      const results = await Promise.all([
        run('http.push', { url: 'http://127.0.0.1:${portOf(http)}', timeoutMs: 600000 }),
        run('email.send', { to: 'a@b.test', subject: '', text: '' }),
      ]);
      console.log(JSON.stringify(results));
    `;
    const child: ChildProcess = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    http.closeAllConnections();
    http.close();
    smtp.close();
    expect(code).to.equal(0);
    expect(JSON.parse(output)).to.deep.equal([
      { status: 200 },
      { messageId: '<i@b.test>', accepted: ['a@b.test'] },
    ]);
  });
});
