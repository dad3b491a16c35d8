import type { Spread } from "../base/histogram.ts";
import type { IpText } from "../base/ip.ts";
import type { KernelPlan } from "../plan/model.ts";
import type { OverrideStatus } from "./overrides.ts";

/** The status model that the daemon serves and the command line prints. Times are ISO 8601, UTC. */
export const STATUS_VERSION = 1;

export interface DirectorStatus {
  readonly version: typeof STATUS_VERSION;
  readonly node: string;
  /** Version of the program. */
  readonly program: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly config: ConfigStatus;
  readonly health: "healthy" | "degraded";
  /** One sentence for each thing that is not as it should be. */
  readonly problems: readonly string[];
  readonly processes: readonly ProcessStatus[];
  readonly instances: readonly InstanceStatus[];
  readonly services: readonly ServiceStatus[];
  /** null = no connection synchronisation is configured. */
  readonly sync: SyncStatus | null;
  /** null = the checker process has not looked yet. */
  readonly drift: DriftStatus | null;
  /** null = the checker process has told the kernel nothing yet. */
  readonly kernel: KernelStatus | null;
  readonly schedules: readonly ScheduleStatus[];
}

/** Calendar work. */
export interface ScheduleStatus {
  readonly name: string;
  readonly cron: string;
  /** IANA name. */
  readonly timezone: string;
  /** `takeover drill of web4` */
  readonly action: string;
  /** The next runs; empty = never. */
  readonly next: readonly string[];
  /** Since the daemon started; null = none yet. */
  readonly lastRun: { readonly at: string; readonly isGood: boolean; readonly cause: string } | null;
  /** Runs that nobody made, since the last one that was good; null = none. They are not made up for. */
  readonly missed: { readonly count: number; readonly last: string; readonly why: string } | null;
}

export interface ConfigStatus {
  readonly file: string;
  readonly loadedAt: string;
  /** Until when a reload is to be confirmed, or it undoes itself; null = there is nothing to confirm. */
  readonly confirmBy: string | null;
  /** The files hold what nobody confirmed; the configuration before is in force. */
  readonly isReverted: boolean;
}

export interface ProcessStatus {
  readonly name: "vrrp" | "checker";
  /** `silent`: it runs and does not answer. */
  readonly state: "starting" | "running" | "silent" | "restarting" | "stopped";
  readonly pid: number | null;
  /** Unexpected ends since the daemon started. */
  readonly restarts: number;
}

export interface InstanceStatus {
  readonly name: string;
  readonly interface: string;
  readonly vrid: number;
  readonly transport: "multicast" | "unicast" | "udp";
  /** Whether its adverts carry a signature. */
  readonly isSigned: boolean;
  readonly phase: "initialize" | "backup" | "master" | "fault";
  readonly since: string;
  /** Why it is in this phase. */
  readonly reason: string;
  /** What it advertises: the effective priority. */
  readonly priority: number;
  /** As configured. */
  readonly basePriority: number;
  /** How the one follows from the other: `150 - 20 (interface eth1 is down)`. */
  readonly priorityText: string;
  /** Everything that is tracked, with what it does to the priority. */
  readonly track: readonly TrackStatus[];
  /** The group it belongs to. */
  readonly group: string | null;
  readonly advertIntervalUs: number;
  /** It was handed over, and leaves whoever serves alone until it is needed. */
  readonly isResting: boolean;
  /** It has said that it leaves, and serves until its successor is heard. */
  readonly isHandingOver: boolean;
  /** It plays dead for a drill: nothing is sent, and its addresses are gone. */
  readonly isSilent: boolean;
  /** Own address on the interface, the source of adverts. */
  readonly source: IpText | null;
  readonly addresses: readonly string[];
  /** Addresses that holdfast put on the interface and holds now. */
  readonly held: readonly string[];
  /** What the kernel refused to add or to remove of its addresses, tried again every second. */
  readonly refused: readonly RefusedAddress[];
  readonly heard: { readonly address: IpText; readonly priority: number; readonly at: string } | null;
  readonly counters: InstanceCounters;
  /** How long after their instant timers were acted upon, by what they are for, since the process started. */
  readonly lateness: Readonly<Record<"advert" | "down" | "other", Spread>>;
}

/** A virtual address that is not where it should be. */
export interface RefusedAddress {
  /** `192.0.2.10/24`. */
  readonly address: string;
  /** A master lacks what could not be added; what could not be removed is served by two. */
  readonly change: "add" | "remove";
  /** A sentence without its full stop: what was refused, on which interface and why. */
  readonly why: string;
}

/** One tracked thing. */
export interface TrackStatus {
  /** `interface eth1`, `script disk`, `service web`. */
  readonly what: string;
  /** null = the instance is in fault while it fails. */
  readonly weight: number | null;
  readonly isPassing: boolean;
  /** What it adds to the priority now. */
  readonly effect: number;
  /** `interface eth1 is down` */
  readonly state: string;
}

