/** Mocha's usual report; the counts go to the process that started the run, which prints the closing line. */
import Mocha from 'mocha';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Sent once when the process is still there LATE_MS after its end: the kinds of what keeps it alive. */
export interface StillOpen {
  readonly stillOpen: readonly string[];
}

const LATE_MS = 8_000;

export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const counts: Counts = {
        passed: this.stats.passes,
        failed: this.stats.failures,
        skipped: this.stats.pending,
      };
      process.send?.(counts);
      const late = setTimeout(() => {
        const message: StillOpen = { stillOpen: process.getActiveResourcesInfo() };
        process.send?.(message);
      }, LATE_MS);
      late.unref();
    });
  }
}
