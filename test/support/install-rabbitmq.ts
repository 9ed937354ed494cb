/** Gets a rabbitmq-server onto a Debian machine when we are root, without letting its service start. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

/** Debian's packages ask this script before they start a service; 101 means no. */
const policyFile = '/usr/sbin/policy-rc.d';

const advice = `The tests need a RabbitMQ broker, and none was found. Do one of these, then run \`npm test\` again:
  - set TEST_AMQP_URL to a broker that may be written to, such as amqp://guest:guest@127.0.0.1:5672
  - install rabbitmq-server (3.10 or later); it need not run: the tests start nodes of their own
      Debian, Ubuntu:  apt-get install rabbitmq-server
      macOS:           brew install rabbitmq
`;

/** @returns whether it was installed; if not, what to do was printed */
export function installRabbitmq(): boolean {
  const mayInstall =
    process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!mayInstall) {
    process.stderr.write(advice);
    return false;
  }
  process.stderr.write('No RabbitMQ found: installing rabbitmq-server\n');
  const hadPolicy = existsSync(policyFile);
  if (!hadPolicy) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const isDone = aptGet('update') && aptGet('install', '-y', '--no-install-recommends', 'rabbitmq-server');
    if (!isDone) process.stderr.write(`\nThe installation failed, see above.\n${advice}`);
    return isDone;
  } finally {
    if (!hadPolicy) rmSync(policyFile, { force: true });
  }
}

function aptGet(...args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', ['-q', ...args], { env, stdio: ['ignore', 2, 2] }).status === 0;
}
