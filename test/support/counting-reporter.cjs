// Mocha's usual "spec" output, plus what came of it in the file named by $HOLDFAST_COUNTS, for whoever sums several runs:
// { passed, failed, skipped, files: { FILE: { passed, failed, skipped } }, failures: [{ file, title, message }] }
const { writeFileSync } = require("node:fs");
const { basename } = require("node:path");
const { Runner, reporters } = require("mocha");

class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const files = {};
    const failures = [];
    const count = (runnable, key) => {
      const file = basename(runnable.file ?? runnable.parent?.file ?? "unknown");
      files[file] ??= { passed: 0, failed: 0, skipped: 0 };
      files[file][key] += 1;
      return file;
    };
    const { EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } = Runner.constants;
    runner.on(EVENT_TEST_PASS, (test) => count(test, "passed"));
    runner.on(EVENT_TEST_PENDING, (test) => count(test, "skipped"));
    // A hook that fails comes here too.
    runner.on(EVENT_TEST_FAIL, (runnable, error) => {
      const message = String(error?.message ?? error).slice(0, 2000);
      failures.push({ file: count(runnable, "failed"), title: runnable.fullTitle(), message });
    });
    runner.once(EVENT_RUN_END, () => {
      const file = process.env.HOLDFAST_COUNTS;
      if (!file) return;
      const sum = { passed: 0, failed: 0, skipped: 0 };
      for (const part of Object.values(files)) for (const key of Object.keys(sum)) sum[key] += part[key];
      writeFileSync(file, `${JSON.stringify({ ...sum, files, failures })}\n`);
    });
  }
}

module.exports = CountingReporter;
