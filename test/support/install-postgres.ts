/** Gets a PostgreSQL onto this machine where that is possible, else says what to do. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { installPackage } from './install-package.js';

const advice = `The tests need a PostgreSQL, and none was found. Do one of these, then run \`npm test\` again:
  - set TEST_DATABASE_URL to a server whose user may create databases, such as postgres://postgres@127.0.0.1:5432/postgres
  - install PostgreSQL (14 or later); it need not run: the tests start servers of their own
      Debian, Ubuntu:  apt-get install postgresql
      macOS:           brew install postgresql
`;

/** Debian's package makes a cluster and starts it, unless this file says no. */
const clusterFile = '/etc/postgresql-common/createcluster.conf';

/** @returns whether it was installed; if not, what to do was printed */
export function installPostgres(): boolean {
  const hadFile = existsSync(clusterFile);
  const mayWrite = process.platform === 'linux' && process.getuid?.() === 0;
  if (mayWrite && !hadFile) {
    mkdirSync(dirname(clusterFile), { recursive: true });
    writeFileSync(clusterFile, 'create_main_cluster = false\n');
  }
  const isDone = installPackage('postgresql', advice);
  if (!isDone && mayWrite && !hadFile) rmSync(clusterFile, { force: true });
  return isDone;
}
