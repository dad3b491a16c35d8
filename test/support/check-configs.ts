import type { CheckTarget } from "../../src/checks/checker.ts";
import type {
  HttpCheckConfig,
  ScriptCheckConfig,
  ServerConfig,
  ServiceConfig,
  TcpCheckConfig,
  TlsConfig,
} from "../../src/config/model.ts";
import { serviceConfig } from "./service-config.ts";

const COMMON = { intervalUs: 1_000_000, timeoutUs: 500_000, rise: 2, fall: 3 };

export function tcpCheck(options: Partial<TcpCheckConfig> = {}): TcpCheckConfig {
  return { ...COMMON, type: "tcp", name: "tcp", port: null, ...options };
}

export function httpCheck(options: Partial<HttpCheckConfig> = {}): HttpCheckConfig {
  return {
    ...COMMON,
    type: "http",
    name: "http",
    port: null,
    method: "GET",
    path: "/",
    host: null,
    headers: {},
    expectStatus: [{ from: 200, to: 299 }],
    expectBody: null,
    maxBodyBytes: 65_536,
    tls: null,
    ...options,
  };
}

export function scriptCheck(options: Partial<ScriptCheckConfig> = {}): ScriptCheckConfig {
  return { ...COMMON, type: "script", name: "script", command: ["/bin/true"], setsWeight: false, ...options };
}

export function tls(options: Partial<TlsConfig> = {}): TlsConfig {
  return { verify: true, serverName: null, caFile: null, certFile: null, keyFile: null, ...options };
}

export function target(port: number, options: Partial<CheckTarget> = {}): CheckTarget {
  return { service: "web", check: "check", address: "127.0.0.1", port, family: 4, ...options };
}

export function server(port: number, options: Partial<ServerConfig> = {}): ServerConfig {
  return { address: "10.0.0.1", port, weight: 1, checks: [tcpCheck()], ...options };
}

export function service(servers: readonly ServerConfig[], options: Partial<ServiceConfig> = {}): ServiceConfig {
  return serviceConfig({ servers, ...options });
}
