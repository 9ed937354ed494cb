import { expect } from 'chai';
import { createLog } from '../../src/runtime/log.js';
import { createMask } from '../../src/runtime/mask.js';

describe('a log line', () => {
  const written: [title: string, secrets: readonly string[], text: string, masked: string][] = [
    [
      'the user and password of an address',
      [],
      'connect amqps://app:p%40ss@a:5671/x failed',
      'connect amqps://***@a:5671/x failed',
    ],
    ['a user without a password', [], 'see https://token@host/path', 'see https://***@host/path'],
    ['those of each address in a row', [], 'postgres://a:b@c smtp://d:e@f', 'postgres://***@c smtp://***@f'],
    ['a bearer token', [], 'sent Bearer abc.def-ghi~1', 'sent Bearer ***'],
    ['a secret of the settings', ['hunter22'], 'tried hunter22 twice: hunter22', 'tried *** twice: ***'],
    ['a secret as JSON writes it', ['say "hi" \\ now'], '{"a":"say \\"hi\\" \\\\ now"}', '{"a":"***"}'],
    ['a secret as a URL writes it', ['p@ss:word'], '?key=p%40ss%3Aword', '?key=***'],
    ['of two secrets the longer one', ['secret-1', 'secret-123'], 'is secret-123', 'is ***'],
  ];
  for (const [title, secrets, text, masked] of written) {
    it(`masks ${title}`, () => {
      expect(createMask(secrets)(text)).to.equal(masked);
    });
  }

  const kept = [
    'connected to http://127.0.0.1:8080/v1/jobs',
    'mail of ada@example.com',
    'see http://host/path@2x.png',
    'the bearer of news',
    'user guest at vhost /',
  ];
  for (const text of kept) {
    it(`keeps "${text}"`, () => {
      expect(createMask(['guest'])(text)).to.equal(text);
    });
  }

  it('is looked through once, however long a word in it is', () => {
    const word = 'a1b2c3d4'.repeat(50_000);
    expect(createMask([])(`${word}://u:p@h ${word}`)).to.equal(`${word}://***@h ${word}`);
  });

  it('is masked as a whole: the message, the fields, an error and its cause, and what a child adds', () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const log = createLog('info', { secrets: ['hunter22'], destination });
    const cause = new Error('cannot open db://app:other@host');
    log
      .child({ with: 'hunter22' })
      .error(
        { err: new Error('hunter22', { cause }), deep: { er: ['hunter22'] }, apiKey: 'k', job: 'id' },
        'hunter22',
      );
    log.debug({ job: 'id' }, 'below the level');
    expect(lines).to.have.length(1);
    expect(lines[0]).not.to.include('hunter22').and.not.include('app:other');
    const { level, msg, job, apiKey, deep } = JSON.parse(lines[0] ?? '');
    expect({ level, msg, job, apiKey, deep }).to.deep.equal({
      level: 'error',
      msg: '***',
      job: 'id',
      apiKey: '***',
      deep: { er: ['***'] },
    });
  });
});
