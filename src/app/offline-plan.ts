import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DirectorError } from "../base/director-error.ts";
import { parseEndpoint } from "../base/endpoint.ts";
import { err, ok, type Result } from "../base/result.ts";
import { isOnDisk } from "../config/config-texts.ts";
import type { FileAccess } from "../config/file-access.ts";
import { loadConfigFiles } from "../config/load-files.ts";
import type { DirectorConfig } from "../config/model.ts";
import type { ConfigProblem } from "../config/problem.ts";
import type { DirectorStatus } from "../control/status.ts";
import { decisionKey } from "../ipvs/desired.ts";
import { type KnownServer, knownDecisions, type Overrides, overruled, startDecisions } from "../plan/decisions.ts";
import { joinPlan, type KernelPlan } from "../plan/model.ts";
import { planServices, type ServicesNow } from "../plan/services.ts";
import { planSurroundings, readServicesNow } from "./kernel-now.ts";
import { OVERRIDES_FILE, overridesNow } from "./override-book.ts";
import { readTrial } from "./trial-book.ts";

export interface OfflinePlanOptions {
  readonly file: string;
  readonly stateDir: string;
  readonly nodeName: string;
  /** What a daemon that runs says; null = none answers. */
  readonly status: DirectorStatus | null;
}

/** Why there is no plan: mistakes in the configuration, or what the kernel says. */
export type PlanFailure =
  | { readonly type: "config"; readonly problems: readonly ConfigProblem[] }
  | { readonly type: "system"; readonly error: DirectorError };

/** Makes the plan in this process, from the file, the kernel and what a daemon says of the servers. Changes nothing. */
export function planOffline(options: OfflinePlanOptions, files: FileAccess): Result<KernelPlan, PlanFailure> {
  const { file, nodeName, stateDir, status } = options;
  const loaded = loadConfigFiles(file, { nodeName }, files);
  if (!loaded.ok) return err({ type: "config", problems: loaded.error });
  const { config } = loaded.value;
  const now = readServicesNow(stateDir);
  if (!now.ok) return err({ type: "system", error: now.error });
  const phases = status === null ? null : new Map(status.instances.map(({ name, phase }) => [name, phase]));
  const around = planSurroundings(config, phases, null);
  if (!around.ok) return err({ type: "system", error: around.error });
  const { decisions, basis } = expectations(config, status, now.value, readOverrides(stateDir));
  const groups = [...planServices(config.services, decisions, now.value), ...around.value];
  const isTaken = status !== null || !isPassedOver(stateDir, files);
  return ok(joinPlan(groups, { basis: isTaken ? basis : `${basis}; ${PASSED_OVER}` }));
}

const PASSED_OVER =
  "nobody confirmed what the files hold (`reload --confirm`), so a start takes the configuration before, until a reload";

/** Whether a start would not take the files as they are. */
function isPassedOver(stateDir: string, files: FileAccess): boolean {
  const trial = readTrial(stateDir);
  if (trial === null || (trial.state === "waiting" && Date.now() < trial.untilMs)) return false;
  return trial.state === "waiting" || isOnDisk(trial.tried, files);
}

function expectations(
  { services }: DirectorConfig,
  status: DirectorStatus | null,
  now: ServicesNow,
  overrides: Overrides,
) {
  const table = now.observed.services;
  if (status === null) {
    const basis = "no daemon runs: servers that the kernel has count as up, as they do at a start";
    return { decisions: overruled(services, startDecisions(services, table, overrides), overrides), basis };
  }
  const basis = `by the verdicts of the daemon that runs with ${status.config.file}`;
  const known = knownDecisions(services, knownServers(status), table, overrides);
  return { decisions: overruled(services, known, overrides), basis };
}

function knownServers(status: DirectorStatus): ReadonlyMap<string, KnownServer> {
  const known = new Map<string, KnownServer>(); // bounded by the daemon's configuration
  for (const service of status.services)
    for (const server of service.servers) {
      const endpoint = parseEndpoint(server.server);
      if (endpoint.ok) known.set(decisionKey(service.name, endpoint.value), server);
    }
  return known;
}

/** What stands over the checks, or would at a start. */
function readOverrides(stateDir: string): Overrides {
  try {
    return overridesNow(readFileSync(join(stateDir, OVERRIDES_FILE), "utf8"), Date.now());
  } catch {
    return new Map();
  }
}
