import type { InstanceKeys } from "../config/keys.ts";
import type {
  GroupConfig,
  InstanceConfig,
  IpvsConfig,
  ScriptsConfig,
  ServiceConfig,
  SyncConfig,
  TrackedScript,
} from "../config/model.ts";
import type { DriftStatus, InstanceStatus, KernelStatus, ServerStatus, SyncStatus } from "../control/status.ts";
import type { DrainCount, Override } from "../health/overrides.ts";
import type { StateEntry } from "../ipc/messages.ts";
import type { ServerTraffic, Traffic } from "../ipvs/traffic.ts";
import type { TrackFact } from "../vrrp/track.ts";
import type { HandoverReport } from "./instance-io.ts";

/** What the vrrp child is told. */
export interface VrrpProcessConfig {
  readonly instances: readonly InstanceConfig[];
  /** Absent = none. */
  readonly groups?: readonly GroupConfig[];
  /** Folder for what is gone after a boot. */
  readonly runDir: string;
  /** Real-time priority, and the program locked in memory. */
  readonly realtime: boolean;
  /** Bytes of the keys; absent = no instance has any. */
  readonly keys?: InstanceKeys;
  /** Instances that rested when the process before this one ended; read with the first configuration. Absent = none. */
  readonly resting?: readonly string[];
}

/** What the vrrp child says about a configuration that it took. */
export interface VrrpReply {
  /** Sentences about what could not be done and does not keep it from working. */
  readonly problems: readonly string[];
}

/** What the vrrp child is told of what the checker found out, by `scriptFactKey` and `serviceFactKey`. */
export type VrrpFact = TrackFact;

/** What the checker child is told. */
export interface CheckerProcessConfig {
  readonly services: readonly ServiceConfig[];
  readonly ipvs: IpvsConfig;
  readonly scripts: ScriptsConfig;
  /** null = no connection synchronisation. */
  readonly sync: SyncConfig | null;
  readonly track: CheckerTrackConfig;
  /** What stands over the checks when this configuration is taken; absent = nothing. */
  readonly overrides?: readonly ServerOverride[];
  /** Folder for what must survive a restart. */
  readonly stateDir: string;
}

/** Asks the checker child what taking these services would change; answered with the groups of a plan. */
export interface CheckerPlanRequest {
  readonly services: readonly ServiceConfig[];
  readonly stateDir: string;
}

/** What instances track that the checker judges. */
export interface CheckerTrackConfig {
  readonly scripts: readonly InstanceScript[];
  /** Names of services. */
  readonly services: readonly string[];
}

/** A script that an instance tracks. */
export interface InstanceScript {
  readonly instance: string;
  readonly script: TrackedScript;
}

/** An override and the server that it is about. */
export interface ServerOverride {
  /** Name of the service. */
  readonly service: string;
  /** `10.0.0.11:80`. */
  readonly server: string;
  readonly override: Override;
}

/** What becomes of one server's override; null = it is taken off. The checker's command `override` takes some of these. */
export type OverrideChange = Omit<ServerOverride, "override"> & { readonly override: Override | null };

/** What the checker did with them. */
export interface OverrideReply {
  /** One line for each change to the kernel's table. */
  readonly changes: readonly string[];
  /** Sentences about what keeps them from working as meant. */
  readonly warnings: readonly string[];
}

/** State of one instance, by `instanceKey`. */
export type VrrpState = InstanceStatus;
/**
 * State of one server in one service, by `serverKey`; of the connection synchronisation, by `SYNC_KEY`; of drift, by
 * `DRIFT_KEY`; of what the kernel lacks, by `KERNEL_KEY`.
 */
export type CheckerState = CheckedServer | SyncStatus | DriftStatus | KernelStatus;
/** What the checks know of a server; its connections come from the kernel's counters, its override from the desk. */
export type CheckedServer = Omit<ServerStatus, "connections" | "override">;
/** What the kernel counted, one entry for each endpoint that it has: `serviceTrafficKey`, `serverTrafficKey`. */
export type TrafficState = readonly Traffic[] | readonly ServerTraffic[];

/** What the checker child must know of an instance, by `instanceKey`. */
export interface CheckerFact {
  readonly phase: InstanceStatus["phase"];
}

/**
 * What the checker child tells: states; counters; facts about what is tracked, by `scriptFactKey` and `serviceFactKey`; and the
 * connections of draining servers, by `drainKey`.
 */
export type CheckerNews = CheckerState | TrafficState | TrackFact | DrainNews;

/** What was counted of a draining server. */
export interface DrainNews {
  readonly service: string;
  readonly server: string;
  readonly count: DrainCount;
}

export const SYNC_KEY = "sync";
export const DRIFT_KEY = "drift";
export const KERNEL_KEY = "kernel";

export function instanceKey(instance: string): string {
  return `instance/${instance}`;
}

/** @param server `10.0.0.11:80` */
export function serverKey(service: string, server: string): string {
  return `server/${service}/${server}`;
}

const FACT_PREFIX = "track/";
const TRAFFIC_PREFIX = "traffic/";

export function serviceTrafficKey(service: string): string {
  return `${TRAFFIC_PREFIX}${service}`;
}

/** @param server `10.0.0.11:80` */
export function serverTrafficKey(service: string, server: string): string {
  return `${TRAFFIC_PREFIX}${service}/${server}`;
}

/** Whether something that the checker tells is what the kernel counted. */
export function isTraffic(entry: StateEntry<CheckerNews>): entry is StateEntry<TrafficState> {
  return entry[0].startsWith(TRAFFIC_PREFIX);
}

/** Whether something that the checker tells is about what instances track. */
export function isTrackFact(entry: StateEntry<CheckerNews>): entry is StateEntry<TrackFact> {
  return entry[0].startsWith(FACT_PREFIX);
}

const DRAIN_PREFIX = "drain/";

/** Whether it is about a draining server. */
export function isDrainNews(entry: StateEntry<CheckerNews>): entry is StateEntry<DrainNews> {
  return entry[0].startsWith(DRAIN_PREFIX);
}

/** Whether it is about anything else. */
export function isCheckerState(entry: StateEntry<CheckerNews>): entry is StateEntry<CheckerState> {
  return !isTrackFact(entry) && !isTraffic(entry) && !isDrainNews(entry);
}

/** @param server `10.0.0.11:80` */
export function drainKey(service: string, server: string): string {
  return `${DRAIN_PREFIX}${service}/${server}`;
}

export function scriptFactKey(instance: string, script: string): string {
  return `${FACT_PREFIX}script/${instance}/${script}`;
}

export function serviceFactKey(service: string): string {
  return `${FACT_PREFIX}service/${service}`;
}

/** Commands of the vrrp child, with their arguments. `handover` and `silence` answer with a HandoverReply. */
export interface VrrpCommands {
  /** Name of an instance. */
  readonly handover: string;
  /** A drill: play dead. */
  readonly silence: { readonly instance: string; readonly forUs: number };
  /** Name of an instance that is to take its addresses back. */
  readonly reclaim: string;
  /** Name of an instance that has rested long enough. */
  readonly wake: string;
}

/** How the handover of an instance and the others of its group ended. */
export type HandoverReply = readonly ({ readonly instance: string } & HandoverReport)[];

/** What the checker child did with a configuration or an audit: one line for each change to the kernel's table. */
export interface CheckerReply {
  readonly changes: readonly string[];
  /** What the kernel's table still differs in after reading it back, one sentence each; empty = it is as wanted. */
  readonly remaining: readonly string[];
}
