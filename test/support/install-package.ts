/** Gets a server onto a Debian machine when we are root, without letting its service start. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

/** Debian's packages ask this script before they start a service; 101 means no. */
const policyFile = '/usr/sbin/policy-rc.d';

/**
 * @param advice  printed when nothing can be installed here, or it failed
 * @returns whether it was installed
 */
export function installPackage(name: string, advice: string): boolean {
  const mayInstall =
    process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!mayInstall) {
    process.stderr.write(advice);
    return false;
  }
  process.stderr.write(`Installing ${name}, which is missing\n`);
  const hadPolicy = existsSync(policyFile);
  if (!hadPolicy) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const isDone = aptGet('update') && aptGet('install', '-y', '--no-install-recommends', name);
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
