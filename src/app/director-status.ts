import { listed } from "../base/listed.ts";
import type { DirectorConfig } from "../config/model.ts";
import {
  type DirectorStatus,
  type InstanceStatus,
  type KernelStatus,
  type ProcessStatus,
  STATUS_VERSION,
} from "../control/status.ts";

/** The parts of a status, before they are judged. */
export type KnownStatus = Omit<DirectorStatus, "version" | "node" | "health" | "problems">;

const REVERTED =
  "nobody confirmed the last reload: the configuration before is in force, not the files; correct them and reload, or reload to apply them after all";

/**
 * What `holdfast status` is told: what is known, and what of it is not as it should be.
 * @param configured what is in force: an object that nobody has told of yet is missed by its name there
 * @param further problems that the parts do not show, one sentence each
 */
export function directorStatus(
  known: KnownStatus,
  configured: DirectorConfig,
  further: readonly string[],
): DirectorStatus {
  const problems = [
    ...toldProblems(known, configured),
    ...known.processes.filter(({ state }) => state !== "running").map(processProblem),
    ...further,
    ...(known.config.isReverted ? [REVERTED] : []),
  ];
  // In the order in which a person reads it: who, how it is, why.
  return {
    version: STATUS_VERSION,
    node: configured.node,
    program: known.program,
    pid: known.pid,
    startedAt: known.startedAt,
    config: known.config,
    health: problems.length === 0 ? "healthy" : "degraded",
    problems,
    processes: known.processes,
    instances: known.instances,
    services: known.services,
    sync: known.sync,
    drift: known.drift,
    kernel: known.kernel,
    schedules: known.schedules,
  };
}

function processProblem({ name, state }: ProcessStatus): string {
  return state === "silent" ? `the ${name} process does not answer` : `the ${name} process is ${state}`;
}

/** One sentence for each thing that the children told and that is not as it should be. */
function toldProblems(
  { instances, services, sync, drift, kernel }: KnownStatus,
  configured: DirectorConfig,
): readonly string[] {
  const problems: string[] = [];
  const told = new Map(instances.map((instance) => [instance.name, instance]));
  for (const { name } of configured.instances) {
    const status = told.get(name);
    if (status === undefined) problems.push(`instance ${name}: its process is not running yet`);
    else if (status.phase === "fault") problems.push(`instance ${name}: ${status.reason}`);
    else {
      // What has no weight is a fault; what has one may leave the node serving.
      for (const { state, isPassing, weight } of status.track)
        if (!isPassing && weight !== null) problems.push(`instance ${name}: ${state}, priority ${status.priority}`);
    }
    if (status !== undefined) problems.push(...addressProblems(status));
  }
  const sizes = new Map(configured.services.map(({ name, servers }) => [name, servers.length]));
  for (const service of services) {
    const up = service.servers.filter((server) => server.present && server.weight > 0).length;
    const expected = sizes.get(service.name) ?? 0;
    if (expected > 0 && up === 0) problems.push(`service ${service.name}: no server can serve`);
    else if (service.servers.some((server) => server.verdict === "down")) {
      const down = service.servers.filter((server) => server.verdict === "down").map((server) => server.server);
      const named = down.slice(0, 5).join(", ") + (down.length > 5 ? " …" : "");
      problems.push(`service ${service.name}: ${down.length} of ${expected} servers down (${named})`);
    }
  }
  if (sync !== null && sync.note !== "") problems.push(`connection sync: ${sync.note}`);
  if (drift !== null && drift.differences > 0)
    problems.push(
      `the kernel's table differs in ${drift.differences} object${drift.differences === 1 ? "" : "s"} (${drift.examples.join("; ")}${drift.differences > drift.examples.length ? " …" : ""}); a reload repairs it`,
    );
  return kernel === null ? problems : [...problems, ...kernelProblems(kernel)];
}

/** Whoever has the addresses of a master has them nowhere, and of anybody else twice. */
function addressProblems({ name, phase, interface: device, refused }: InstanceStatus): readonly string[] {
  const meanings = { add: "lacks", remove: "still has" } as const;
  return (["add", "remove"] as const).flatMap((change) => {
    const alike = refused.filter((one) => one.change === change);
    const [first] = alike;
    if (first === undefined) return [];
    const addresses = alike.map(({ address }) => address);
    return [
      `instance ${name} is ${phase} and ${meanings[change]} ${listed("address", addresses)} on ${device}: ${first.why}; tried again every second`,
    ];
  });
}

/** What the kernel lacks, in one sentence for its table and one for each setting. */
function kernelProblems({ refused, reasons, sysctls }: KernelStatus): readonly string[] {
  if (refused === null) return [...reasons, ...sysctls];
  if (refused === 0) return sysctls;
  const more = refused > reasons.length ? `; and ${refused - reasons.length} more` : "";
  const objects = refused === 1 ? "object" : "objects";
  return [
    `the kernel's table is not as wanted in ${refused} ${objects} (${reasons.join("; ")}${more}); tried again every second`,
    ...sysctls,
  ];
}
