import type { ServerConfig, ServiceConfig } from "../../src/config/model.ts";

/** A configured service with the defaults of the grammar; tests name what matters to them. */
export function serviceConfig(part: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    name: "web",
    listen: [{ protocol: "tcp", address: "192.0.2.10", port: 80 }],
    scheduler: "wlc",
    hashFallback: false,
    hashPort: false,
    persistence: null,
    forward: "nat",
    tunnel: part.forward === "tun" ? { type: "ipip" } : null,
    onDown: "remove",
    servers: [server("10.0.0.11", 8080), server("10.0.0.12", 8080)],
    ...part,
  };
}

export function server(address: string, port: number, weight = 1): ServerConfig {
  return { address, port, weight, checks: [] };
}
