/** Which unknown names are taken for a setting, and which belong to somebody else. */
import { expect } from 'chai';
import fc from 'fast-check';
import { editDistance } from '../../src/config/near-miss.js';
import { settings } from '../../src/config/settings.js';
import { type Environment, loadConfig } from '../../src/config.js';

function suggestionFor(env: Environment): string | undefined {
  try {
    loadConfig(env, 'work');
    return undefined;
  } catch (error) {
    return /did you mean (\w+)\?/.exec(String(error))?.[1] ?? String(error);
  }
}

/** Names as they stand in real environments, each with a value of the kind it has there. */
const foreign: Environment = Object.fromEntries(
  `
  JOB_NAME=nightly JOB_ID=1 JOB_URL=http://ci/job/1 JOB_TIMEOUT=60 JOB_BASE_NAME=a JOB_DISPLAY_URL=http://ci BUILD_NUMBER=7
  HTTP_PROXY=http://proxy:3128 HTTPS_PROXY=http://proxy:3128 NO_PROXY=localhost http_proxy=http://proxy:3128 no_proxy=x ALL_PROXY=x
  HTTP_HOST=a HTTP_PORT=80 PORT_RANGE=1-2 PORT_NUMBER=1 PORTS=80,81 PORT0=31000 PORT1=31001 PORT_8080=31000 HOSTS=a,b POST=1 SORT=1
  HOSTNAME=box HOSTTYPE=x86_64 HOST_IP=10.0.0.1 HOST_NAME=a NODE_ENV=production NODE_OPTIONS=--no-warnings NODE_PATH=/x NODE_VERSION=20
  PATH=/bin HOME=/root PWD=/app OLDPWD=/ SHELL=/bin/sh SHLVL=1 TERM=xterm USER=me LOGNAME=me LANG=C.UTF-8 LC_ALL=C TZ=UTC _=/usr/bin/env
  MAIL=/var/mail/me EDITOR=vi PAGER=less DISPLAY=:0 COLUMNS=80 LINES=24 COLORTERM=truecolor NO_COLOR=1 FORCE_COLOR=1 TMPDIR=/tmp
  XDG_DATA_DIRS=/usr/share XDG_DATA_HOME=/x XDG_RUNTIME_DIR=/run/user/0 XDG_SESSION_ID=1 SSH_CLIENT=x SSH_AUTH_SOCK=x SUDO_USER=me
  INVOCATION_ID=a JOURNAL_STREAM=8:1 NOTIFY_SOCKET=/run/x MAINPID=1 MANAGERPID=1 SYSTEMD_EXEC_PID=1 LISTEN_FDS=1 LISTEN_PID=1
  WATCHDOG_USEC=1 WATCHDOG_PID=1 CREDENTIALS_DIRECTORY=/run/c STATE_DIRECTORY=/var/lib/x LOGS_DIRECTORY=/var/log/x RUNTIME_DIRECTORY=/run/x
  GITHUB_ACTIONS=true GITHUB_JOB=test GITHUB_TOKEN=x GITHUB_RUN_ID=1 GITHUB_SERVER_URL=https://github.com GITHUB_API_URL=https://api.github.com
  GITHUB_WORKSPACE=/w RUNNER_OS=Linux RUNNER_TEMP=/tmp RUNNER_TOOL_CACHE=/x RUNNER_NAME=a RUNNER_ARCH=X64 ACTIONS_RUNTIME_URL=x CI=true
  CI_JOB_NAME=test CI_JOB_ID=1 CI_JOB_TIMEOUT=3600 CI_SERVER_HOST=gitlab CI_API_V4_URL=x GITLAB_CI=true TRAVIS_JOB_ID=1 CIRCLE_JOB=x
  BUILDKITE_AGENT_META_DATA_QUEUE=default WORKSPACE=/w EXECUTOR_NUMBER=1 JENKINS_URL=http://ci HUDSON_URL=x NODE_NAME=agent
  DYNO=web.1 WEB_CONCURRENCY=2 WEB_MEMORY=512 MEMORY_AVAILABLE=512 HEROKU_APP_NAME=a REDIS_URL=redis://x CLOUDAMQP_URL=amqp://x
  RABBITMQ_URL=amqp://x RABBITMQ_NODENAME=a RABBITMQ_DEFAULT_USER=a MONGO_URL=x MONGODB_URI=x MYSQL_URL=x POSTGRES_URL=x PGHOST=x PGPORT=5432
  KUBERNETES_SERVICE_HOST=10.0.0.1 KUBERNETES_SERVICE_PORT=443 KUBERNETES_SERVICE_PORT_HTTPS=443 KUBERNETES_PORT=tcp://10.0.0.1:443
  KUBERNETES_PORT_443_TCP=tcp://10.0.0.1:443 KUBERNETES_PORT_443_TCP_PROTO=tcp KUBERNETES_PORT_443_TCP_PORT=443
  SLUICE_PORT=tcp://10.0.0.1:80 SLUICE_PORT_80_TCP=tcp://10.0.0.1:80 SLUICE_PORT_80_TCP_ADDR=10.0.0.1 SLUICE_PORT_80_TCP_PORT=80
  SLUICE_PORT_80_TCP_PROTO=tcp SLUICE_SERVICE_HOST=10.0.0.1 SLUICE_SERVICE_PORT=80 SLUICE_SERVICE_PORT_HTTP=80
  SLUICE_WORKER_PORT=tcp://10.0.0.2:8081 SLUICE_WORKER_SERVICE_HOST=10.0.0.2 SLUICE_WORKER_SERVICE_PORT=8081
  WORKER_SERVICE_HOST=10.0.0.2 WORKER_SERVICE_PORT=8081 WORKER_PORT_8081_TCP=tcp://10.0.0.2:8081 AMQP_PORT=tcp://10.0.0.3:5672
  AMQP_SERVICE_HOST=10.0.0.3 AMQP_SERVICE_PORT=5672 SMTP_PORT=25 SMTP_HOST=mail SMTP_USER=me SMTP_PASS=x SMTP_PASSWORD=x SMTP_SECURE=true
  SLUICE_IMAGE=sluice:1 SLUICE_VERSION=1 SLUICE_HOME=/opt SLUICE_NAME=/web/sluice SLUICE_ENV_NODE_VERSION=20 SLUICE_REPLICAS=3
  POD_NAME=a POD_IP=10.0.0.9 POD_NAMESPACE=x CONTAINER_ID=a DOCKER_HOST=unix:///x DOCKER_CONFIG=/x COMPOSE_PROJECT_NAME=x container=oci
  npm_config_loglevel=warn npm_config_port=1 npm_config_host=a npm_package_name=x npm_lifecycle_event=start npm_execpath=x npm_node_execpath=x
  INIT_CWD=/x npm_config_user_agent=npm npm_config_prefix=/usr npm_config_cache=/x YARN_VERSION=1 COREPACK_ROOT=/x
  API_KEY=sk-123 API_URL=http://x API_TOKEN=x APP_KEYS=a SSH_KEYS=x API_KEY_FILE=/run/x OPENAI_API_KEY=x STRIPE_API_KEY=x
  SFTP_URL=sftp://x HTTP_URL=http://x SFTP_URL_FILE=/x FTP_URL=ftp://x QUEUE=* QUEUE_URL=x SQS_QUEUE_URL=x QUEUE_CONNECTION=sync HANDLER=index.handler
  _HANDLER=index.handler AWS_REGION=x AWS_LAMBDA_FUNCTION_NAME=x LOGLEVELS=x LOG_LABEL=x LOG_FORMAT=json LOG_FILE=/x LOG_DIR=/x LOG_LEVEL_FILE=/x
  WORKER_ID=1 WORKER_NAME=a WORKER_TYPE=x WORKER_HOST=a WORKER_COUNT=2 WORKERS=4 MAX_WORKERS=4 RETRY_COUNT=3 MAX_RETRIES=3 MAX_BODY_SIZE=1
  OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_SERVICE_NAME=sluice OTEL_TRACES_SAMPLER=x OTEL_LOG_LEVEL=info UV_THREADPOOL_SIZE=8
  PROMPT_COMMAND=x PS1=x HISTFILE=x LS_COLORS=x LESSOPEN=x GPG_KEY=x PYTHON_VERSION=3 JAVA_HOME=/x GOPATH=/x VIRTUAL_ENV=/x host=a port=1 queues=a
  `
    .trim()
    .split(/\s+/)
    .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
);

