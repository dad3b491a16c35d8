import type { Protocol } from "../base/endpoint.ts";
import type { IpFamily, IpText } from "../base/ip.ts";

/** What makes a virtual service the same one for the kernel: family, protocol, address, port. */
export interface ServiceIdentity {
  readonly family: IpFamily;
  readonly protocol: Protocol;
  readonly address: IpText;
  readonly port: number;
}

/** Packet forwarding methods by their LVS names; the kernel's are MASQ, DROUTE, TUNNEL. */
export type ForwardingMethod = "nat" | "dr" | "tun";

/** A tunnel other than plain IP-in-IP, without checksums. */
export type Tunnel =
  | { readonly type: "gre" }
  /** UDP port of the server. */
  | { readonly type: "gue"; readonly port: number };

/** Scheduler flags that sh and mh read. */
export interface SchedulerFlags {
  /** IP_VS_SVC_F_SCHED1: fall back to another server. */
  readonly fallback: boolean;
  /** IP_VS_SVC_F_SCHED2: hash the source port too. */
  readonly port: boolean;
}

/** The settable properties of a virtual service. */
export interface ServiceSettings {
  readonly scheduler: string;
  readonly flags: SchedulerFlags;
  /** Persistence in whole seconds with the client grouping; null = not persistent. */
  readonly persistence: { readonly timeoutS: number; readonly prefixLength: number } | null;
}

/** A real server in a service; identified there by address and port. */
export interface Destination {
  readonly address: IpText;
  readonly port: number;
  readonly method: ForwardingMethod;
  /** With `tun`, what it is tunnelled in; absent = plain IP-in-IP. */
  readonly tunnel?: Tunnel;
  /** 0–65535; 0 = no new connections. */
  readonly weight: number;
}

export interface VirtualService extends ServiceIdentity, ServiceSettings {
  readonly destinations: readonly Destination[];
}

/** A whole table, in any order; service identities and destination identities within a service are unique. */
export type IpvsTable = readonly VirtualService[];

/** What the kernel reports besides what can be set. */
export interface DestinationCounters {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
}

/** One change to the kernel's table; `service` names the service it belongs to. */
export type IpvsOperation =
  | { readonly type: "addService"; readonly service: ServiceIdentity; readonly settings: ServiceSettings }
  | { readonly type: "setService"; readonly service: ServiceIdentity; readonly settings: ServiceSettings }
  | { readonly type: "deleteService"; readonly service: ServiceIdentity }
  | { readonly type: "addDestination"; readonly service: ServiceIdentity; readonly destination: Destination }
  | { readonly type: "setDestination"; readonly service: ServiceIdentity; readonly destination: Destination }
  | {
      readonly type: "deleteDestination";
      readonly service: ServiceIdentity;
      readonly destination: DestinationIdentity;
    };

export interface DestinationIdentity {
  readonly address: IpText;
  readonly port: number;
}
