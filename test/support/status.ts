import { NO_SPREAD } from "../../src/base/histogram.ts";
import type {
  CheckStatus,
  DirectorStatus,
  InstanceStatus,
  ServerStatus,
  ServiceStatus,
} from "../../src/control/status.ts";

/** When everything of a status in a test began. */
export const T0 = "2026-01-01T00:00:00.000Z";

export function at(seconds: number): string {
  return new Date(Date.parse(T0) + seconds * 1000).toISOString();
}

export function checkStatus(change: Partial<CheckStatus> = {}): CheckStatus {
  return {
    name: "http",
    verdict: "up",
    since: T0,
    last: "status 200",
    latencyUs: 900,
    attempts: 30,
    failed: 0,
    notRun: 0,
    latencySumUs: 27_000,
    ...change,
  };
}

export function serverStatus(server: string, change: Partial<ServerStatus> = {}): ServerStatus {
  return {
    server,
    verdict: "up",
    since: T0,
    present: true,
    weight: 1,
    why: "configured weight",
    connections: { active: 12, inactive: 30 },
    override: null,
    checks: [checkStatus()],
    ...change,
  };
}

/** One that its check took out. */
export function downServer(server: string, change: Partial<ServerStatus> = {}): ServerStatus {
  return serverStatus(server, {
    verdict: "down",
    since: at(60),
    present: false,
    weight: 0,
    why: "http failed 3 times in a row",
    connections: null,
    checks: [checkStatus({ verdict: "down", last: "status 503, expected 200-299" })],
    ...change,
  });
}

export function serviceStatus(name: string, servers: readonly ServerStatus[]): ServiceStatus {
  return { name, listen: ["tcp://192.0.2.10:80"], scheduler: "wrr", forward: "dr", servers };
}

export function instanceStatus(change: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    name: "web4",
    interface: "eth0",
    vrid: 51,
    transport: "multicast",
    isSigned: false,
    phase: "master",
    since: at(10),
    reason: "no master was heard",
    priority: 150,
    basePriority: 150,
    priorityText: "150",
    track: [],
    group: null,
    advertIntervalUs: 1_000_000,
    isResting: false,
    isHandingOver: false,
    isSilent: false,
    source: "192.0.2.2",
    addresses: ["192.0.2.10/24"],
    held: ["192.0.2.10/24"],
    refused: [],
    heard: null,
    counters: {
      advertsSent: 3,
      advertsReceived: 0,
      sendErrors: 0,
      handovers: 0,
      strayPackets: 0,
      transitions: [{ from: "backup", to: "master", reason: "nobody_heard", count: 1 }],
      becameMaster: 1,
      rejected: {},
      checksumForms: {},
      events: {},
    },
    lateness: {
      advert: { ...NO_SPREAD, count: 3, p50Us: 60, p99Us: 80, p999Us: 80, maxUs: 80 },
      down: { ...NO_SPREAD, count: 1, p50Us: 1_250, p99Us: 1_250, p999Us: 1_250, maxUs: 1_250 },
      other: NO_SPREAD,
    },
    ...change,
  };
}

export function directorStatus(change: Partial<DirectorStatus> = {}): DirectorStatus {
  return {
    version: 1,
    node: "lb1",
    program: "0.1.0",
    pid: 1,
    startedAt: T0,
    config: { file: "/etc/holdfast/holdfast.yaml", loadedAt: T0, confirmBy: null, isReverted: false },
    health: "healthy",
    problems: [],
    processes: [
      { name: "vrrp", state: "running", pid: 2, restarts: 0 },
      { name: "checker", state: "running", pid: 3, restarts: 0 },
    ],
    instances: [instanceStatus()],
    services: [serviceStatus("web", [serverStatus("10.0.0.11:80"), serverStatus("10.0.0.12:80")])],
    sync: null,
    drift: null,
    kernel: null,
    schedules: [],
    ...change,
  };
}
