/** Settings as a whole: defaults, all faults at once, secrets, files, roles. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { laterSettings, settings } from '../src/config/settings.js';
import { type Environment, loadClientConfig, loadConfig } from '../src/config.js';
import { Invalid } from '../src/job/errors.js';
import { faultsOf, hash, onlyFault, password } from './config/faults.js';
import { useSettingsFolder } from './config/settings-folder.js';

describe('settings', () => {
  const { file } = useSettingsFolder();

  it('have the defaults of the contract', () => {
    expect(loadConfig({}, 'start')).to.deep.equal({
      host: '127.0.0.1',
      port: 8080,
      workerPort: 8081,
      amqpUrls: undefined,
      amqpPrefix: 'sluice',
      databaseUrl: undefined,
      dataDir: './data',
      logLevel: 'info',
      apiKeys: [],
      handlersModule: undefined,
      queues: [],
      workerConcurrency: 10,
      workerQueues: undefined,
      workerPrefetch: undefined,
      jobMaxAttempts: 5,
      jobTimeoutMs: 60_000,
      retryBaseMs: 1000,
      retryMaxMs: 600_000,
      shutdownGraceMs: 25_000,
      publishWindow: 4096,
      maxBodyBytes: 1_048_576,
      maxBatchBytes: 67_108_864,
      maxBatchJobs: 10_000,
      idempotencyTtlMs: 86_400_000,
      resultMaxBytes: 65_536,
      retentionAgeMs: 604_800_000,
      retentionJobs: 1_000_000,
      recordPayload: false,
      smtpUrl: undefined,
      smtpFrom: undefined,
      httpPushSecret: undefined,
      httpPushAllowPrivate: false,
    });
  });

  it('are read from the environment', () => {
    const handlers = file('handlers.js', '');
    const config = loadConfig(
      {
        HOST: '::1',
        PORT: '0',
        WORKER_PORT: '65535',
        AMQP_URL: `amqps://me:${password}@rabbit:5671/prod`,
        AMQP_PREFIX: 'mine',
        DATA_DIR: '/var/lib/sluice',
        LOG_LEVEL: 'debug',
        API_KEYS: `ci:submit+read:${hash}, ops:operate:${hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))}`,
        HANDLERS: handlers,
        QUEUES: 'mail, reports',
        WORKER_CONCURRENCY: '7',
        WORKER_QUEUES: 'default,mail:5',
        WORKER_PREFETCH: '20',
        RETRY_BASE_MS: '500',
        RETRY_MAX_MS: '500',
        SHUTDOWN_GRACE_MS: '0',
        SMTP_URL: 'smtps://mail.example.com',
        SMTP_FROM: 'Jobs <jobs@example.com>',
        HTTP_PUSH_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
        HTTP_PUSH_ALLOW_PRIVATE: 'true',
      },
      'work',
    );
    expect(config).to.include({
      host: '::1',
      port: 0,
      workerPort: 65_535,
      amqpPrefix: 'mine',
      dataDir: '/var/lib/sluice',
      logLevel: 'debug',
    });
    expect(config).to.include({
      handlersModule: handlers,
      workerConcurrency: 7,
      workerPrefetch: 20,
      retryMaxMs: 500,
    });
    expect(config).to.include({
      shutdownGraceMs: 0,
      smtpFrom: 'Jobs <jobs@example.com>',
      httpPushAllowPrivate: true,
    });
    expect(config.amqpUrls?.map((url) => url.reveal())).to.deep.equal([
      `amqps://me:${password}@rabbit:5671/prod`,
    ]);
    expect(config.queues).to.deep.equal(['mail', 'reports']);
    expect(config.workerQueues).to.deep.equal([
      { queue: 'default', concurrency: 7 },
      { queue: 'mail', concurrency: 5 },
    ]);
    expect(config.apiKeys.map(({ name, scopes }) => ({ name, scopes }))).to.deep.equal([
      { name: 'ci', scopes: ['submit', 'read'] },
      { name: 'ops', scopes: ['operate'] },
    ]);
    expect(config.apiKeys[0]?.sha256.toString('hex')).to.equal(hash);
    expect(config.smtpUrl?.reveal()).to.equal('smtps://mail.example.com');
  });

  it('are frozen all the way down', () => {
    const config = loadConfig(
      { WORKER_QUEUES: 'mail:5', API_KEYS: `ci:submit:${hash}`, QUEUES: 'mail' },
      'start',
    );
    for (const part of [
      config,
      config.workerQueues,
      config.workerQueues?.[0],
      config.apiKeys,
      config.apiKeys[0],
      config.queues,
    ]) {
      expect(part).to.not.equal(undefined);
      expect(Object.isFrozen(part)).to.equal(true);
    }
  });

  it('count an empty string as unset', () => {
    expect(
      loadConfig({ PORT: '', AMQP_URL: '', AMQP_URL_FILE: '', AMPQ_URL: '', RATE_LIMIT: '' }, 'start').port,
    ).to.equal(8080);
  });

  it('report every fault at once, with name, value and what is expected', () => {
    const faults = faultsOf({
      PORT: '70000',
      LOG_LEVEL: 'loud',
      WORKER_CONCURRENCY: 'abc',
      QUEUES: 'a.b',
      AMPQ_URL: 'amqp://rabbit',
      RATE_LIMIT: '5',
      RETRY_BASE_MS: '2000',
      RETRY_MAX_MS: '1000',
    });
    expect(faults).to.have.length(7);
    const all = faults.join('\n');
    expect(all).to.match(/^PORT="70000": too large; expected a whole number, 0 to 65535$/m);
    expect(all).to.match(/^LOG_LEVEL="loud": .*expected one of fatal error warn info/m);
    expect(all).to.match(/^WORKER_CONCURRENCY="abc": .*expected a whole number, 1 to 10000$/m);
    expect(all).to.match(/^QUEUES="a\.b": item 1: /m);
    expect(all).to.match(/^AMPQ_URL: .*did you mean AMQP_URL\?$/m);
    expect(all).to.match(/^RATE_LIMIT: this version of Sluice does not have this setting yet/m);
    expect(all).to.match(/^RETRY_MAX_MS="1000": .*at least RETRY_BASE_MS, which is 2000$/m);
  });

  it('take whole numbers in plain digits only', () => {
    for (const text of [
      '1e3',
      '0x10',
      ' 5 ',
      '5.0',
      '5,0',
      '+5',
      '-5',
      '05',
      '5\r',
      '٥',
      'NaN',
      'Infinity',
      '9'.repeat(40),
    ]) {
      expect(onlyFault({ WORKER_CONCURRENCY: text })).to.include(
        `WORKER_CONCURRENCY=${JSON.stringify(text)}`,
      );
    }
    expect(loadConfig({ WORKER_CONCURRENCY: '5' }, 'work').workerConcurrency).to.equal(5);
  });

  it('keep every number within its bounds, and every timer below 2^31 ms', () => {
    for (const { name, kind } of Object.values(settings)) {
      const [, least, most] = /whole number.*?, (\d+) to (\d+)/.exec(kind.expects) ?? [];
      if (least === undefined || most === undefined) continue;
      const pairs = { RETRY_MAX_MS: { RETRY_BASE_MS: '1' }, RETRY_BASE_MS: { RETRY_MAX_MS: '2147483647' } };
      const others = {
        MAX_BODY_BYTES: { MAX_BATCH_BYTES: '268435456' },
        MAX_BATCH_BYTES: { MAX_BODY_BYTES: '1' },
        ...pairs,
      };
      const beside = Object.entries(others).find(([key]) => key === name)?.[1] ?? {};
      expect(faultsOf({ ...beside, [name]: least }), `${name}=${least}`).to.deep.equal([]);
      expect(faultsOf({ ...beside, [name]: most }), `${name}=${most}`).to.deep.equal([]);
      expect(onlyFault({ ...beside, [name]: String(Number(most) + 1) })).to.include('too large');
      if (Number(least) > 0)
        expect(onlyFault({ ...beside, [name]: String(Number(least) - 1) })).to.include('too small');
      // The retention is compared with, and not set as a timer.
      if (name.endsWith('_MS') && name !== 'RETENTION_AGE_MS') expect(Number(most)).to.be.below(2 ** 31);
    }
  });

  it('take only the words true and false', () => {
    for (const text of ['TRUE', 'yes', '1', '0', 'on', 'true ']) {
      expect(onlyFault({ HTTP_PUSH_ALLOW_PRIVATE: text })).to.include('expected true or false');
    }
  });

  it('refuse settings whose feature this version does not have, without showing them', () => {
    for (const name of laterSettings) {
      const fault = onlyFault({ [name]: `postgres://u:${password}@db` });
      expect(fault).to.match(
        new RegExp(`^${name}: this version of Sluice does not have this setting yet; unset it$`),
      );
    }
  });

  it('take a database only beside RabbitMQ', () => {
    const DATABASE_URL = `postgres://me:${password}@db/sluice`;
    expect(onlyFault({ DATABASE_URL })).to.match(/^DATABASE_URL: set without AMQP_URL.*expected AMQP_URL/);
    const config = loadConfig({ DATABASE_URL, AMQP_URL: 'amqp://rabbit' }, 'record');
    expect(config.databaseUrl?.reveal()).to.equal(DATABASE_URL);
    // A fault of AMQP_URL is told once.
    expect(onlyFault({ DATABASE_URL, AMQP_URL: 'rabbit' })).to.match(/^AMQP_URL/);
  });

  it('let a recorder listen anywhere without keys, as a worker', () => {
    for (const role of ['work', 'record'] as const)
      expect(loadConfig({ HOST: '0.0.0.0', SMTP_FROM: 'a@example.com' }, role).host).to.equal('0.0.0.0');
  });

  it('never show a secret, neither in faults nor printed', () => {
    const bad: Environment = {
      AMQP_URL: `amqp://me:${password}@rabbit:notaport`,
      API_KEYS: `ci:submit:${password}`,
      SMTP_URL: `http://me:${password}@mail`,
      DATABASE_URL: `mysql://me:${password}@db`,
      HTTP_PUSH_SECRET: password,
      AMPQ_URL: `amqp://me:${password}@rabbit`,
    };
    const message = faultsOf(bad).join('\n');
    for (const name of Object.keys(bad)) expect(message).to.include(name);
    expect(message).not.to.include(password);
    const good = loadConfig({ AMQP_URL: `amqp://me:${password}@rabbit` }, 'start');
    const url = good.amqpUrls?.[0];
    expect(url?.reveal()).to.include(password);
    for (const shown of [
      inspect(good, { depth: 9, showHidden: true }),
      JSON.stringify(good),
      String(url),
      `${url}`,
      inspect(url),
    ]) {
      expect(shown).to.include('***');
      expect(shown).not.to.include(password);
    }
  });

  it('show no password of a URL that came to a setting that is no secret', () => {
    const fault = onlyFault({ DATA_DIR: 'amqp://user:pa:ss@word@host/' });
    expect(fault).to.contain('"amqp://user:***@host/"').and.not.contain('ss@word');
  });

  it('show a long or odd value short and escaped', () => {
    const fault = onlyFault({ LOG_LEVEL: `\u001b[31m\n${'x'.repeat(5000)}` });
    expect(fault).to.include('\\u001b[31m\\nxxx').and.to.have.length.below(400);
  });

  describe('of access', () => {
    it('refuse to take jobs from other machines without keys, and say how to make one', () => {
      for (const role of ['start', 'serve'] as const) {
        for (const host of ['0.0.0.0', '::', '10.1.2.3', 'jobs.example.com', '2001:db8::1']) {
          const fault = onlyFault({ HOST: host }, role);
          expect(fault).to.include(`HOST="${host}"`).and.to.include('API_KEYS');
          expect(faultsOf({ HOST: host, API_KEYS: `ci:submit:${hash}` }, role)).to.deep.equal([]);
        }
        for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1']) {
          expect(faultsOf({ HOST: host }, role)).to.deep.equal([]);
        }
      }
      expect(faultsOf({ HOST: '0.0.0.0' }, 'work')).to.deep.equal([]);
      expect(onlyFault({ HOST: '0.0.0.0', API_KEYS: 'nonsense' }, 'serve')).to.include('API_KEYS');
    });

    it('advise a command that makes a working key', () => {
      const command = onlyFault({ HOST: '0.0.0.0' }).split('This makes a key and its entry: ')[1] ?? '';
      const printed = execFileSync('sh', ['-c', command], { encoding: 'utf8' });
      const [, key = '', entry] = /^key: (\w{64})\nAPI_KEYS=(\S+)\n$/.exec(printed) ?? [];
      const config = loadConfig({ HOST: '0.0.0.0', API_KEYS: entry }, 'start');
      expect(config.apiKeys[0]?.sha256).to.deep.equal(createHash('sha256').update(key).digest());
    });

    it('need the sender of mails beside their server, where mails are sent', () => {
      expect(onlyFault({ SMTP_URL: 'smtp://mail' }, 'work')).to.match(
        /^SMTP_FROM: not set although SMTP_URL is/,
      );
      expect(faultsOf({ SMTP_URL: 'smtp://mail' }, 'serve')).to.deep.equal([]);
    });

    it('need the server of mails beside their sender, in a process that both takes and sends them', () => {
      expect(onlyFault({ SMTP_FROM: 'jobs@example.com' }, 'start')).to.match(
        /^SMTP_URL: not set although SMTP_FROM is/,
      );
      for (const role of ['serve', 'work'] as const) {
        expect(faultsOf({ SMTP_FROM: 'jobs@example.com' }, role)).to.deep.equal([]);
      }
    });
  });

  it('need room for one job in a batch', () => {
    expect(onlyFault({ MAX_BODY_BYTES: '100', MAX_BATCH_BYTES: '99' })).to.include(
      'at least MAX_BODY_BYTES, which is 100',
    );
  });

  it('tell of the service links of Kubernetes', () => {
    expect(onlyFault({ WORKER_PORT: 'tcp://10.0.0.1:8081' })).to.include('enableServiceLinks: false');
  });

  it('never fail in another way, whatever the environment holds', () => {
    const name = fc.oneof(
      fc.constantFrom(...Object.values(settings).map((one) => one.name)),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.dictionary(name, fc.string({ unit: 'binary' })), (env) => {
        faultsOf(env);
      }),
    );
  });
});

describe('client settings', () => {
  it('have a default and give way to options', () => {
    expect(loadClientConfig({})).to.deep.equal({ url: 'http://127.0.0.1:8080', apiKey: undefined });
    expect(loadClientConfig({ SLUICE_URL: 'https://jobs.example.com/sluice/' }).url).to.equal(
      'https://jobs.example.com/sluice',
    );
    expect(loadClientConfig({ SLUICE_URL: 'nonsense' }, { url: 'http://here' }).url).to.equal('http://here');
  });

  it('are checked, and their near misses found', () => {
    const wrong = { SLUICE_URL: 'jobs.example.com', SLUICE_APIKEY: 'abc', SLUICE_API_KEY: `a ${password}` };
    expect(() => loadClientConfig(wrong))
      .to.throw(Invalid)
      .with.property('message')
      .that.matches(/^3 settings/)
      .and.matches(/SLUICE_URL="jobs.example.com": it must begin with http/)
      .and.matches(/SLUICE_APIKEY: .* did you mean SLUICE_API_KEY/)
      .and.not.includes(password);
  });

  it('leave the settings of the services alone', () => {
    expect(loadClientConfig({ PORT: 'abc', DATABASE_URL: 'x', AMPQ_URL: 'y' }).url).to.equal(
      'http://127.0.0.1:8080',
    );
  });
});
