import { assert } from "../base/assert.ts";
import { MICROSECONDS_PER_SECOND } from "../base/duration.ts";
import { bitsOf, familyOf } from "../base/ip.ts";
import { buildChecks, type CheckContext } from "./build-checks.ts";
import { DEFAULTS } from "./defaults.ts";
import type {
  CheckConfig,
  DirectorConfig,
  DrillsConfig,
  HmacConfig,
  InstanceConfig,
  PersistenceConfig,
  ScheduleAction,
  ScheduleConfig,
  ServerConfig,
  ServiceConfig,
  TrackConfig,
  TransportConfig,
} from "./model.ts";
import type { RawRoot } from "./schema/root.ts";
import type { RawSchedule } from "./schema/schedules.ts";
import type { RawServer, RawService } from "./schema/services.ts";
import type { RawTrack } from "./schema/track.ts";
import type { RawInstance } from "./schema/vrrp.ts";

/** The settings of the whole node, defaults filled in; `nodeName` where the file has none. */
export function buildNode(
  raw: RawRoot | null,
  nodeName: string,
): Pick<DirectorConfig, "node" | "log" | "ipvs" | "scripts" | "vrrp" | "sync" | "metrics" | "drills"> {
  return {
    node: raw?.node ?? nodeName,
    log: { level: raw?.log?.level ?? DEFAULTS.logLevel, format: raw?.log?.format ?? DEFAULTS.logFormat },
    ipvs: {
      onStop: raw?.ipvs?.onStop ?? DEFAULTS.onStop,
      manageSysctls: raw?.ipvs?.manageSysctls ?? DEFAULTS.manageSysctls,
      drift: raw?.ipvs?.drift ?? DEFAULTS.drift,
      driftIntervalUs: raw?.ipvs?.driftInterval ?? DEFAULTS.driftIntervalUs,
    },
    vrrp: { realtime: raw?.vrrp?.realtime ?? DEFAULTS.realtime },
    sync:
      raw?.sync === undefined
        ? null
        : {
            instance: raw.sync.instance,
            interface: raw.sync.interface,
            id: raw.sync.id ?? DEFAULTS.syncId,
            group: raw.sync.group ?? DEFAULTS.syncGroup,
            port: raw.sync.port ?? DEFAULTS.syncPort,
            ttl: raw.sync.ttl ?? DEFAULTS.syncTtl,
          },
    metrics: raw?.metrics === undefined ? null : { listen: raw.metrics.listen },
    scripts: { maxConcurrent: raw?.scripts?.maxConcurrent ?? DEFAULTS.maxConcurrentScripts },
    drills: {
      probe: (raw?.drills?.probe ?? null) as DrillsConfig["probe"],
      keep: raw?.drills?.keep ?? DEFAULTS.drillsKept,
    },
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
    transport: buildTransport(raw),
    hmac: raw.auth === undefined ? null : buildHmac(raw.auth.hmac, raw.advertise ?? DEFAULTS.advertIntervalUs),
    track: buildTrack(raw.track),
    addresses: raw.addresses,
  };
}

function buildTransport(raw: RawInstance): TransportConfig {
  const type = raw.transport ?? "multicast";
  if (type === "multicast") return { type };
  const peers = (raw.peers ?? []).map((peer) =>
    typeof peer === "string"
      ? { address: peer, minTtl: DEFAULTS.minTtl }
      : { address: peer.address, minTtl: peer.minTtl ?? DEFAULTS.minTtl },
  );
  return type === "unicast" ? { type, peers } : { type, port: raw.port ?? DEFAULTS.udpPort, peers };
}

function buildHmac(raw: NonNullable<RawInstance["auth"]>["hmac"], advertIntervalUs: number): HmacConfig {
  const keys = Object.entries(raw.keys).map(([id, source]) => ({ id: Number(id), source }));
  return {
    mode: raw.mode ?? DEFAULTS.hmacMode,
    keys,
    activeKey: raw.active ?? keys[0]?.id ?? 0,
    replay: raw.replay ?? DEFAULTS.hmacReplay,
    windowS: raw.window === undefined ? defaultWindowS(advertIntervalUs) : raw.window / MICROSECONDS_PER_SECOND,
  };
}

