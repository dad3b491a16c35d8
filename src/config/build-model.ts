import { MICROSECONDS_PER_SECOND } from "../base/duration.ts";
import { bitsOf, familyOf } from "../base/ip.ts";
import { buildChecks, type CheckContext } from "./build-checks.ts";
import { DEFAULTS } from "./defaults.ts";
import type {
  DirectorConfig,
  InstanceConfig,
  PersistenceConfig,
  ScheduleConfig,
  ServerConfig,
  ServiceConfig,
} from "./model.ts";
import type { RawRoot, RawSchedule } from "./schema/root.ts";
import type { RawServer, RawService } from "./schema/services.ts";
import type { RawInstance } from "./schema/vrrp.ts";

/** The settings of the whole node, defaults filled in; `nodeName` where the file has none. */
export function buildNode(
  raw: RawRoot | null,
  nodeName: string,
): Pick<DirectorConfig, "node" | "log" | "ipvs" | "scripts"> {
  return {
    node: raw?.node ?? nodeName,
    log: { level: raw?.log?.level ?? DEFAULTS.logLevel, format: raw?.log?.format ?? DEFAULTS.logFormat },
    ipvs: {
      onStop: raw?.ipvs?.onStop ?? DEFAULTS.onStop,
      manageSysctls: raw?.ipvs?.manageSysctls ?? DEFAULTS.manageSysctls,
    },
    scripts: { maxConcurrent: raw?.scripts?.maxConcurrent ?? DEFAULTS.maxConcurrentScripts },
  };
}

export function buildInstance(name: string, raw: RawInstance): InstanceConfig {
  const { preempt } = raw;
  return {
    name,
    interface: raw.interface,
    vrid: raw.vrid,
    priority: raw.priority ?? DEFAULTS.priority,
    advertIntervalUs: raw.advertise ?? DEFAULTS.advertIntervalUs,
    preempt:
      preempt === undefined || preempt === true
        ? { mode: "always" }
        : preempt === false
          ? { mode: "never" }
          : { mode: "delay", delayUs: preempt.delay },
    checksum: raw.checksum ?? DEFAULTS.checksum,
    addresses: raw.addresses,
  };
}

export function buildService(name: string, raw: RawService, context: CheckContext): ServiceConfig {
  const listen = Array.isArray(raw.listen) ? raw.listen : [raw.listen];
  const bits = bitsOf(familyOf(listen[0]?.address ?? "0.0.0.0"));
  return {
    name,
    listen,
    scheduler: raw.scheduler ?? DEFAULTS.scheduler,
    hashFallback: raw.hash?.fallback ?? false,
    hashPort: raw.hash?.port ?? false,
    persistence: buildPersistence(raw.persistence, bits),
    forward: raw.forward ?? DEFAULTS.forward,
    onDown: raw.onDown ?? DEFAULTS.onDown,
    servers: raw.servers.map((server) => buildServer(server, raw.checks ?? [], context)),
  };
}

function buildPersistence(raw: RawService["persistence"], bits: number): PersistenceConfig | null {
  if (raw === undefined) return null;
  const { timeout, prefix } = typeof raw === "number" ? { timeout: raw, prefix: undefined } : raw;
  return { timeoutS: timeout / MICROSECONDS_PER_SECOND, prefixLength: prefix ?? bits };
}

function buildServer(
  raw: RawServer,
  serviceChecks: NonNullable<RawService["checks"]>,
  context: CheckContext,
): ServerConfig {
  const server = "port" in raw ? { address: raw } : raw;
  return {
    address: server.address.address,
    port: server.address.port,
    weight: server.weight ?? DEFAULTS.weight,
    checks: buildChecks(server.checks ?? serviceChecks, context),
  };
}

export function buildSchedule(raw: RawSchedule): ScheduleConfig {
  return { name: raw.name, cron: raw.cron, timezone: raw.timezone ?? null, action: { type: raw.action } };
}
