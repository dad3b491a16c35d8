import type { Decision } from "../health/weights.ts";
import type { Clock } from "../ports/clock.ts";
import type { ServerSnapshot } from "./check-runner.ts";
import type { CheckedServer } from "./messages.ts";

/** `up (weight 3)`, as logs and events say it. */
export function stateText(decision: Decision | null): string {
  if (decision === null) return "new";
  if (decision.verdict === "unknown") return "unknown";
  return decision.present
    ? `${decision.verdict} (weight ${decision.weight})`
    : `${decision.verdict} (not in the table)`;
}

/** What `status` shows of a server, but for what the kernel counts and people order. */
export function statusOf(snapshot: ServerSnapshot, clock: Clock): CheckedServer {
  const iso = (atUs: number) => new Date(clock.wallMs() - (clock.nowUs() - atUs) / 1000).toISOString();
  const { decision } = snapshot;
  return {
    server: snapshot.server,
    verdict: decision.verdict,
    since: iso(snapshot.sinceUs),
    present: decision.present,
    weight: decision.weight,
    why: decision.why,
    checks: snapshot.checks.map((check) => ({
      name: check.name,
      verdict: check.verdict,
      since: iso(check.sinceUs),
      last: check.last,
      latencyUs: check.latencyUs,
      attempts: check.attempts,
      failed: check.failed,
      notRun: check.notRun,
      latencySumUs: check.latencySumUs,
    })),
  };
}
