import type { ServiceConfig } from "../config/model.ts";
import { letsConnectionsEnd, type Override, overrule } from "../health/overrides.ts";
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

/** What people and schedules ordered over what checks say. By decisionKey. */
export type Overrides = ReadonlyMap<string, Override>;

const NONE: Overrides = new Map();

/**
 * What a start would decide before the first check: servers that the kernel sends connections to count as up, those without
 * checks as well, all others are checked first.
 */
export function startDecisions(
  services: readonly ServiceConfig[],
  current: CurrentTable,
  overrides: Overrides = NONE,
): Decisions {
  const serving = servingServers(services, current, (key) => letsConnectionsEnd(overrides.get(key) ?? null));
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
  overrides: Overrides = NONE,
): Decisions {
  const decisions = new Map(startDecisions(services, current, overrides));
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

/** The same with what was ordered. */
export function overruled(services: readonly ServiceConfig[], decisions: Decisions, overrides: Overrides): Decisions {
  const ruled = new Map(decisions);
  for (const service of services) {
    for (const server of service.servers) {
      const key = decisionKey(service.name, server);
      const decision = decisions.get(key);
      if (decision !== undefined) ruled.set(key, overrule(decision, overrides.get(key) ?? null, service.onDown, null));
    }
  }
  return ruled;
}
