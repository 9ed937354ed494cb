/** Gets a rabbitmq-server onto this machine where that is possible, else says what to do. */
import { installPackage } from './install-package.js';

const advice = `The tests need a RabbitMQ broker, and none was found. Do one of these, then run \`npm test\` again:
  - set TEST_AMQP_URL to a broker that may be written to, such as amqp://guest:guest@127.0.0.1:5672
  - install rabbitmq-server (3.10 or later); it need not run: the tests start nodes of their own
      Debian, Ubuntu:  apt-get install rabbitmq-server
      macOS:           brew install rabbitmq
`;

/** @returns whether it was installed; if not, what to do was printed */
export function installRabbitmq(): boolean {
  return installPackage('rabbitmq-server', advice);
}
