import type { ServiceConfig } from "../src/config/model.ts";

/** A table to load, in the terms that all programs share. */
export interface PlannedService {
  readonly name: string;
  readonly vip: string;
  readonly port: number;
  readonly servers: readonly string[];
}

/** Servers share a port; every address is used once, from 10.96.0.1 on. */
export const SERVER_PORT = 80;
export const SERVER_NETWORK = "10.96.0.0/12";
const FIRST_SERVER = (10 << 24) | (96 << 16) | 1;

function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

export function planTable(services: number, serversEach: number): readonly PlannedService[] {
  return Array.from({ length: services }, (_, s) => ({
    name: `s${s}`,
    vip: `192.0.2.${1 + (s % 250)}`,
    port: 80 + Math.floor(s / 250),
    servers: Array.from({ length: serversEach }, (_, i) => addressText(FIRST_SERVER + s * serversEach + i)),
  }));
}

/** As the configuration loader would hand them on, without checks. */
export function toServiceConfigs(plan: readonly PlannedService[]): readonly ServiceConfig[] {
  return plan.map(({ name, vip, port, servers }) => ({
    name,
    listen: [{ protocol: "tcp", address: vip, port }],
    scheduler: "wlc",
    hashFallback: false,
    hashPort: false,
    persistence: null,
    forward: "nat",
    tunnel: null,
    onDown: "remove",
    servers: servers.map((address) => ({ address, port: SERVER_PORT, weight: 1, checks: [] })),
  }));
}

/** As `ipvsadm -S -n` would have saved it. */
export function toIpvsadm(plan: readonly PlannedService[]): string {
  const lines: string[] = [];
  for (const { vip, port, servers } of plan) {
    lines.push(`-A -t ${vip}:${port} -s wlc`);
    for (const server of servers) lines.push(`-a -t ${vip}:${port} -r ${server}:${SERVER_PORT} -m -w 1`);
  }
  return `${lines.join("\n")}\n`;
}

export type CheckKind = "none" | "tcp" | "http";

/**
 * Each server checked every second, one second for the answer; two failures in a row take it out, one pass brings it back.
 */
export function toYaml(plan: readonly PlannedService[], check: CheckKind): string {
  return `node: bench\n${servicesYaml(plan, check)}`;
}

/** The keys `defaults` and `services` alone. */
export function servicesYaml(plan: readonly PlannedService[], check: CheckKind): string {
  const probe = check === "http" ? "http: { path: /, expect: { status: 200 } }" : "tcp";
  const checks = check === "none" ? "" : `    checks:\n      - ${probe}\n`;
  const services = plan.map(
    ({ name, vip, port, servers }) =>
      `  ${name}:\n    listen: ${vip}:${port}\n    scheduler: wlc\n    forward: nat\n    servers:\n${servers
        .map((server) => `      - ${server}:${SERVER_PORT}\n`)
        .join("")}${checks}`,
  );
  return `defaults:
  check: { interval: 1s, timeout: 1s, rise: 1, fall: 2 }
services:
${services.join("")}`;
}

/** The same in keepalived's words: `retry 1` is a second failure in a row, a second later. */
export function toKeepalived(plan: readonly PlannedService[], check: CheckKind): string {
  return `global_defs {\n  router_id bench\n}\n${virtualServers(plan, check)}`;
}

/** The blocks `virtual_server` alone. */
export function virtualServers(plan: readonly PlannedService[], check: CheckKind): string {
  const timing = "connect_timeout 1\n      retry 1\n      delay_before_retry 1";
  const probe =
    check === "none"
      ? ""
      : check === "tcp"
        ? `    TCP_CHECK {\n      ${timing}\n    }\n`
        : `    HTTP_GET {\n      url {\n        path /\n        status_code 200\n      }\n      ${timing}\n    }\n`;
  const services = plan.map(
    ({ vip, port, servers }) =>
      `virtual_server ${vip} ${port} {\n  delay_loop 1\n  lvs_sched wlc\n  lvs_method NAT\n  protocol TCP\n${servers
        .map((server) => `  real_server ${server} ${SERVER_PORT} {\n    weight 1\n${probe}  }\n`)
        .join("")}}\n`,
  );
  return services.join("");
}
