/** `sluice top`: the queues live on a terminal, as lines of JSON, or once. */
import type { Command } from 'commander';
import { type Clock, systemClock } from '../runtime/clock.js';
import { addClientOptions, type ClientOptions, wholeNumberOption } from './client-options.js';
import { type Look, looksAt } from './queue-looks.js';
import { createScreen } from './screen.js';
import { reasonOf, type Server, withServer } from './server.js';
import { linesOfLook } from './top-view.js';

interface TopOptions extends ClientOptions {
  readonly intervalMs: number;
  readonly count?: number;
}

/** A server that hangs is shown as one that is gone. */
const ANSWER_MS = 10_000;

export function addTop(program: Command): void {
  const command = program
    .command('top')
    .description('Shows the queues live: what waits in each lane, runs and is dead, and how fast it goes.')
    .addOption(wholeNumberOption('--interval-ms <ms>', 'between two looks', 100, 3_600_000).default(1_000))
    .addOption(wholeNumberOption('--count <n>', 'end after so many looks', 1, 1_000_000_000))
    .action((options: TopOptions) => top(options));
  addClientOptions(command).addHelpText(
    'after',
    `
On a terminal it goes on until Ctrl-C. Elsewhere it looks once; with --json it goes on, too, and prints a line for each look:
{"at": …, "queues": […]}. When the server does not answer any more it says so, and goes on when the server is back.

Examples:
  sluice top
  sluice top --json --count 60 | jq -c '[.at, .queues[].depth.total]'`,
  );
}

async function top(options: TopOptions): Promise<void> {
  const { stdout, stderr } = process;
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  // Nobody reads any more.
  stdout.once('error', end);
  try {
    await withServer(
      options,
      (server) => show(server, options, { stdout, stderr, clock: systemClock, signal: stop.signal }),
      ANSWER_MS,
    );
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
    stdout.off('error', end);
  }
}

/** Resolves when it has looked often enough, or the signal aborts. */
export async function show(
  { url, client }: Server,
  { json, intervalMs, count }: TopOptions,
  surroundings: {
    readonly stdout: NodeJS.WriteStream;
    readonly stderr: NodeJS.WriteStream;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { stdout, stderr, clock, signal } = surroundings;
  const looks = looksAt(client.queues, { clock, intervalMs, signal });
  if (json) return printLines(looks, count, url, stdout, stderr);
  if (stdout.isTTY) return draw(looks, count, url, stdout);
  for await (const look of taken(looks, count ?? 1))
    stdout.write(`${linesOfLook(look, url, stdout).join('\n')}\n`);
}

async function draw(
  looks: AsyncIterable<Look>,
  count: number | undefined,
  url: string,
  stdout: NodeJS.WriteStream,
): Promise<void> {
  let screen: ReturnType<typeof createScreen> | undefined;
  let last: Look | undefined;
  const redraw = (): void => {
    if (last !== undefined) screen?.draw(linesOfLook(last, url, stdout));
  };
  stdout.on('resize', redraw);
  try {
    for await (const look of taken(looks, count)) {
      // Not before the first look, for a refusal belongs on the terminal as it is.
      screen ??= createScreen(stdout);
      last = look;
      redraw();
    }
  } finally {
    stdout.off('resize', redraw);
    screen?.close();
  }
}

async function printLines(
  looks: AsyncIterable<Look>,
  count: number | undefined,
  url: string,
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
): Promise<void> {
  let isGone = false;
  for await (const { atMs, views, outage } of taken(looks, count)) {
    if (outage === undefined) {
      if (isGone) stderr.write('sluice: the server answers again\n');
      stdout.write(`${JSON.stringify({ at: new Date(atMs).toISOString(), queues: views })}\n`);
    } else if (!isGone) {
      stderr.write(`sluice: ${reasonOf(outage.reason, url)}; asking again\n`);
    }
    isGone = outage !== undefined;
  }
}

async function* taken<Value>(values: AsyncIterable<Value>, count: number | undefined): AsyncGenerator<Value> {
  let left = count ?? Number.POSITIVE_INFINITY;
  for await (const value of values) {
    yield value;
    left -= 1;
    if (left <= 0) return;
  }
}
