/** `sluice move`: brings what waits in one engine into the other. */
import type { Command } from 'commander';
import type { Stock, Tally } from '../broker/stock.js';
import { type Place, place } from '../config/places.js';
import { settings } from '../config/settings.js';
import { type Config, loadConfig, readEnvironment } from '../config.js';
import { Invalid, SluiceError } from '../job/errors.js';
import type { Log } from '../runtime/log.js';
import { valueOption } from './client-options.js';
import { createProgress, type Progress } from './progress.js';
import { CommandFailed, oneLine } from './terminal.js';

interface MoveOptions {
  readonly from: Place;
  readonly to: Place;
  readonly fromPrefix?: string;
  readonly toPrefix?: string;
  readonly json?: true;
}

export function addMove(program: Command): void {
  program
    .command('move')
    .description('Moves all that waits in one engine into the other: jobs, delayed jobs, dead letters.')
    .addOption(valueOption('--from <place>', 'where the jobs lie', place).makeOptionMandatory())
    .addOption(valueOption('--to <place>', 'where they go', place).makeOptionMandatory())
    .addOption(valueOption('--from-prefix <prefix>', 'instead of AMQP_PREFIX', settings.amqpPrefix.kind))
    .addOption(valueOption('--to-prefix <prefix>', 'instead of AMQP_PREFIX', settings.amqpPrefix.kind))
    .option('--json', 'print JSON on stdout')
    .addHelpText(
      'after',
      `
A place is embedded:FOLDER (or a path such as ./data), or an AMQP URL. The word embedded stands for DATA_DIR, and amqp for
AMQP_URL, whose password other users of the machine cannot see. HANDLERS and QUEUES must be set as they are for the workers.

Stop Sluice at the place the jobs come from. A job is removed there only once it is durable at the other end: nothing is lost
by an end in the middle, and the same command goes on with the rest.

Examples:
  sluice move --from embedded:./data --to amqp://user:password@host:5672
  AMQP_URL=amqp://user:password@host:5672 sluice move --from amqp --to embedded`,
    )
    .action((options: MoveOptions) => runMove(options));
}

async function runMove(options: MoveOptions): Promise<void> {
  const config = settingsOf();
  let progress: Progress = createProgress(process.stderr, undefined);
  const log = linesOf((text) => progress.line(`sluice: ${text}`));
  const stopping = new AbortController();
  const onSignal = (): void => {
    if (stopping.signal.aborted) process.exit(130);
    progress.line('sluice: stopping after what is under way; a second signal ends at once');
    stopping.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const { assembleMove } = await import('../assemble/move.js');
    const { move } = await import('../operations/move.js');
    const sides = await assembleMove(
      config,
      { place: options.from, prefix: options.fromPrefix },
      { place: options.to, prefix: options.toPrefix },
      log,
    );
    let total = 0;
    const { moved, left, failure } = await move({
      ...sides,
      signal: stopping.signal,
      onStart(stock) {
        total = sumOf(stock.counts);
        progress = createProgress(process.stderr, total);
        progress.line(`sluice: moving ${total} from ${sides.names.from} to ${sides.names.to}`);
        warnOfWorkers(stock, progress);
      },
      onMoved(so) {
        const done = sumOf(so);
        if (done === total + 1)
          progress.line(
            'sluice: more than was counted: what an end in the middle left under way comes twice, or jobs still arrive; then stop what sends them',
          );
        progress.update(done, inWords(so));
      },
    });
    progress.stop();
    const text = `moved ${inWords(moved)}; ${left === undefined ? 'how much is left is not known' : `${sumOf(left)} left`}`;
    const isStopped = stopping.signal.aborted;
    const report = { moved, left: left ?? null, stopped: isStopped, error: failure?.message ?? null };
    process.stdout.write(`${options.json ? JSON.stringify(report) : text}\n`);
    if (failure !== undefined) throw failure;
    if (left === undefined || sumOf(left) > 0)
      throw new CommandFailed(
        `${isStopped ? 'stopped' : 'not all was moved'}; run the same command again to go on`,
        1,
      );
  } catch (error) {
    progress.stop();
    throw commandErrorOf(error);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** The settings of a worker: its queues are those that jobs may wait for. */
function settingsOf(): Config {
  try {
    return loadConfig(readEnvironment(), 'work');
  } catch (error) {
    throw commandErrorOf(error);
  }
}

function commandErrorOf(error: unknown): unknown {
  if (error instanceof Invalid) return new CommandFailed(error.message, 2, { cause: error });
  if (error instanceof SluiceError) return new CommandFailed(oneLine(error.message), 1, { cause: error });
  return error;
}

function warnOfWorkers({ consumers }: Stock, progress: Progress): void {
  if (consumers === 0) return;
  progress.line(
    `sluice: workers are running on what is to be moved (${consumers} subscriptions): they take jobs meanwhile, and what they ` +
      'hold at the end stays; stop them, or run this again when they have stopped',
  );
}

function sumOf({ waiting, delayed, suspect, dead }: Tally): number {
  return waiting + delayed + suspect + dead;
}

function inWords({ waiting, delayed, suspect, dead }: Tally): string {
  const parts = `${waiting} waiting, ${delayed} delayed, ${suspect} suspects`;
  return `${waiting + delayed + suspect} jobs (${parts}), ${dead} dead letters`;
}

/** What the engines have to say, as lines for a person; a line that repeats itself is shown once. */
function linesOf(say: (text: string) => void): Log {
  let last = '';
  const tell = (fields: object, message: string): void => {
    const { reason, err } = fields as { readonly reason?: unknown; readonly err?: unknown };
    const why = reason ?? (err instanceof Error ? err.message : err);
    const text = oneLine(why === undefined ? message : `${message}: ${String(why)}`);
    if (text !== last) say(text);
    last = text;
  };
  const log: Log = { error: tell, warn: tell, info() {}, debug() {}, child: () => log };
  return log;
}
