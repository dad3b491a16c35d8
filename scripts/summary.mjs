// What came of the suites of `npm test`: counts, what failed, and what failed once and passed when it was run again.
import { failureLine } from "./lab/verdicts.mjs";

/** @typedef {import("./lab/verdicts.mjs").Counts & { failures: import("./lab/verdicts.mjs").Failure[], unsteady?: import("./lab/verdicts.mjs").Failure[] }} Part */

export class Summary {
  #total = { passed: 0, failed: 0, skipped: 0 };
  #failed = [];
  #unsteady = [];

  pass() {
    this.#total.passed += 1;
  }

  /** @returns {string} the line, to be shown at once as well */
  fail(name, reason) {
    this.#total.failed += 1;
    const line = `${name}: ${reason}`;
    this.#failed.push(line);
    return line;
  }

  /** A suite that counted for itself. @param {Part} part */
  take(name, part) {
    for (const key of Object.keys(this.#total)) this.#total[key] += part[key];
    for (const failure of part.failures) this.#failed.push(`${name}: ${failureLine(failure)}`);
    for (const failure of part.unsteady ?? []) this.#unsteady.push(`${name}: ${failureLine(failure)}`);
  }

  get isGood() {
    return this.#total.failed === 0 && this.#total.passed > 0;
  }

  /** For the end; the last line is the sum and nothing else. */
  lines() {
    const list = (title, lines) => (lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)]);
    const { passed, failed, skipped } = this.#total;
    return [
      ...list("failed once, and not when run again", this.#unsteady),
      ...list("failed", this.#failed),
      `${passed} passed, ${failed} failed, ${skipped} skipped`,
    ];
  }
}
