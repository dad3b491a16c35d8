import type { ServiceConfig } from "../config/model.ts";
import { type Decision, decide } from "../health/weights.ts";
import { decisionKey } from "../ipvs/desired.ts";
import type { CurrentTable } from "../ipvs/observed.ts";
import { servingServers } from "../ipvs/serving.ts";

/** What a daemon knows of a server, as `status` tells it. */
export interface KnownServer {
  readonly verdict: Decision["verdict"];
  readonly present: boolean;
  readonly weight: number;
  readonly why: string;
}

/** By decisionKey. */
export type Decisions = ReadonlyMap<string, Decision>;

/**
 * What a start would decide before the first check: servers that the kernel sends connections to count as up, those without
 * checks as well, all others are checked first.
 */
export function startDecisions(services: readonly ServiceConfig[], current: CurrentTable): Decisions {
  const serving = servingServers(services, current);
  const decisions = new Map<string, Decision>(); // bounded by the configuration
  for (const service of services) {
    for (const server of service.servers) {
      const key = decisionKey(service.name, server);
      const verdict = serving.has(key) ? "up" : "unknown";
      const standings = server.checks.map(({ name }) => ({ name, verdict, reason: "", scriptWeight: null }) as const);
      decisions.set(key, decide({ weight: server.weight, onDown: service.onDown }, standings));
    }
  }
  return decisions;
}

/**
 * What a running daemon would most likely decide about a configuration that is not its own: its verdicts stand, weights are
 * those of the configuration unless a script sets them. Servers that it does not know are as at a start.
 */
export function knownDecisions(
  services: readonly ServiceConfig[],
  known: ReadonlyMap<string, KnownServer>,
  current: CurrentTable,
): Decisions {
  const decisions = new Map(startDecisions(services, current));
  for (const service of services) {
    for (const server of service.servers) {
      const key = decisionKey(service.name, server);
      const before = known.get(key);
      if (before === undefined || server.checks.length === 0) continue;
      const { verdict, why } = before;
      const isUp = verdict === "up";
      const isScripted = server.checks.some((check) => check.type === "script" && check.setsWeight);
      const weight = !isUp ? 0 : isScripted ? before.weight : server.weight;
      decisions.set(key, { verdict, present: isUp || service.onDown === "quiesce", weight, why });
    }
  }
  return decisions;
}
