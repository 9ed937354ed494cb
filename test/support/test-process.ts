/** A process that runs the test files it is handed, one after the other, so that what they share is loaded once. `test/run.ts` starts it. */
import { createRequire } from 'node:module';
import Mocha from 'mocha';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What it is told: the path of a file, or null when there is no other. */
export interface Task {
  readonly file: string | null;
}

/** What it says: once when it is there, and after each file. */
export interface Done {
  readonly counts: Counts;
}

/** Said when nothing is left open after the last file: what its threads take to end is no fault of a test. */
export interface Ended {
  readonly hasEnded: true;
}

/** Said when the process is still there LATE_MS after its last file: the kinds of what keeps it alive. */
export interface StillOpen {
  readonly stillOpen: readonly string[];
}

const LATE_MS = 8_000;

const { loadOptions } = createRequire(import.meta.url)('mocha/lib/cli/options.cjs') as {
  loadOptions(argv: readonly string[]): Mocha.MochaOptions;
};

/** Mocha's usual report; after a file without failures there is nothing to sum up. */
class Report extends Mocha.reporters.Spec {
  override epilogue(): void {
    if (this.stats.failures > 0) super.epilogue();
  }
}

const options = { ...loadOptions(process.argv.slice(2)), reporter: Report };

async function run(file: string): Promise<Counts> {
  const mocha = new Mocha(options);
  mocha.addFile(file);
  await mocha.loadFilesAsync();
  return new Promise((resolve) => {
    const { stats } = mocha.run(() => {
      mocha.dispose(); // Else each file would leave its listeners on the process.
      resolve({
        passed: stats?.passes ?? 0,
        failed: stats?.failures ?? 0,
        skipped: stats?.pending ?? 0,
      });
    });
  });
}

function say(message: Done | Ended | StillOpen): void {
  process.send?.(message);
}

function end(): void {
  process.channel?.unref();
  const late = setTimeout(() => say({ stillOpen: process.getActiveResourcesInfo() }), LATE_MS);
  late.unref();
  process.once('beforeExit', () => say({ hasEnded: true }));
}

process.on('message', ({ file }: Task) => {
  if (file === null) return end();
  run(file).then(
    (counts) => say({ counts }),
    (error: unknown) => {
      console.error(`\n  ${file} cannot be loaded:\n`, error);
      say({ counts: { passed: 0, failed: 1, skipped: 0 } });
    },
  );
});
say({ counts: { passed: 0, failed: 0, skipped: 0 } });
