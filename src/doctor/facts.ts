import type { Cidr, IpText } from "../base/ip.ts";

/** Something that could not be looked at, and why. */
export interface Unseen {
  readonly what: string;
  readonly why: string;
}

/** `unknown`: the lists of modules could not be read. */
export type ModuleState = "present" | "absent" | "unknown";

export interface FactInterface {
  readonly name: string;
  readonly index: number;
  /** Up and with carrier. */
  readonly isUp: boolean;
  readonly mac: string | null;
  readonly mtu: number;
  /** Link-local ones left out. */
  readonly addresses: readonly Cidr[];
  /** The source of adverts. */
  readonly primaryIpv4: IpText | null;
}

/** A VRRP packet as it was heard on an interface. */
export interface HeardPacket {
  readonly interface: string;
  /** Port of the transport `udp`; null = protocol 112. */
  readonly udpPort: number | null;
  readonly source: IpText;
  readonly destination: IpText;
  readonly ttl: number | null;
  /** Ethernet source. */
  readonly mac: string | null;
  readonly message: Uint8Array;
  /** When, by the wall clock. */
  readonly wallMs: number;
}

/** Who answered when asked for an address. */
export interface ArpAnswers {
  readonly interface: string;
  readonly address: IpText;
  readonly macs: readonly string[];
}

export interface PathFact {
  readonly address: IpText;
  /** Size of the packets that vanish, with their IP header. */
  readonly bytes: number;
  /** Small ones are answered, full-size ones are not, and the kernel was not told of a smaller MTU. */
  readonly isHole: boolean;
}

/** Limits of a family's neighbour table: gc_thresh1 to gc_thresh3. */
export interface NeighbourLimits {
  readonly family: 4 | 6;
  readonly thresholds: readonly [number, number, number];
}

/** The capabilities that a process of holdfast may need. */
export type Capability = "CAP_NET_ADMIN" | "CAP_NET_RAW" | "CAP_SYS_NICE" | "CAP_IPC_LOCK";

/** What the kernel lets a process do and have. */
export interface ProcessRights {
  /** Those that are in force. */
  readonly capabilities: readonly Capability[];
  /** Those that it could have at most: what its unit leaves to it. */
  readonly bounding: readonly Capability[];
  readonly descriptorLimit: number;
  /** By a capability or by a limit that stands in for it. */
  readonly mayRunRealtime: boolean;
  readonly mayLockMemory: boolean;
}

export interface DaemonProcess {
  readonly name: "supervisor" | "vrrp" | "checker";
  readonly pid: number;
  readonly rights: ProcessRights;
}

/** What the running daemon says of itself, and what the kernel says of it. */
export interface DaemonFacts {
  /** The supervisor first; empty = they do not show here. */
  readonly processes: readonly DaemonProcess[];
  readonly instances: readonly {
    readonly name: string;
    readonly phase: string;
    /** Effective. */
    readonly priority: number;
    readonly held: readonly string[];
  }[];
}

/** What was seen of this machine and its networks. */
export interface DoctorFacts {
  /** Of the process that looks. */
  readonly own: ProcessRights;
  /** Why the native addon cannot be used; null = it can. */
  readonly addonProblem: string | null;
  /** `6.1.0-18-amd64`. */
  readonly kernelRelease: string;
  /** By module: `ip_vs`, `ip_vs_wrr`. */
  readonly modules: ReadonlyMap<string, ModuleState>;
  /** By the parts of the name joined by slashes; absent = the kernel has no such setting now. */
  readonly sysctls: ReadonlyMap<string, string>;
  readonly interfaces: readonly FactInterface[];
  /** Interfaces that an IPv4 default route leaves by. */
  readonly defaultRoutes: readonly string[];
  readonly neighbours: readonly NeighbourLimits[];
  readonly heard: readonly HeardPacket[];
  readonly virtualAnswers: readonly ArpAnswers[];
  readonly serverAnswers: readonly ArpAnswers[];
  readonly paths: readonly PathFact[];
  /** What keeps the clock: `systemd-timesyncd`; null = nothing known. */
  readonly clockKeeper: string | null;
  /** null = no daemon answers. */
  readonly daemon: DaemonFacts | null;
  readonly unseen: readonly Unseen[];
}
