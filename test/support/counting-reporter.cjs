// Mocha's usual "spec" output, plus the counts in the file named by $HOLDFAST_COUNTS for whoever sums several suites.
const { writeFileSync } = require("node:fs");
const { Runner, reporters } = require("mocha");

class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const file = process.env.HOLDFAST_COUNTS;
      if (!file) return;
      const { passes, failures, pending } = this.stats;
      writeFileSync(file, `${JSON.stringify({ passed: passes, failed: failures, skipped: pending })}\n`);
    });
  }
}

module.exports = CountingReporter;
