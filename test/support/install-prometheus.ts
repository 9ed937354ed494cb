/** Gets a Prometheus onto this machine where that is possible, else says what to do. */
import { installPackage } from './install-package.js';

const advice = `The tests of deploy/ need a Prometheus (2.42 or later) with its promtool on the PATH, and none was found. Install it, then run \`npm test\` again; it need not run:
  Debian, Ubuntu:  apt-get install prometheus
  macOS:           brew install prometheus
`;

/** @returns whether it was installed; if not, what to do was printed */
export function installPrometheus(): boolean {
  return installPackage('prometheus', advice);
}
