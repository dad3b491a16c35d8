import type { Endpoint, ListenEndpoint } from "../base/endpoint.ts";
import type { Cidr, IpText } from "../base/ip.ts";
import type { DrillKind } from "../drill/model.ts";
import type { LogLevel } from "../ports/logger.ts";

/**
 * The configuration after reading, validating and defaulting: plain data that crosses process borders as JSON.
 * Children receive parts of it and never see YAML.
 */
export interface DirectorConfig {
  /** Name of this node in logs and status; default the host name. */
  readonly node: string;
  readonly log: LogConfig;
  readonly ipvs: IpvsConfig;
  readonly scripts: ScriptsConfig;
  readonly vrrp: VrrpConfig;
  readonly instances: readonly InstanceConfig[];
  readonly groups: readonly GroupConfig[];
  /** null = no connection synchronisation. */
  readonly sync: SyncConfig | null;
  /** null = metrics are on the control socket only. */
  readonly metrics: MetricsConfig | null;
  readonly services: readonly ServiceConfig[];
  readonly schedules: readonly ScheduleConfig[];
  readonly drills: DrillsConfig;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

export interface IpvsConfig {
  /** What becomes of holdfast's own services when it stops. */
  readonly onStop: "remove" | "keep";
  /** Set the sysctls that a forwarding method needs, instead of warning with the command. */
  readonly manageSysctls: boolean;
  /** What is done when the kernel's table is not what holdfast made it. */
  readonly drift: "repair" | "report" | "ignore";
  /** How often that is looked at, 1 s … 1 h. */
  readonly driftIntervalUs: number;
}

export interface ScriptsConfig {
  /** Check scripts that may run at the same time, 1–1024. */
  readonly maxConcurrent: number;
}

export interface VrrpConfig {
  /** Run the vrrp process with SCHED_RR and its memory locked. */
  readonly realtime: boolean;
}

/** Instances that are master on the same director. */
export interface GroupConfig {
  readonly name: string;
  /** Names of instances; at least one. */
  readonly instances: readonly string[];
}

/** Where numbers for Prometheus are served besides the control socket. */
export interface MetricsConfig {
  readonly listen: Endpoint;
}

/** The kernel's connection synchronisation, in step with one instance. */
export interface SyncConfig {
  /** Name of the instance. */
  readonly instance: string;
  readonly interface: string;
  /** 1–255, the same on both directors. */
  readonly id: number;
  /** Multicast group and UDP port of the kernel's threads. */
  readonly group: IpText;
  readonly port: number;
  /** 1–255. */
  readonly ttl: number;
}

/** Another director, for the transports that do not use multicast. */
export interface PeerConfig {
  readonly address: IpText;
  /** The lowest TTL that is accepted from it on `unicast`, 1–255. UDP sockets do not tell the TTL. */
  readonly minTtl: number;
}

/** How adverts travel. */
export type TransportConfig =
  | { readonly type: "multicast" }
  | { readonly type: "unicast"; readonly peers: readonly PeerConfig[] }
  | { readonly type: "udp"; readonly port: number; readonly peers: readonly PeerConfig[] };

/** Where a secret stands, such as a key; the configuration itself does not hold it. */
export type SecretSource = { readonly type: "file"; readonly path: string } | CredentialSource;

/** A systemd credential: a file of that name in $CREDENTIALS_DIRECTORY. */
export interface CredentialSource {
  readonly type: "credential";
  readonly name: string;
}

export interface HmacKeyConfig {
  /** 1–255, sent with each advert. */
  readonly id: number;
  readonly source: SecretSource;
}

/** The HMAC trailer of adverts. */
export interface HmacConfig {
  /** `enforce` signs and wants signatures; `permissive` signs; `receive-only` only verifies what is signed. */
  readonly mode: "enforce" | "permissive" | "receive-only";
  readonly keys: readonly HmacKeyConfig[];
  /** Id of the key that signs. */
  readonly activeKey: number;
  readonly replay: "time" | "monotonic";
  /** How far clocks may differ with `time`, whole seconds, 1–300. */
  readonly windowS: number;
}

/** What a failure does: `null` = the instance goes to fault, a number is added to or taken off the priority. */
export type TrackWeight = number | null;

export interface TrackedInterface {
  readonly interface: string;
  /** −253…253: a negative one counts while it fails, a positive one while it does not. */
  readonly weight: TrackWeight;
}

export interface TrackedScript {
  /** Unique within the instance; how status and logs call it. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly intervalUs: number;
  readonly timeoutUs: number;
  readonly rise: number;
  readonly fall: number;
  readonly weight: TrackWeight;
}

export interface TrackedService {
  /** Name of a service. */
  readonly service: string;
  /** Servers that must be able to serve, 1–65535. */
  readonly quorum: number;
  readonly weight: TrackWeight;
}

export interface TrackConfig {
  readonly interfaces: readonly TrackedInterface[];
  readonly scripts: readonly TrackedScript[];
  readonly services: readonly TrackedService[];
}

/** How a Backup of higher priority treats a living Master of lower priority. */
export type PreemptConfig =
  | { readonly mode: "always" }
  | { readonly mode: "never" }
  | { readonly mode: "delay"; readonly delayUs: number };

/** Which of the two VRRPv3 IPv4 checksum forms is sent; both are accepted. */
export type ChecksumForm = "pseudo-header" | "message-only";

/** A VRRP instance: interface + VRID. */
export interface InstanceConfig {
  readonly name: string;
  readonly interface: string;
  /** 1–255. */
  readonly vrid: number;
  /** 1–254, or 255 for the owner of the address. */
  readonly priority: number;
  /** 10 ms … 40.95 s in whole centiseconds, as microseconds. */
  readonly advertIntervalUs: number;
  readonly preempt: PreemptConfig;
  readonly checksum: ChecksumForm;
  readonly transport: TransportConfig;
  /** null = adverts are not authenticated. */
  readonly hmac: HmacConfig | null;
  readonly track: TrackConfig;
  readonly addresses: readonly Cidr[];
}

/** The ten schedulers of the LVS papers and mh, fo, ovf. */
export const SCHEDULERS = [
  "rr",
  "wrr",
  "lc",
  "wlc",
  "lblc",
  "lblcr",
  "dh",
  "sh",
  "sed",
  "nq",
  "mh",
  "fo",
  "ovf",
] as const;
export type Scheduler = (typeof SCHEDULERS)[number];

export const FORWARD_METHODS = ["nat", "dr", "tun"] as const;
export type ForwardMethod = (typeof FORWARD_METHODS)[number];

export const TUNNEL_TYPES = ["ipip", "gre", "gue"] as const;

/** What the packets of a `tun` service are wrapped in. The checksum fields of GRE and GUE are left out, or zero. */
export type TunnelConfig =
  | { readonly type: "ipip" }
  | { readonly type: "gre" }
  /** Generic UDP encapsulation, to this UDP port of the servers. */
  | { readonly type: "gue"; readonly port: number };

export interface PersistenceConfig {
  /** Whole seconds, 1–86400. */
  readonly timeoutS: number;
  /** Clients that share this many leading bits stay together: 1–32 (IPv4), 1–128 (IPv6). */
  readonly prefixLength: number;
}

export interface ServiceConfig {
  readonly name: string;
  /** At least one; all of one family. */
  readonly listen: readonly ListenEndpoint[];
  readonly scheduler: Scheduler;
  /** For sh and mh: pick another server when the hashed one cannot serve. */
  readonly hashFallback: boolean;
  /** For sh and mh: include the source port. */
  readonly hashPort: boolean;
  readonly persistence: PersistenceConfig | null;
  readonly forward: ForwardMethod;
  /** null unless `forward` is `tun`. */
  readonly tunnel: TunnelConfig | null;
  /** What a down server becomes: absent from the table, or present with weight 0. */
  readonly onDown: "remove" | "quiesce";
  readonly servers: readonly ServerConfig[];
}

export interface ServerConfig {
  readonly address: IpText;
  readonly port: number;
  /** 0–65535. */
  readonly weight: number;
  /** All must pass; none means always up. The service's checks, or the server's own in their place. */
  readonly checks: readonly CheckConfig[];
}

interface CheckCommon {
  /** How logs and status call it: the kind, with a number where a server has several of a kind (`http`, `http-2`). */
  readonly name: string;
  readonly intervalUs: number;
  readonly timeoutUs: number;
  /** Passes in a row that bring a server up, 1–100. */
  readonly rise: number;
  /** Failures in a row that take it down, 1–100. */
  readonly fall: number;
}

export interface TcpCheckConfig extends CheckCommon {
  readonly type: "tcp";
  /** Port to connect to; null = the server's. */
  readonly port: number | null;
}

/** Inclusive range of HTTP status codes. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export type BodyMatch =
  | { readonly type: "contains"; readonly text: string }
  | { readonly type: "matches"; readonly pattern: string };

export interface TlsConfig {
  /** Verify the server's certificate. */
  readonly verify: boolean;
  /** SNI and the name that the certificate must carry; null = `host` without its port, or the address. */
  readonly serverName: string | null;
  /** Paths of PEM files, or credentials that hold what such a file does. */
  readonly caFile: string | null;
  readonly certFile: string | CredentialSource | null;
  readonly keyFile: string | CredentialSource | null;
}