describe('names that are no settings', () => {
  it('are left alone when they belong to other programs', () => {
    expect(Object.keys(foreign)).to.have.length.above(200);
    for (const [name, value] of Object.entries(foreign)) {
      expect(suggestionFor({ [name]: value }), `${name}=${value}`).to.equal(undefined);
    }
    expect(suggestionFor(foreign)).to.equal(undefined);
  });

  it('are answered with the setting they were meant to be', () => {
    const cases: readonly (readonly [string, string, string])[] = [
      ['AMPQ_URL', 'nonsense', 'AMQP_URL'],
      ['AMQPURL', 'nonsense', 'AMQP_URL'],
      ['amqp_url', 'nonsense', 'AMQP_URL'],
      ['AMQP_URI', 'amqp://rabbit', 'AMQP_URL'],
      ['AMQP_URLS', 'amqp://rabbit', 'AMQP_URL'],
      ['AMPQ_URL_FILE', '/run/secrets/amqp', 'AMQP_URL_FILE'],
      ['WORKER_CONCURENCY', 'abc', 'WORKER_CONCURRENCY'],
      ['WORKER_CONCURRENTCY', '5', 'WORKER_CONCURRENCY'],
      ['WORKERS_CONCURRENCY', '5', 'WORKER_CONCURRENCY'],
      ['WORKER_QUEUE', 'mail', 'WORKER_QUEUES'],
      ['WOKRER_PORT', '1', 'WORKER_PORT'],
      ['JOB_MAX_ATEMPTS', '5', 'JOB_MAX_ATTEMPTS'],
      ['MAX_JOB_ATTEMPTS', '5', 'JOB_MAX_ATTEMPTS'],
      ['JOB_TIMEOUT_S', '5', 'JOB_TIMEOUT_MS'],
      ['LOGLEVEL', 'debug', 'LOG_LEVEL'],
      ['SMTP_FORM', 'a', 'SMTP_FROM'],
      ['HTTP_PUSH_SECRETS', 'a', 'HTTP_PUSH_SECRET'],
      ['API_KEY', `ci:submit:${'ab'.repeat(32)}`, 'API_KEYS'],
      ['QUEUE', 'mail', 'QUEUES'],
      ['PROT', '8080', 'PORT'],
      ['HSOT', '0.0.0.0', 'HOST'],
      ['SLUICE_PORT', '8080', 'PORT'],
      ['SLUICE_HOST', '0.0.0.0', 'HOST'],
      ['SLUICE_AMQP_URL', 'nonsense', 'AMQP_URL'],
      ['SLUICE_AMQP_URL_FILE', '/run/secrets/amqp', 'AMQP_URL_FILE'],
      ['SLUICE_WORKER_CONCURENCY', '5', 'WORKER_CONCURRENCY'],
    ];
    for (const [name, value, meant] of cases) expect(suggestionFor({ [name]: value }), name).to.equal(meant);
  });

  it('are found for any two neighbours swapped in a name of several words', () => {
    const names = Object.values(settings).map((one) => one.name);
    fc.assert(
      fc.property(fc.constantFrom(...names.filter((name) => name.includes('_'))), fc.nat(), (name, seed) => {
        const at = seed % (name.length - 1);
        const swapped = name.slice(0, at) + name.charAt(at + 1) + name.charAt(at) + name.slice(at + 2);
        fc.pre(swapped !== name && !names.includes(swapped));
        expect(suggestionFor({ [swapped]: 'x' })).to.equal(name);
      }),
    );
  });
});

describe('the distance between two names', () => {
  it('counts letters added, dropped, changed, and neighbours swapped', () => {
    expect(editDistance('', 'abc')).to.equal(3);
    expect(editDistance('AMPQ', 'AMQP')).to.equal(1);
    expect(editDistance('kitten', 'sitting')).to.equal(3);
    expect(editDistance('CONCURENCY', 'CONCURRENCY')).to.equal(1);
  });

  it('is 0 for the same name only, and the same both ways', () => {
    const word = fc.string({ unit: fc.constantFrom('A', 'B', '_'), maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b) === 0).to.equal(a === b);
        expect(editDistance(a, b)).to.equal(editDistance(b, a));
        expect(editDistance(a, b))
          .to.be.at.least(Math.abs(a.length - b.length))
          .and.at.most(Math.max(a.length, b.length));
      }),
    );
  });
});