export interface InstanceCounters {
  readonly advertsSent: number;
  readonly advertsReceived: number;
  readonly sendErrors: number;
  readonly becameMaster: number;
  /** Planned handovers in which a successor was heard. */
  readonly handovers: number;
  /** Packets on its interface, whoever sent them, for a VRID that nobody here speaks by the transport that they came by. */
  readonly strayPackets: number;
  /** Changes of phase, by what changed and why. */
  readonly transitions: readonly TransitionCount[];
  /** Packets refused, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Adverts received by checksum form. */
  readonly checksumForms: Readonly<Record<string, number>>;
  /** Two masters, a standstill, and adverts that differ from this node's, by kind. */
  readonly events: Readonly<Record<string, number>>;
}

export interface TransitionCount {
  readonly from: InstanceStatus["phase"];
  readonly to: InstanceStatus["phase"];
  /** A code: `master_silent`, `outranked`. */
  readonly reason: string;
  readonly count: number;
}

export interface ServiceStatus {
  readonly name: string;
  readonly listen: readonly string[];
  readonly scheduler: string;
  readonly forward: string;
  readonly servers: readonly ServerStatus[];
}

export interface ServerStatus {
  /** `10.0.0.11:80`. */
  readonly server: string;
  readonly verdict: "unknown" | "up" | "down";
  readonly since: string;
  /** Whether it is in the kernel's table: wanted there, and not refused. */
  readonly present: boolean;
  readonly weight: number;
  /** Where verdict and weight come from. */
  readonly why: string;
  /** Those that the kernel holds for it, as of some seconds ago; null = it has none for it, or has not been asked yet. */
  readonly connections: { readonly active: number; readonly inactive: number } | null;
  /** What people or schedules ordered over what the checks say; null = nothing. */
  readonly override: OverrideStatus | null;
  readonly checks: readonly CheckStatus[];
}

export interface CheckStatus {
  readonly name: string;
  readonly verdict: "unknown" | "up" | "down";
  readonly since: string;
  /** What the last attempt said; null before the first. */
  readonly last: string | null;
  /** Of the last attempt. */
  readonly latencyUs: number | null;
  /** Attempts that were made, with any outcome. */
  readonly attempts: number;
  /** Those of them that failed. */
  readonly failed: number;
  /** Times that an attempt could not be made: this machine's fault, not the server's. */
  readonly notRun: number;
  /** Of all attempts together. */
  readonly latencySumUs: number;
}

/** Whether the kernel's table is what holdfast made it. */
export interface DriftStatus {
  /** What is done about differences. */
  readonly mode: "repair" | "report" | "ignore";
  /** Objects repaired since the checker process started. */
  readonly repairs: number;
  /** Objects that differ and are left so (`report`). */
  readonly differences: number;
  /** What would repair some of them, one sentence each. */
  readonly examples: readonly string[];
  /** Since when anything differs; null = nothing does. */
  readonly since: string | null;
}

/** What the kernel lacks of what services need, although it was told. */
export interface KernelStatus {
  /** Objects of its table that are not as wanted, tried again every second; null = not known: the table cannot be made. */
  readonly refused: number | null;
  /** Why, for the first of them, one sentence each; empty = the table is as wanted. */
  readonly reasons: readonly string[];
  /** Since when it is not; null = it is. */
  readonly since: string | null;
  /** Settings that it lacks, one sentence each with the command that sets it. */
  readonly sysctls: readonly string[];
}

/** The kernel's connection synchronisation. */
export interface SyncStatus {
  /** Name of the instance that it follows. */
  readonly instance: string;
  readonly interface: string;
  readonly id: number;
  /** The daemons that run: `master` sends this director's connections, `backup` takes those of others. */
  readonly role: "master+backup" | "master" | "backup" | "none";
  /** A sentence: what is not as it should be; empty if nothing is. */
  readonly note: string;
}

/** Answer to a reload. */
export interface ReloadReport {
  /** What was to change in the kernel, made before anything was changed; null = it could not be made, the log says why. */
  readonly plan: KernelPlan | null;
  /** One line for each change that was applied; empty = nothing to do. */
  readonly changes: readonly string[];
  /** What the kernel's table differs in after reading it back, one sentence each; empty = it is as configured. */
  readonly remaining: readonly string[];
  /** Warnings about the new configuration, as text. */
  readonly warnings: readonly string[];
  /** Until when it is to be confirmed; null = it stays. */
  readonly confirmBy: string | null;
}

/** Answer to who confirms a reload, or undoes it. */
export interface ConfirmAnswer {
  readonly state: "confirmed" | "undone";
}

/** Answer to a handover that succeeded: one entry for each instance that moved. */
export interface HandoverAnswer {
  readonly moved: readonly {
    readonly instance: string;
    readonly successor: IpText;
    /** From the first priority 0 until the successor was heard. */
    readonly tookMs: number;
  }[];
}

/** A refused request: what, and what to do. `details` holds located configuration errors, ready to print. */
export interface ControlError {
  readonly code: string;
  readonly message: string;
  readonly details?: string;
}
