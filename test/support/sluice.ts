/** The product as a user runs it: `node dist/src/cli/main.js …` in a process of its own, which never outlives ours. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createGuard, type Guard } from './guard.js';

export interface Sluice {
  readonly pid: number;
  /** Lines printed on stdout and on stderr, so far. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** The first line of either stream that matches, also one already printed. Rejects with all output when the process ends first. */
  waitForLine(pattern: RegExp): Promise<string>;
  /** Default SIGTERM. Does nothing when it has ended. */
  kill(signal?: NodeJS.Signals): void;
  readonly exited: Promise<Exit>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SluiceOptions {
  readonly cwd?: string;
  /** What stdin holds; without it stdin is empty. */
  readonly input?: string;
  /** Whose process it is; only root can give it to somebody else. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

export const entry: string = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const running = new Set<number>();
let guard: Guard | undefined;

/** @param env  settings; of our own environment only PATH and HOME are handed on */
export function startSluice(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  options: SluiceOptions = {},
): Sluice {
  return startProcess([entry, ...args], env, options);
}

/** Any other Node program, run and ended in the same way. */
export function startProcess(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  options: SluiceOptions = {},
): Sluice {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, argv, {
    cwd: options.cwd,
    ...options.user,
    detached: true,
    env: { ...(PATH === undefined ? {} : { PATH }), ...(HOME === undefined ? {} : { HOME }), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const pid = child.pid ?? 0;
  guard ??= createGuard();
  if (pid > 0) running.add(pid);
  guard.watch([...running]);

  const stdout: string[] = [];
  const stderr: string[] = [];
  const seekers = new Set<(line: string) => void>();
  const hear = (line: string, lines: string[]): void => {
    lines.push(line);
    for (const seek of seekers) seek(line);
  };
  createInterface({ input: child.stdout }).on('line', (line) => hear(line, stdout));
  createInterface({ input: child.stderr }).on('line', (line) => hear(line, stderr));
  child.stdin.on('error', () => undefined); // it ended before it read its input
  child.stdin.end(options.input);

  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      running.delete(pid);
      guard?.watch([...running]);
      resolve({ code, signal });
    });
  });
  exited.catch(() => undefined);

  return {
    pid,
    stdout,
    stderr,
    exited,
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    waitForLine(pattern) {
      const said = [...stdout, ...stderr].find((line) => pattern.test(line));
      if (said !== undefined) return Promise.resolve(said);
      return new Promise((resolve, reject) => {
        const seek = (line: string): void => {
          if (!pattern.test(line)) return;
          seekers.delete(seek);
          resolve(line);
        };
        seekers.add(seek);
        exited.then(
          ({ code, signal }) => {
            const output = [...stdout, ...stderr].join('\n');
            reject(new Error(`ended (${signal ?? code}) before it printed ${pattern}:\n${output}`));
          },
          (cause: unknown) => reject(new Error('could not be started', { cause })),
        );
      });
    },
  };
}
