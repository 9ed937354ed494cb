import { expect } from 'chai';
import { DeadLetter } from '../../src/handler/define.js';
import { createRegistry } from '../../src/handler/registry.js';
import { Invalid } from '../../src/job/errors.js';
import { createEmailSend } from '../../workers/email-send.js';
import { rejection, run } from './running.js';

describe('the payload of email.send', () => {
  const registry = createRegistry({ handlers: [createEmailSend({ smtpFrom: 'a@b.test' })] });
  const check = (mail: object): string | undefined =>
    registry.checkPayload('email.send', { to: 'ada@example.com', subject: 'Hello', text: 'x', ...mail });

  for (const mail of [
    {},
    { to: ['a@b', 'Ada <a@b>'] },
    { html: '<b>' },
    { to: 'Ädä <ä@bücher.example>' },
    { subject: '' },
  ]) {
    it(`accepts ${JSON.stringify(mail)}`, () => expect(check(mail)).to.equal(undefined));
  }

  const refused: readonly [mail: object, said: RegExp][] = [
    [{ to: undefined }, /must have required property 'to'/],
    [{ to: 'nobody' }, /\/to must match.*one mail address/],
    [{ to: 'a@b\r\nBcc: c@d' }, /\/to must match/],
    [{ to: [] }, /\/to must NOT have fewer than 1 items/],
    [{ to: Array(101).fill('a@b') }, /\/to must NOT have more than 100 items/],
    [{ to: ['a@b', 'x'] }, /\/to\/1 must match/],
    [{ subject: 'a\nBcc: c@d' }, /\/subject must match.*a single line/],
    [{ subject: 'a\u2028b' }, /\/subject must match/],
    [{ subject: 5 }, /\/subject must be string/],
    [{ text: { path: '/etc/passwd' } }, /\/text must be string/],
    [{ from: 'eve@evil.test' }, /must not have the property "from"/],
    [{ attachments: [] }, /must not have the property "attachments"/],
  ];
  for (const [mail, said] of refused) {
    it(`refuses ${JSON.stringify(mail).slice(0, 80)}`, () => expect(check(mail)).to.match(said));
  }

  it('wants a text or html', () => {
    expect(registry.checkPayload('email.send', { to: 'a@b', subject: '' })).to.match(
      /must have required property 'text'.*'html'/,
    );
  });
});

describe('the settings of email.send', () => {
  it('leave the type known but switched off when there are none, and the refusal says what to set', () => {
    const registry = createRegistry({ handlers: [createEmailSend({})] });
    expect(registry.types).to.deep.equal(['email.send']);
    const said = registry.checkPayload('email.send', { to: 'a@b', subject: '', text: '' });
    expect(said).to.equal(
      'the payload must NOT be valid: email.send is switched off: set SMTP_FROM, and SMTP_URL where workers run',
    );
  });

  it('let a worker that lacks them leave a job to another', async () => {
    for (const settings of [{}, { smtpFrom: 'a@b.test' }, { smtpUrl: 'smtp://127.0.0.1:1' }]) {
      const error = await rejection(run(createEmailSend(settings), { to: 'a@b', subject: '', text: '' }));
      expect(error).to.not.be.instanceOf(DeadLetter);
      expect(error.message).to.equal('this worker lacks SMTP_URL or SMTP_FROM');
    }
  });

  for (const smtpUrl of [
    '',
    'mail.example.com',
    'http://hunter2@mail.example.com',
    'smtp://',
    'smtp://u:hunter2%zz@mail.example.com',
  ]) {
    it(`refuse SMTP_URL=${smtpUrl} without showing it`, () => {
      expect(() => createEmailSend({ smtpUrl, smtpFrom: 'a@b.test' }))
        .to.throw(Invalid, /^SMTP_URL must be smtp:\/\/host:port/)
        .with.property('message')
        .that.does.not.contain('hunter2');
    });
  }

  for (const smtpFrom of ['', 'nobody', 'a@b.test, c@d.test', 'a@b.test\r\nBcc: c@d.test']) {
    it(`refuse SMTP_FROM=${JSON.stringify(smtpFrom)}`, () => {
      expect(() => createEmailSend({ smtpUrl: 'smtp://x', smtpFrom })).to.throw(
        Invalid,
        /^SMTP_FROM must be one mail address/,
      );
    });
  }
});
