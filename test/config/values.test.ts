/** Values with a form of their own: brokers, mail servers, keys, lists, hosts. */
import { expect } from 'chai';
import fc from 'fast-check';
import { apiKeys, mailAddress, webhookSecret } from '../../src/config/api-keys.js';
import { folder, host, type Kind, moduleFile, queueNames, queueShares } from '../../src/config/kinds.js';
import { amqpUrls, postgresUrl, serverUrl, smtpUrl } from '../../src/config/urls.js';

function read<Value>(kind: Kind<Value>, text: string): Value {
  const parsed = kind.parse(text);
  if ('value' in parsed) return parsed.value;
  throw new Error(`${text}: ${parsed.fault}`);
}

function faultOf(kind: Kind<unknown>, text: string): string {
  const parsed = kind.parse(text);
  return 'fault' in parsed ? parsed.fault : `no fault: ${text}`;
}

const brokers = (text: string): string[] => read(amqpUrls, text).map((url) => url.reveal());
const hash = 'ab'.repeat(32);

describe('DATA_DIR', () => {
  it('takes a path, whether there is something or not', () => {
    for (const path of ['data', './data', '/var/lib/sluice', 'C:\\data', '..', 'a b', import.meta.dirname])
      expect(read(folder, path)).to.equal(path);
  });

  it('refuses what would become a folder by mistake, or is none', () => {
    expect(faultOf(folder, 'file:///var/lib/sluice')).to.equal('that is a URL');
    expect(faultOf(folder, 'amqp://user:password@host/')).to.equal('that is a URL');
    expect(faultOf(folder, 'a\0b')).to.contain('U+0000');
    expect(faultOf(folder, import.meta.filename)).to.equal('that is a file');
  });
});

describe('AMQP_URL', () => {
  it('takes one URL as it is', () => {
    for (const url of [
      'amqp://rabbit',
      'amqp://me:pass@rabbit:5672/vhost',
      'amqps://me:p%40ss%2Cw@10.0.0.1:5671/%2Fprod?heartbeat=20',
      'amqp://me@[::1]:5672',
      'amqp://rabbit/',
    ]) {
      expect(brokers(url)).to.deep.equal([url]);
    }
  });

  it('takes full URLs between commas', () => {
    expect(brokers('amqp://u:p@a:5672/v, amqps://u:p@b,AMQP://c')).to.deep.equal([
      'amqp://u:p@a:5672/v',
      'amqps://u:p@b',
      'amqp://c',
    ]);
  });

  it('gives each of several hosts in one URL its credentials, vhost and parameters', () => {
    expect(brokers('amqp://user:pass@a:5672,b:5673,c/vhost?heartbeat=5')).to.deep.equal([
      'amqp://user:pass@a:5672/vhost?heartbeat=5',
      'amqp://user:pass@b:5673/vhost?heartbeat=5',
      'amqp://user:pass@c/vhost?heartbeat=5',
    ]);
    expect(brokers('amqp://a,b,amqp://c/v')).to.deep.equal(['amqp://a', 'amqp://b', 'amqp://c/v']);
  });

  it('says what is wrong, and of which URL', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['rabbit:5672', /^URL 1: it must begin with amqp/],
      ['http://rabbit', /^URL 1: it must begin with amqp/],
      ['amqp://a,amqp://', /^URL 2: a host is missing/],
      ['amqp://a,,b', /^URL 1: a host is missing/],
      ['amqp://a,', /^URL 1: a host is missing/],
      ['amqp://rabbit:99999', /host or port/],
      ['amqp://rabbit:0', /1 to 65535/],
      ['amqp://u:p@ss@rabbit', /percent-encode/],
      ['amqp://u:p#ss@rabbit', /percent-encode/],
      ['amqp://u:p%ss@rabbit', /%25/],
      ['amqp://rabbit/%zz', /%25/],
      ['amqp://rabbit/a/b', /%2F/],
      ['amqp://rabbit?heartbeat=0', /heartbeat must be/],
      ['amqp://rabbit?hartbeat=5', /parameter is unknown/],
      ['amqp://rab bit', /host or port/],
    ];
    for (const [text, fault] of cases) expect(faultOf(amqpUrls, text)).to.match(fault);
  });

  it('keeps the password out of every fault', () => {
    const odd = fc.string({
      unit: fc.constantFrom('@', '/', '#', '?', '%', ',', ':', ' ', 'x'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(odd, odd, (before, after) => {
        const parsed = amqpUrls.parse(`amqp://u:${before}swordfish${after}@rabbit:bad`);
        if ('fault' in parsed) expect(parsed.fault).not.to.include('swordfish');
      }),
    );
  });
});

describe('SMTP_URL', () => {
  it('takes smtp and smtps with a host', () => {
    expect(read(smtpUrl, 'smtps://me:p%40ss@mail:465').reveal()).to.equal('smtps://me:p%40ss@mail:465');
    for (const text of ['mail:25', 'http://mail', 'smtp://', 'smtp://mail:99999', 'smtp://u:%@mail']) {
      expect(faultOf(smtpUrl, text)).not.to.include('no fault');
    }
  });
});

describe('DATABASE_URL', () => {
  it('is a PostgreSQL address with a host and a database', () => {
    for (const text of [
      'postgres://me:p%40ss@db:5432/sluice?sslmode=require',
      'postgresql://db/sluice',
      'postgres:///sluice?host=/run/postgresql',
    ])
      expect(read(postgresUrl, text).reveal()).to.equal(text);
    const cases: readonly (readonly [string, RegExp])[] = [
      ['db/sluice', /must begin with postgres/],
      ['mysql://db/sluice', /must begin with postgres/],
      ['postgres://u:p@ss:w@db:x/sluice', /percent-encode/],
      ['postgres:///sluice', /host is missing/],
      ['postgres://db:0/sluice', /1 to 65535/],
      ['postgres://u:%zz@db/sluice', /%25/],
      ['postgres://db', /name of the database/],
      ['postgres://db/', /name of the database/],
    ];
    for (const [text, fault] of cases) expect(faultOf(postgresUrl, text), text).to.match(fault);
  });
});