/** As keepalived: three intervals in whole seconds, at least 5 and at most 300. */
function defaultWindowS(advertIntervalUs: number): number {
  return Math.min(300, Math.max(5, 3 * Math.floor(advertIntervalUs / MICROSECONDS_PER_SECOND)));
}

function buildTrack(raw: RawTrack | undefined): TrackConfig {
  return {
    interfaces: (raw?.interfaces ?? []).map((tracked) =>
      typeof tracked === "string"
        ? { interface: tracked, weight: null }
        : { interface: tracked.interface, weight: tracked.weight ?? null },
    ),
    scripts: (raw?.scripts ?? []).map((script, index) => ({
      name: script.name ?? (index === 0 ? "script" : `script-${index + 1}`),
      command: script.run as [string, ...string[]],
      intervalUs: script.interval ?? DEFAULTS.trackIntervalUs,
      timeoutUs: script.timeout ?? DEFAULTS.trackTimeoutUs,
      rise: script.rise ?? DEFAULTS.trackRise,
      fall: script.fall ?? DEFAULTS.trackFall,
      weight: script.weight ?? null,
    })),
    services: (raw?.services ?? []).map((tracked) =>
      typeof tracked === "string"
        ? { service: tracked, quorum: DEFAULTS.quorum, weight: null }
        : { service: tracked.service, quorum: tracked.quorum ?? DEFAULTS.quorum, weight: tracked.weight ?? null },
    ),
  };
}

export function buildService(name: string, raw: RawService, context: CheckContext): ServiceConfig {
  const listen = Array.isArray(raw.listen) ? raw.listen : [raw.listen];
  const bits = bitsOf(familyOf(listen[0]?.address ?? "0.0.0.0"));
  // One list for all of them: ten thousand servers have a handful of checks.
  const checks = buildChecks(raw.checks ?? [], context);
  return {
    name,
    listen,
    scheduler: raw.scheduler ?? DEFAULTS.scheduler,
    hashFallback: raw.hash?.fallback ?? false,
    hashPort: raw.hash?.port ?? false,
    persistence: buildPersistence(raw.persistence, bits),
    ...buildForward(raw.forward),
    onDown: raw.onDown ?? DEFAULTS.onDown,
    servers: raw.servers.map((server) => buildServer(server, checks, context)),
  };
}

function buildForward(raw: RawService["forward"] = DEFAULTS.forward): Pick<ServiceConfig, "forward" | "tunnel"> {
  if (typeof raw === "string") return { forward: raw, tunnel: raw === "tun" ? { type: "ipip" } : null };
  const { tun: type, port = DEFAULTS.guePort } = raw;
  return { forward: "tun", tunnel: type === "gue" ? { type, port } : { type } };
}

function buildPersistence(raw: RawService["persistence"], bits: number): PersistenceConfig | null {
  if (raw === undefined) return null;
  const { timeout, prefix } = typeof raw === "number" ? { timeout: raw, prefix: undefined } : raw;
  return { timeoutS: timeout / MICROSECONDS_PER_SECOND, prefixLength: prefix ?? bits };
}

function buildServer(raw: RawServer, serviceChecks: readonly CheckConfig[], context: CheckContext): ServerConfig {
  const server = "port" in raw ? { address: raw } : raw;
  return {
    address: server.address.address,
    port: server.address.port,
    weight: server.weight ?? DEFAULTS.weight,
    checks: server.checks === undefined ? serviceChecks : buildChecks(server.checks, context),
  };
}

export function buildSchedule(raw: RawSchedule): ScheduleConfig {
  return { name: raw.name, cron: raw.cron, timezone: raw.timezone ?? null, action: buildAction(raw.action) };
}

function buildAction(raw: RawSchedule["action"]): ScheduleAction {
  if (typeof raw === "string") return { type: raw };
  const { drill, drain, enable, kind = DEFAULTS.drillKind, target = null, maxGap = null, maxFailed = null } = raw;
  if (drill !== undefined) return { type: "drill", instance: drill, kind, target, maxGapUs: maxGap, maxFailed };
  if (drain !== undefined) {
    const { service, server, deadline = null, until = null } = drain;
    return { type: "drain", service, server, deadlineUs: deadline, untilUs: until };
  }
  assert(enable !== undefined, "the schema wants one of the keys");
  return { type: "enable", service: enable.service, server: enable.server };
}
