import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { DeadLetter } from '../../src/handler/define.js';
import { createEmailSend } from '../../workers/email-send.js';
import { jobId, rejection, run } from './running.js';

interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly source: string;
}

/** An SMTP answer, such as 550, that the server gives when the address or the text asks for it: `550@…`, `DATA 550`. */
const answerOf = (code: string): Error =>
  Object.assign(new Error(`says ${code}`), { responseCode: Number(code) });

async function setup(options: SMTPServerOptions = {}) {
  const mails: Received[] = [];
  let connections = 0;
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onConnect(_session, callback) {
      connections++;
      callback();
    },
    onMailFrom(address, _session, callback) {
      const code = /^(\d{3})@/.exec(address.address)?.[1];
      callback(code === undefined ? null : answerOf(code));
    },
    onRcptTo(address, _session, callback) {
      const code = /^(\d{3})@/.exec(address.address)?.[1];
      callback(code === undefined ? null : answerOf(code));
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const source = Buffer.concat(chunks).toString();
        const code = /DATA (\d{3})/.exec(source)?.[1];
        if (code !== undefined) return callback(answerOf(code));
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          source,
        });
        callback();
      });
    },
    ...options,
  });
  const sockets: Socket[] = [];
  server.server.on('connection', (socket: Socket) => sockets.push(socket));
  // A client that gives up in the middle is part of these tests.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const smtpUrl = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  const email = createEmailSend({ smtpUrl, smtpFrom: 'Sluice Jobs <jobs@sender.test>' });
  return {
    smtpUrl,
    mails,
    connections: () => connections,
    send: (mail: object, signal?: AbortSignal) =>
      run(email, { to: 'ada@example.test', subject: 'Hello', text: 'Good morning', ...mail }, signal),
    cleanUp: () =>
      new Promise<void>((resolve) => {
        // The sender holds its idle connections for a while; nobody waits for that here.
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

const headerOf = (source: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*(?:\\r\\n[ \\t].*)*)`, 'im').exec(source)?.[1]?.replace(/\r\n[ \t]/g, ' ');

describe('email.send', () => {
  let at: Awaited<ReturnType<typeof setup>>;
  beforeEach(async () => {
    at = await setup();
  });
  afterEach(() => at.cleanUp());

  it('sends a text from SMTP_FROM', async () => {
    const result = await at.send({ subject: 'Grüße', text: 'Guten Morgen' });
    expect(result).to.deep.equal({ messageId: `<${jobId}@sender.test>`, accepted: ['ada@example.test'] });
    const [mail] = at.mails;
    expect(mail)
      .to.include({ from: 'jobs@sender.test' })
      .and.deep.include({ to: ['ada@example.test'] });
    expect(headerOf(mail?.source ?? '', 'From')).to.equal('Sluice Jobs <jobs@sender.test>');
    expect(headerOf(mail?.source ?? '', 'Subject')).to.match(/^=\?UTF-8\?/);
    expect(mail?.source).to.contain('Guten Morgen');
  });

  it('sends text and html as alternatives, and html alone', async () => {
    await at.send({ html: '<b>Good</b>' });
    expect(at.mails[0]?.source)
      .to.match(/multipart\/alternative/)
      .and.contain('<b>Good</b>')
      .and.contain('Good morning');
    await at.send({ html: '<i>only</i>', text: undefined });
    expect(at.mails[1]?.source).to.contain('<i>only</i>').and.not.contain('text/plain');
  });

  it('sends to several, with display names', async () => {
    const result = await at.send({
      to: ['Ada Lovelace <ada@example.test>', '"Babbage, Charles" <cb@example.test>'],
    });
    expect(result.accepted).to.deep.equal(['ada@example.test', 'cb@example.test']);
    expect(headerOf(at.mails[0]?.source ?? '', 'To'))
      .to.contain('Ada Lovelace')
      .and.contain('"Babbage, Charles" <cb@example.test>');
  });

  it('gives every attempt the same Message-ID, made of the job id', async () => {
    await at.send({});
    await at.send({});
    expect(at.mails.map((mail) => headerOf(mail.source, 'Message-ID'))).to.deep.equal([
      `<${jobId}@sender.test>`,
      `<${jobId}@sender.test>`,
    ]);
  });

  it('uses its connections again', async () => {
    for (let i = 0; i < 10; i++) await at.send({});
    expect(at.mails).to.have.length(10);
    expect(at.connections()).to.be.below(10);
  });

  it('sends a hundred at once, over a bounded number of connections', async () => {
    await Promise.all(Array.from({ length: 100 }, () => at.send({})));
    expect(at.mails).to.have.length(100);
    expect(at.connections()).to.be.within(1, 10);
  });

  for (const to of ['550@x.test', '553@x.test', ['550@x.test', '551@x.test']]) {
    it(`gives up when every mailbox is refused for good: ${to}`, async () => {
      const error = await rejection(at.send({ to }));
      expect(error).to.be.instanceOf(DeadLetter);
      expect(error.message).to.contain('says 55');
    });
  }

  for (const [title, mail] of [
    ['a mailbox that is busy (450)', { to: '450@x.test' }],
    ['a mailbox over its quota (452)', { to: '452@x.test' }],
    ['one refused for good and one for now', { to: ['550@x.test', '451@x.test'] }],
    ['a text refused for now (451)', { text: 'DATA 451' }],
    ['a session out of step (503)', { to: '503@x.test' }],
    ['a server that goes away (421)', { text: 'DATA 421' }],
  ] as const) {
    it(`lets be retried: ${title}`, async () => {
      const error = await rejection(at.send(mail));
      expect(error).to.not.be.instanceOf(DeadLetter);
      expect(error.message).to.match(/says (4\d\d|503)/);
      expect(at.mails).to.have.length(0);
    });
  }

  for (const code of ['552', '554']) {
    it(`gives up when the text is refused for good: ${code}`, async () => {
      expect(await rejection(at.send({ text: `DATA ${code}` }))).to.be.instanceOf(DeadLetter);
    });
  }

  it('lets be retried when the sender is refused, which is a fault of our account', async () => {
    const email = createEmailSend({ smtpUrl: at.smtpUrl, smtpFrom: '550@sender.test' });
    const error = await rejection(run(email, { to: 'a@x.test', subject: '', text: '' }));
    expect(error).to.not.be.instanceOf(DeadLetter);
    expect(error.message).to.contain('says 550');
  });

  it('gives up on a mail that is too large for the server', async () => {
    const email = createEmailSend({ smtpUrl: at.smtpUrl, smtpFrom: '552@sender.test' });
    expect(await rejection(run(email, { to: 'a@x.test', subject: '', text: '' }))).to.be.instanceOf(
      DeadLetter,
    );
  });

  it('goes to the dead letters when only some got it, and says who did not', async () => {
    const error = await rejection(at.send({ to: ['ada@example.test', '450@x.test', '550@x.test'] }));
    expect(error).to.be.instanceOf(DeadLetter);
    expect(error.message).to.match(/sent to 1, refused for 2: .*450@x\.test.*550@x\.test/);
    expect(at.mails).to.have.length(1);
  });

  it('lets be retried when the login is refused', async () => {
    const withLogin = await setup({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: (_auth, _session, callback) => callback(answerOf('535')),
    });
    const smtpUrl = withLogin.smtpUrl.replace('//', '//user:hunter2@');
    const error = await rejection(
      run(createEmailSend({ smtpUrl, smtpFrom: 'a@b.test' }), { to: 'a@x.test', subject: '', text: '' }),
    );
    await withLogin.cleanUp();
    expect(error).to.not.be.instanceOf(DeadLetter);
    expect(error.message).to.contain('says 535').and.not.contain('hunter2');
  });

  it('logs in with the user and password of SMTP_URL', async () => {
    const logins: unknown[] = [];
    const withLogin = await setup({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth(auth, _session, callback) {
        logins.push([auth.username, auth.password]);
        callback(null, { user: 'u' });
      },
    });
    const smtpUrl = withLogin.smtpUrl.replace('//', '//us%40er:p%2Fw@');
    await run(createEmailSend({ smtpUrl, smtpFrom: 'a@b.test' }), { to: 'a@x.test', subject: '', text: '' });
    await withLogin.cleanUp();
    expect(logins).to.deep.equal([['us@er', 'p/w']]);
  });

  it('lets be retried when nobody listens', async () => {
    const gone = await setup();
    await gone.cleanUp();
    const { smtpUrl } = gone;
    const error = await rejection(
      run(createEmailSend({ smtpUrl, smtpFrom: 'a@b.test' }), { to: 'a@x.test', subject: '', text: '' }),
    );
    expect(error).to.not.be.instanceOf(DeadLetter);
    expect(error.message).to.contain('ECONNREFUSED');
  });

  it('lets be retried when the server hangs up', async () => {
    const server = createServer((socket) => void socket.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const smtpUrl = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = await rejection(
      run(createEmailSend({ smtpUrl, smtpFrom: 'a@b.test' }), { to: 'a@x.test', subject: '', text: '' }),
    );
    server.close();
    expect(error).to.not.be.instanceOf(DeadLetter);
  });

  it('ends at once when aborted while the server is silent, with the reason of the signal', async () => {
    const abort = new AbortController();
    const reason = new Error('deadline');
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      abort.abort(reason);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const smtpUrl = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const sending = run(
      createEmailSend({ smtpUrl, smtpFrom: 'a@b.test' }),
      { to: 'a@x.test', subject: '', text: '' },
      abort.signal,
    );
    expect(await rejection(sending)).to.equal(reason);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('sends nothing when aborted beforehand', async () => {
    const reason = new Error('too late');
    expect(await rejection(at.send({}, AbortSignal.abort(reason)))).to.equal(reason);
    expect(at.connections()).to.equal(0);
  });

  for (const to of [
    'a@x.test, b@x.test',
    'team: a@x.test, b@x.test;',
    'a@x.test <b@x.test>, c@x.test',
    'nobody',
    '<>',
    ['a@x.test', ''],
  ]) {
    it(`sends nothing to ${JSON.stringify(to)}, even for a job that came past the schema`, async () => {
      expect(await rejection(at.send({ to }))).to.be.instanceOf(DeadLetter);
      expect(at.mails).to.have.length(0);
    });
  }

  it('lets no line break become a header, even for a job that came past the schema', async () => {
    await at
      .send({ subject: 'Hello\r\nBcc: eve@evil.test', to: 'Ada\r\nBcc: eve@evil.test <ada@example.test>' })
      .catch(() => undefined);
    for (const mail of at.mails) {
      expect(mail.to).to.not.include('eve@evil.test');
      expect(headerOf(mail.source, 'Bcc')).to.equal(undefined);
    }
  });

  it('reads no file and calls no address that a payload names', async () => {
    for (const text of [{ path: '/etc/hostname' }, { href: 'http://127.0.0.1:1/' }]) {
      expect(await rejection(at.send({ text })).then((error) => error.message)).to.match(/access rejected/);
    }
    expect(at.mails).to.have.length(0);
  });
});