describe('SLUICE_URL', () => {
  it('is http or https, without credentials or query', () => {
    expect(read(serverUrl, 'http://[::1]:8080//')).to.equal('http://[::1]:8080');
    for (const text of [
      'localhost:8080',
      'ftp://a',
      'http://u:p@a',
      'http://a?b',
      'http://a#b',
      'http://',
      'http://a:b',
    ]) {
      expect(faultOf(serverUrl, text)).not.to.include('no fault');
    }
  });
});

describe('API_KEYS', () => {
  it('says which entry is wrong and why, without its hash', () => {
    const other = 'cd'.repeat(32);
    const cases: readonly (readonly [string, RegExp])[] = [
      ['secret', /^item 1: must have three parts/],
      [`ci:submit:${hash}:x`, /^item 1: must have three parts/],
      [`ci:submit:${hash},`, /^item 2: empty/],
      [`ci:submit:${hash},ci:read:${other}`, /^item 2: ci is there twice/],
      [`ci:submit:${hash},ops:read:${hash.toUpperCase()}`, /two names have the same key/],
      [`ci:write:${hash}`, /\(ci\) a scope is unknown; scopes are submit, read, operate/],
      [`ci::${hash}`, /\(ci\) a scope is unknown/],
      [`ci:read+read:${hash}`, /\(ci\) a scope is there twice/],
      [`ci:read:${hash.slice(1)}`, /\(ci\) the hash must be 64 hex digits/],
      [`ci:read:${hash.replace('a', 'g')}`, /\(ci\) the hash must be 64 hex digits/],
      [`c i:read:${hash}`, /the name must be/],
      ['ci:read:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', /empty key/],
    ];
    for (const [text, fault] of cases) {
      expect(faultOf(apiKeys, text)).to.match(fault);
      expect(faultOf(apiKeys, text)).not.to.include(hash.slice(1));
    }
  });
});

describe('HTTP_PUSH_SECRET', () => {
  it('is 24 to 64 bytes in base64, with the prefix or not', () => {
    const encoded = Buffer.alloc(24, 1).toString('base64');
    expect(read(webhookSecret, encoded).reveal()).to.equal(encoded);
    expect(read(webhookSecret, `whsec_${encoded}`).reveal()).to.equal(`whsec_${encoded}`);
    expect(faultOf(webhookSecret, Buffer.alloc(23).toString('base64'))).to.include('23 bytes');
    expect(faultOf(webhookSecret, Buffer.alloc(65).toString('base64'))).to.include('65 bytes');
    expect(faultOf(webhookSecret, 'plain words')).to.include('not base64');
  });
});

describe('SMTP_FROM', () => {
  it('is one address on one line', () => {
    for (const text of ['a@b', 'jobs@example.com', 'The Jobs <jobs@example.com>'])
      expect(read(mailAddress, text)).to.equal(text);
    for (const text of ['jobs', '@b', 'a@b\nBcc: c@d', 'A\r\nX: y <a@b>', 'a@b, c@d', '<a@b>', 'A <a@b> x']) {
      expect(faultOf(mailAddress, text)).not.to.include('no fault');
    }
  });
});

describe('HOST', () => {
  it('is an address or a name', () => {
    for (const text of ['0.0.0.0', '::', 'fe80::1', 'localhost', 'a.b-c.example', 'box1'])
      expect(read(host, text)).to.equal(text);
    for (const text of [
      '[::1]',
      '1.2.3',
      '256.0.0.1',
      'a b',
      'a:80',
      'http://a',
      '-a',
      'a..b',
      'x'.repeat(64),
    ]) {
      expect(faultOf(host, text)).not.to.include('no fault');
    }
  });
});

describe('lists of queues', () => {
  it('name each queue once', () => {
    expect(read(queueNames, 'a, b-2 ,c_3')).to.deep.equal(['a', 'b-2', 'c_3']);
    expect(faultOf(queueNames, 'a,a')).to.equal('item 2: a is there twice');
    for (const text of ['A', 'a.b', 'a,,b', ',', 'a b', 'x'.repeat(64)])
      expect(faultOf(queueNames, text)).to.match(/^item \d: /);
  });

  it('carry a concurrency or not', () => {
    expect(read(queueShares, 'default,mail:5')).to.deep.equal([
      { queue: 'default', concurrency: undefined },
      { queue: 'mail', concurrency: 5 },
    ]);
    for (const text of ['mail:0', 'mail:', 'mail:x', 'mail:1:2', 'mail:10001', ':5', 'mail:5,mail:6']) {
      expect(faultOf(queueShares, text)).to.match(/^item \d: /);
    }
  });
});

describe('HANDLERS', () => {
  it('is a file that exists, or an installed package', () => {
    expect(read(moduleFile, './package.json')).to.match(/^\/.*package\.json$/);
    expect(faultOf(moduleFile, './nowhere.js')).to.equal('there is no such file');
    expect(faultOf(moduleFile, './src')).to.equal('that is a folder');
    expect(faultOf(moduleFile, '@acme/handlers')).to.equal('there is no such file');
    expect(read(moduleFile, 'koa')).to.equal('koa');
    expect(faultOf(moduleFile, 'handlers.mjs')).to.equal('there is no such file');
    expect(faultOf(moduleFile, 'a\0b')).to.equal('there is no such file');
  });
});
