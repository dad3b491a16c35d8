// What came of runs: counts by scenario, what failed, and what failed once and not again.

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 * @typedef {{ file: string, title: string, message: string }} Failure
 * @typedef {Counts & { files: Record<string, Counts>, failures: Failure[] }} Run   as test/support/counting-reporter.cjs writes it
 */

/** More scenarios than this do not fail by accident; they are not run a second time. */
const ACCIDENTS = 2;

/** A run that left no counts is one failure. @returns {Run} */
export function runWithoutCounts(what) {
  const message = "the run ended without counts";
  const failures = [{ file: what, title: what, message }];
  return { passed: 0, failed: 1, skipped: 0, files: {}, failures };
}

/**
 * The scenarios that are worth a second run: those in which a test failed, if they are few.
 * @param {Run} run
 * @returns {string[]} names without the ending
 */
export function scenariosToRepeat(run) {
  const names = Object.keys(run.files).filter((file) => run.files[file].failed > 0);
  return names.length > ACCIDENTS ? [] : names.map((file) => file.replace(/\.lab\.js$/, ""));
}

/**
 * A scenario's second run stands in place of its first. What failed in the first and not in the second is kept by name.
 * @param {Run} first
 * @param {string} scenario
 * @param {Run} second of this scenario alone
 * @returns {{ run: Run, unsteady: Failure[] }}
 */
export function withSecondRun(first, scenario, second) {
  const file = `${scenario}.lab.js`;
  const failedAgain = new Set(second.failures.map((failure) => failure.title));
  const old = first.files[file];
  const sum = (key) => first[key] - old[key] + second[key];
  return {
    run: {
      passed: sum("passed"),
      failed: sum("failed"),
      skipped: sum("skipped"),
      files: { ...first.files, ...second.files },
      failures: [...first.failures.filter((failure) => failure.file !== file), ...second.failures],
    },
    unsteady: first.failures.filter((failure) => failure.file === file && !failedAgain.has(failure.title)),
  };
}

/** One line for the end of a run. @param {Failure} failure */
export function failureLine({ title, message }) {
  return `${title}: ${message.split("\n")[0].slice(0, 300)}`;
}
