import type { ForwardingMethod } from "./model.ts";

/** What the kernel has counted for a service or a destination since it has it. */
export interface Totals {
  readonly connections: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/**
 * What passed for one listen endpoint of a service: for the whole of it, or for one server behind it. These are the kernel's
 * own numbers: they begin at 0 when the kernel gets the object, whoever restarts.
 */
export interface Traffic {
  /** `tcp://192.0.2.10:80`. */
  readonly listen: string;
  /** Connections begun. */
  readonly connections: number;
  readonly packetsIn: number;
  readonly bytesIn: number;
  /** null = answers do not come by this director: dr and tun. */
  readonly packetsOut: number | null;
  readonly bytesOut: number | null;
}

/** As Traffic, for a server, with the connections that the kernel holds now. */
export interface ServerTraffic extends Traffic {
  readonly active: number;
  readonly inactive: number;
}

/** @param method how the service forwards: it decides whether answers are seen here */
export function trafficOf(listen: string, totals: Totals, method: ForwardingMethod): Traffic {
  const { connections, packetsIn, packetsOut, bytesIn, bytesOut } = totals;
  const seesAnswers = method === "nat";
  return {
    listen,
    connections,
    packetsIn,
    bytesIn,
    packetsOut: seesAnswers ? packetsOut : null,
    bytesOut: seesAnswers ? bytesOut : null,
  };
}

/** Whether nothing was counted since; both lists are of the same object. */
export function isSameTraffic(one: readonly Traffic[], other: readonly Traffic[]): boolean {
  return one.length === other.length && one.every((traffic, index) => isSame(traffic, other[index]));
}

/** Ten thousand of them are compared each few seconds: by hand, a hundred times faster than by what they are made of. */
function isSame(one: Partial<ServerTraffic>, other: Partial<ServerTraffic> | undefined): boolean {
  return (
    other !== undefined &&
    one.listen === other.listen &&
    one.connections === other.connections &&
    one.packetsIn === other.packetsIn &&
    one.bytesIn === other.bytesIn &&
    one.packetsOut === other.packetsOut &&
    one.bytesOut === other.bytesOut &&
    one.active === other.active &&
    one.inactive === other.inactive
  );
}

/** The connections that a server holds, over all endpoints; null = the kernel has it in none. */
export function connectionsOf(
  traffic: readonly ServerTraffic[],
): { readonly active: number; readonly inactive: number } | null {
  if (traffic.length === 0) return null;
  return {
    active: traffic.reduce((sum, { active }) => sum + active, 0),
    inactive: traffic.reduce((sum, { inactive }) => sum + inactive, 0),
  };
}
