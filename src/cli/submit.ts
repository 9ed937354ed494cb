/** `sluice submit`: one job from the command line or stdin. */
import { type Command, Option } from 'commander';
import type { Accepted } from '../api/contract.js';
import { lanes } from '../job/job.js';
import { addClientOptions, type ClientOptions, wholeNumberOption } from './client-options.js';
import { jsonFault } from './json-fault.js';
import { withServer } from './server.js';
import { CommandFailed, oneLine } from './terminal.js';

interface SubmitOptions extends ClientOptions {
  readonly queue?: string;
  readonly priority?: string;
  readonly delayMs?: number;
  readonly runAt?: string;
  readonly expiresAt?: string;
  readonly maxAttempts?: number;
  readonly timeoutMs?: number;
}

/** More than any server can be told to take (`MAX_BODY_BYTES`). */
const mostPayloadBytes = 128 * 1_048_576;
const longestMs = Number.MAX_SAFE_INTEGER;

export function addSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('Submits one job and prints its id and state.')
    .argument('<type>', 'the job type, such as http.push')
    .argument('[payload]', 'the payload as JSON; from stdin when it is - or left out')
    .option('--queue <name>', "the queue; otherwise the handler's")
    .addOption(new Option('--priority <lane>', 'the priority').choices(lanes))
    .addOption(
      wholeNumberOption('--delay-ms <ms>', 'run it this much later', 0, longestMs).conflicts('runAt'),
    )
    .option('--run-at <time>', 'run it at this time, ISO 8601 with an offset')
    .option('--expires-at <time>', 'do not start it after this time')
    .addOption(wholeNumberOption('--max-attempts <n>', 'attempts, the first included', 1, longestMs))
    .addOption(wholeNumberOption('--timeout-ms <ms>', 'time limit of one attempt', 1, longestMs))
    .action((type: string, payload: string | undefined, options: SubmitOptions) =>
      submit(type, payload, options),
    );
  addClientOptions(command).addHelpText(
    'after',
    `
Examples:
  sluice submit echo '{"hello":"world"}'
  sluice submit http.push '{"url":"https://example.com/hook"}' --delay-ms 60000
  jq -c . order.json | sluice submit echo -`,
  );
}

async function submit(type: string, argument: string | undefined, options: SubmitOptions): Promise<void> {
  const payload = argument === undefined || argument === '-' ? await readStdin() : argument;
  const fault = jsonFault(payload);
  if (fault !== undefined) throw new CommandFailed(`the payload is not JSON: ${fault}`, 2);
  const content = requestBody(type, payload, options);
  const accepted = await withServer(options, ({ requests }) =>
    requests.ask<Accepted>({
      method: 'POST',
      path: '/v1/jobs',
      body: { type: 'application/json', content },
      repeat: 'if-refused',
    }),
  );
  const said = options.json ? JSON.stringify(accepted) : oneLine(`${accepted.id} ${accepted.state}`);
  process.stdout.write(`${said}\n`);
}

/** The payload goes in as it was written: parsing and printing it again would round large numbers. */
function requestBody(type: string, payload: string, options: SubmitOptions): string {
  const { queue, priority, delayMs, runAt, expiresAt, maxAttempts, timeoutMs } = options;
  const rest = JSON.stringify({ type, queue, priority, delayMs, runAt, expiresAt, maxAttempts, timeoutMs });
  return `${rest.slice(0, -1)},"payload":${payload}}`;
}

async function readStdin(): Promise<string> {
  if (process.stdin.isTTY)
    process.stderr.write('sluice: reading the payload from the terminal; Ctrl-D ends it\n');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > mostPayloadBytes)
      throw new CommandFailed(`the payload is longer than ${mostPayloadBytes} bytes`, 2);
    chunks.push(bytes);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new CommandFailed('the payload is not UTF-8 text', 2, { cause: error });
  }
}
