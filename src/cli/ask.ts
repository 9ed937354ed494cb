/** One question about jobs, or one order: its answer, or the end of the command with the server's reason. */
import type { ClientConfig } from '../config.js';
import { type Call, call } from './call.js';
import { CommandFailed } from './terminal.js';

/** @throws CommandFailed  exit code 1; with `json`, a refusal is printed on stdout first */
export async function ask(
  client: ClientConfig,
  question: Call,
  options: { readonly json?: true },
): Promise<Readonly<Record<string, unknown>>> {
  return (await askForText(client, question, options)).body;
}

/** The answer also as its text, for what must not be rounded. @throws CommandFailed  as `ask` */
export async function askForText(
  client: ClientConfig,
  question: Call,
  { json }: { readonly json?: true },
): Promise<{ readonly body: Readonly<Record<string, unknown>>; readonly text: string }> {
  const outcome = await call(client, question);
  if (outcome.kind === 'accepted') return outcome;
  const problem = outcome.kind === 'unreachable' ? {} : outcome.body;
  if (json && 'code' in problem) process.stdout.write(`${JSON.stringify(problem)}\n`);
  throw new CommandFailed(outcome.line, 1);
}
