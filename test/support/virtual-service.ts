import type { Destination, VirtualService } from "../../src/ipvs/model.ts";

/** TCP 192.0.2.10:80 by wrr; tests name what matters to them. */
export function web(destinations: readonly Destination[], part: Partial<VirtualService> = {}): VirtualService {
  return {
    family: 4,
    protocol: "tcp",
    address: "192.0.2.10",
    port: 80,
    scheduler: "wrr",
    flags: { fallback: false, port: false },
    persistence: null,
    destinations,
    ...part,
  };
}

/** 10.0.0.HOST:80 by dr with weight 1. */
export function rs(host: number, part: Partial<Destination> = {}): Destination {
  return { address: `10.0.0.${host}`, port: 80, method: "dr", weight: 1, ...part };
}