export interface HttpCheckConfig extends CheckCommon {
  readonly type: "http";
  readonly port: number | null;
  readonly method: string;
  /** Starts with `/`. */
  readonly path: string;
  /** Host header; null = the server's address and port. */
  readonly host: string | null;
  /** Values as they are sent, or where a value stands that is a secret. */
  readonly headers: Readonly<Record<string, string | SecretSource>>;
  readonly expectStatus: readonly StatusRange[];
  readonly expectBody: BodyMatch | null;
  /** Bytes of the body that are read at most when a body is expected, 1–1048576. */
  readonly maxBodyBytes: number;
  /** null = plain http. */
  readonly tls: TlsConfig | null;
}

export interface ScriptCheckConfig extends CheckCommon {
  readonly type: "script";
  readonly command: readonly [string, ...string[]];
  /** The script also sets the weight: a `weight=N` line on its output, or exit code 2–255 meaning weight = code − 2. */
  readonly setsWeight: boolean;
}

export type CheckConfig = TcpCheckConfig | HttpCheckConfig | ScriptCheckConfig;

/** Calendar work by node-cron. */
export interface ScheduleConfig {
  readonly name: string;
  readonly cron: string;
  /** IANA zone; null = the machine's. */
  readonly timezone: string | null;
  readonly action: ScheduleAction;
}

export type ScheduleAction =
  | { readonly type: "reload" }
  | { readonly type: "reconcile" }
  | ScheduledDrill
  | ScheduledDrain
  /** Ends overrides of a server. */
  | { readonly type: "enable"; readonly service: string; readonly server: Endpoint };

/** null = as a drill without that setting has it. */
export interface ScheduledDrill {
  readonly type: "drill";
  /** Name of the instance. */
  readonly instance: string;
  readonly kind: DrillKind;
  readonly target: string | null;
  readonly maxGapUs: number | null;
  readonly maxFailed: number | null;
}

export interface ScheduledDrain {
  readonly type: "drain";
  /** Name of a service, or `all`. */
  readonly service: string;
  readonly server: Endpoint;
  /** null = until its last connection ends. */
  readonly deadlineUs: number | null;
  /** null = until somebody ends it. */
  readonly untilUs: number | null;
}

/** Practised failovers. */
export interface DrillsConfig {
  /** Runs `holdfast probe` elsewhere; null = this host asks. */
  readonly probe: readonly [string, ...string[]] | null;
  /** Reports that are kept, 1–1000. */
  readonly keep: number;
}
