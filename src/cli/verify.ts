/** `sluice verify`: whether every job that was accepted can be accounted for. */
import type { Command } from 'commander';
import type { AuditReport, Finding } from '../api/audit.js';
import { systemClock as clock, sleep } from '../runtime/clock.js';
import { addClientOptions, type ClientOptions, wholeNumberOption } from './client-options.js';
import { type Painter, painterOf } from './colour.js';
import { withServer } from './server.js';
import { CommandFailed, oneLine } from './terminal.js';

interface VerifyOptions extends ClientOptions {
  readonly wait: number;
}

const AGAIN_MS = 2_000;

export function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('Accounts for every job that was accepted; names those that are lost.')
    .addOption(
      wholeNumberOption('--wait <s>', 'how long a proof may take (default 30)', 0, 86_400).default(
        30,
        'enough at rest',
      ),
    )
    .action((options: VerifyOptions) => verify(options));
  addClientOptions(command).addHelpText(
    'after',
    `
Compares acceptances, rows and what the broker holds. That a job is lost is proven when the broker and the recorder are at
rest; then it asks again until every process has given a sign of life, at most 15 s later.

Exit codes: 0 nothing is lost as far as can be told, 1 jobs or events are lost, or rows were altered.

Examples:
  sluice verify
  sluice verify --wait 120 --json`,
  );
}

async function verify(options: VerifyOptions): Promise<void> {
  const untilMs = clock.now() + options.wait * 1000;
  const report = await withServer(options, async ({ client }) => {
    for (;;) {
      const look = await client.audit();
      if (look.verdict !== 'open' || clock.now() >= untilMs) return look;
      await sleep(clock, AGAIN_MS);
    }
  });
  process.stdout.write(
    options.json ? `${JSON.stringify(report)}\n` : textOf(report, painterOf(process.stdout)),
  );
  if (report.verdict === 'fault') throw new CommandFailed(conclusionOf(report), 1);
}

function conclusionOf({ unaccounted, findings }: AuditReport): string {
  if (unaccounted > 0) return `${unaccounted} jobs cannot be accounted for`;
  const faults = findings.filter(({ severity }) => severity === 'fault').map(({ code }) => code);
  return `the books do not agree: ${faults.join(', ')}`;
}

const verdicts: Readonly<Record<AuditReport['verdict'], string>> = {
  clean: 'clean: every job can be accounted for',
  open: 'open: some jobs are on their way, nothing is known to be lost; ask again when the queues are empty',
  fault: 'FAULT',
};

const verdictStyles = { clean: 'green', open: 'yellow', fault: 'red' } as const;

function textOf(report: AuditReport, paint: Painter): string {
  const { accepted, states, broker, open, unaccounted, difference, proof } = report;
  const jobs = Object.entries(states).map(
    ([state, { rows, deleted }]) =>
      `  ${state.padEnd(10)} ${rows}${deleted > 0 ? ` and ${deleted} forgotten` : ''}`,
  );
  const lines = [
    `accepted     ${accepted.told}${accepted.again > 0 ? `, ${accepted.again} of unknown outcome again` : ''}${accepted.implied > 0 ? `, ${accepted.implied} implied` : ''}`,
    ...jobs,
    `difference   ${difference}`,
    broker === null
      ? 'broker       could not be asked'
      : `broker       ${broker.ready} ready, ${broker.delayed} delayed, ${broker.suspects} suspects, ${broker.held} held, ${broker.deadLetters} dead letters and ${broker.events} event batches to record`,
    `not ended    ${open.rows}`,
    ...open.queues
      .filter(({ rows, ready }) => rows > 0 || ready > 0)
      .map(({ queue, rows, ready }) => `  ${queue}: ${rows} rows, ${ready} ready in the broker`),
    `proof        ${proof.state}: ${proof.detail}`,
    `unaccounted  ${unaccounted}`,
    ...report.findings.flatMap(findingLines),
    ...report.gaps.map(
      ({ source, host, first, last, since }) =>
        `  batches ${first} to ${last} of ${source} on ${host}, since ${since}`,
    ),
    ...report.silent.map(
      ({ source, role, host, lastSeenAt }) => `  ${role} ${source} on ${host}, last seen ${lastSeenAt}`,
    ),
    ...report.edited.map(({ id, state, expected }) => `  ${id} is ${state}, was recorded as ${expected}`),
  ].map((line) => line.slice(0, line.length - line.trimStart().length) + oneLine(line));
  const verdict = paint(verdictStyles[report.verdict], verdicts[report.verdict]);
  return `${[...lines, verdict].join('\n')}\n`;
}

function findingLines({ code, severity, count, detail, ids }: Finding): string[] {
  const mark = severity === 'fault' ? 'FAULT ' : 'note  ';
  const isOfJobs = code !== 'batches_missing' && code !== 'source_silent' && code !== 'row_edited';
  const named = isOfJobs ? ids.map((id) => `  ${id}`) : [];
  const more = isOfJobs && ids.length > 0 && count > ids.length ? [`  and ${count - ids.length} more`] : [];
  return [`${mark}${code}: ${detail}`, ...named, ...more];
}
