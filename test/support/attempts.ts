import type { Checker } from "../../src/checks/checker.ts";
import type { Outcome } from "../../src/checks/outcome.ts";

/** One attempt, as a promise. @param signal the caller's deadline */
export function attemptBy(checker: Checker, signal?: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const attempt = checker.begin(resolve);
    if (signal?.aborted === true) attempt.abort();
    signal?.addEventListener("abort", () => attempt.abort());
  });
}
