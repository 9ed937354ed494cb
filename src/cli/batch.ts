/** `sluice batch`: a file of jobs, one per line, streamed to the server. */
import { createReadStream, statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { addClientOptions, type ClientOptions, clientOf, wholeNumberOption } from './client-options.js';
import { chunksOf } from './ndjson-chunks.js';
import { createProgress } from './progress.js';
import { type Ledger, type LineFault, sendBatch } from './send-batch.js';
import { connect, outcomeOf } from './server.js';
import { CommandFailed } from './terminal.js';

interface BatchOptions extends ClientOptions {
  readonly chunk: number;
  readonly retryForMs: number;
}

/** Bounds the memory of both sides; well under the usual MAX_BATCH_BYTES, and over the usual MAX_BODY_BYTES. */
const chunkBytes = 16 * 1_048_576;
/** `fetch` of Node waits no longer. */
const ANSWER_MS = 295_000;
/** How many errors `--json` holds in memory; stderr has them all. */
const mostErrorsKept = 1000;

export function addBatch(program: Command): void {
  const command = program
    .command('batch')
    .description('Submits the jobs of a file, one JSON object per line, and prints how many were accepted.')
    .argument('<file>', 'a file of NDJSON; - reads stdin')
    .addOption(
      wholeNumberOption(
        '--chunk <lines>',
        'most lines per request; the server has a limit, too (MAX_BATCH_JOBS)',
        1,
        1_000_000,
      ).default(10_000),
    )
    .addOption(
      wholeNumberOption(
        '--retry-for-ms <ms>',
        'how long to try again while the server is busy',
        0,
        2 ** 31 - 1,
      ).default(300_000),
    )
    .action((file: string, options: BatchOptions) => batch(file, options));
  addClientOptions(command).addHelpText(
    'after',
    `
Each line is a job: {"type":"echo","payload":{"n":1}}, with the fields of POST /v1/jobs.
Lines that are refused are named on stderr and the rest goes on; exit code 1 says that there were some.

Examples:
  sluice batch jobs.ndjson
  seq 10000 | sed 's/.*/{"type":"echo","payload":&}/' | sluice batch -`,
  );
}

async function batch(file: string, options: BatchOptions): Promise<void> {
  const { url, requests } = connect(clientOf(options));
  const { input, bytes } = openInput(file);
  const progress = createProgress(process.stderr, bytes);
  const kept: LineFault[] = [];
  let faults = 0;
  let sentBytes = 0;
  try {
    const ledger = await sendBatch(chunksOf(input, { lines: options.chunk, bytes: chunkBytes }), {
      post: ({ body }) =>
        outcomeOf(
          requests.send({
            method: 'POST',
            path: '/v1/jobs/batch',
            body: { type: 'application/x-ndjson', content: body },
            repeat: 'if-refused',
            timeoutMs: ANSWER_MS,
          }),
          url,
        ),
      wait,
      patienceMs: options.retryForMs,
      onFault: (fault) => {
        faults += 1;
        if (options.json && kept.length < mostErrorsKept) kept.push(fault);
        progress.line(`line ${fault.line}: ${fault.code}: ${fault.detail}`);
      },
      onProgress: (so, chunk) => {
        sentBytes += chunk;
        progress.update(sentBytes, counts(so));
      },
      onWait: (ms, reason) => progress.line(`sluice: waiting ${ms} ms, then trying again: ${reason}`),
    });
    progress.stop();
    const { stopped, ...rest } = ledger;
    const report = {
      ...rest,
      resumeLine: stopped?.resumeLine ?? null,
      errors: kept,
      errorsOmitted: faults - kept.length,
    };
    process.stdout.write(`${options.json ? JSON.stringify(report) : counts(ledger)}\n`);
    if (stopped !== undefined) throw new CommandFailed(stopMessage(stopped, file), 1);
    if (ledger.rejected > 0) process.exitCode = 1;
  } catch (error) {
    progress.stop();
    if (isSystemError(error))
      throw new CommandFailed(`cannot read ${file}: ${error.message}`, 1, { cause: error });
    throw error;
  }
}

function openInput(file: string): {
  readonly input: AsyncIterable<Buffer>;
  readonly bytes: number | undefined;
} {
  if (file === '-') return { input: process.stdin, bytes: undefined };
  try {
    const stat = statSync(file);
    if (stat.isDirectory())
      throw new CommandFailed(`${file} is a folder; expected a file of NDJSON, or - for stdin`, 2);
    return {
      input: createReadStream(file, { highWaterMark: 1_048_576 }),
      bytes: stat.isFile() ? stat.size : undefined,
    };
  } catch (error) {
    if (isSystemError(error))
      throw new CommandFailed(`cannot read the file: ${error.message}`, 2, { cause: error });
    throw error;
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function counts({ accepted, rejected, unknown }: Readonly<Ledger>): string {
  return `accepted ${accepted}, rejected ${rejected}${unknown === 0 ? '' : `, unknown ${unknown}`}`;
}

function stopMessage(
  { reason, resumeLine, unknownLines }: NonNullable<Ledger['stopped']>,
  file: string,
): string {
  const unknown =
    unknownLines === undefined
      ? ''
      : `\n  Lines ${unknownLines[0]} to ${unknownLines[1]} may or may not have been accepted.`;
  const source = file === '-' ? '' : ` Once mended: tail -n +${resumeLine} ${file} | sluice batch -`;
  return `stopped: ${reason}${unknown}\n  Lines from ${resumeLine} on were not accepted.${source}`;
}
