import type { Verdict } from "./verdict.ts";

/** What one check contributes to the decision about its server. */
export interface CheckStanding {
  readonly name: string;
  readonly verdict: Verdict;
  /** The sentence behind the verdict. */
  readonly reason: string;
  /** Weight that a script set with its last pass, 0–65535; null = none. */
  readonly scriptWeight: number | null;
}

export interface ServerPolicy {
  /** Configured weight, 0–65535. */
  readonly weight: number;
  /** What a server becomes that is not up: absent from the table, or present with weight 0. */
  readonly onDown: "remove" | "quiesce";
}

/** What the table should hold for one server, and why. */
export interface Decision {
  readonly verdict: Verdict;
  readonly present: boolean;
  /** 0 when absent. */
  readonly weight: number;
  /** A sentence for the operator. */
  readonly why: string;
}

/**
 * All checks must pass. One that is down decides alone; otherwise one that has not finished an attempt keeps the server
 * out, because a new server must not get clients before it has been seen to answer. Several scripts: the lowest weight,
 * because each reports a limit of its own.
 */
export function decide(policy: ServerPolicy, checks: readonly CheckStanding[]): Decision {
  const down = checks.filter((check) => check.verdict === "down");
  if (down.length > 0) {
    return out(policy, "down", down.map((check) => `${check.name} fails: ${check.reason}`).join("; "));
  }
  const unknown = checks.filter((check) => check.verdict === "unknown");
  if (unknown.length > 0) {
    return out(policy, "unknown", `waiting for the first result of ${unknown.map((check) => check.name).join(", ")}`);
  }
  const lowest = lowestWeight(checks);
  if (lowest !== null && lowest.scriptWeight !== null) {
    const why = `${lowest.name} sets weight ${lowest.scriptWeight}`;
    return { verdict: "up", present: true, weight: lowest.scriptWeight, why };
  }
  const why = checks.length === 0 ? "it has no checks and counts as up" : "all checks pass";
  return { verdict: "up", present: true, weight: policy.weight, why };
}

function out(policy: ServerPolicy, verdict: Verdict, why: string): Decision {
  return { verdict, present: policy.onDown === "quiesce", weight: 0, why };
}

function lowestWeight(checks: readonly CheckStanding[]): CheckStanding | null {
  let lowest: CheckStanding | null = null;
  for (const check of checks) {
    if (check.scriptWeight === null) continue;
    if (lowest?.scriptWeight == null || check.scriptWeight < lowest.scriptWeight) lowest = check;
  }
  return lowest;
}

/** Whether nothing changed that anybody acts on; `why` alone may differ, for example when a second check fails too. */
export function isSameDecision(a: Decision, b: Decision): boolean {
  return a.verdict === b.verdict && a.present === b.present && a.weight === b.weight;
}
