import type { Protocol } from "../base/endpoint.ts";
import type {
  DestinationCounters,
  DestinationIdentity,
  ForwardingMethod,
  ServiceIdentity,
  ServiceSettings,
  Tunnel,
} from "./model.ts";

/**
 * A table to compare with: what the kernel holds, or what we believe it holds. Every IpvsTable is one. It can also say
 * what an IpvsTable cannot, because others write to the kernel as well: that is what `extras` is for.
 */
export type CurrentTable = readonly CurrentService[];

export interface CurrentService extends ServiceIdentity, ServiceSettings {
  /**
   * Settings holdfast never makes, for people: `one-packet scheduling`, `persistence engine sip`. None or absent = what
   * the other fields say is the whole truth. Anything here is drift and is repaired by setting the service.
   */
  readonly extras?: readonly string[];
  readonly destinations: readonly CurrentDestination[];
}

export interface CurrentDestination extends DestinationIdentity {
  /** null = one that holdfast never sets (local node, bypass); named in `extras`. */
  readonly method: ForwardingMethod | null;
  /** As in a Destination. */
  readonly tunnel?: Tunnel;
  readonly weight: number;
  /** As for services: `thresholds 10/8`, `tunnel gue port 6080 flags 1`. */
  readonly extras?: readonly string[];
}

/** A destination read from the kernel. */
export interface ObservedDestination extends CurrentDestination {
  readonly counters: DestinationCounters;
}

/** A service read from the kernel. */
export interface ObservedService extends CurrentService {
  readonly destinations: readonly ObservedDestination[];
}

/** What a reading of the kernel's table gives. */
export interface ObservedTable {
  readonly services: readonly ObservedService[];
  /**
   * Services whose identity a ServiceIdentity cannot express: marks, SCTP. They belong to others, are only counted and
   * never touched.
   */
  readonly foreignServices: number;
}

/** Protocols by their IP number. */
export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17 };
