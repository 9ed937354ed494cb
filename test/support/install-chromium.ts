/** Gets a Chromium onto this machine where that is possible, else says what to do. */
import { installPackage } from './install-package.js';

const advice = `The tests of the page need a Chromium, and none was found. Do one of these, then run \`npm test\` again:
  - set TEST_CHROMIUM to the program, such as /opt/google/chrome/chrome
  - install it
      Debian:  apt-get install chromium
      macOS:   brew install --cask chromium
`;

/** @returns whether it was installed; if not, what to do was printed */
export function installChromium(): boolean {
  return installPackage('chromium', advice);
}
