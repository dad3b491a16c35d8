import { Histogram, NO_SPREAD } from "../../src/base/histogram.ts";
import type { CheckStatus, DirectorStatus, InstanceStatus, ServerStatus } from "../../src/control/status.ts";
import type { ServerTraffic, Traffic } from "../../src/ipvs/traffic.ts";
import { EventCounts } from "../../src/metrics/event-counts.ts";
import type { MetricsSnapshot } from "../../src/metrics/snapshot.ts";
import { checkStatus, directorStatus, instanceStatus, serverStatus, T0 } from "./status.ts";

function check(name: string, change: Partial<CheckStatus> = {}): CheckStatus {
  const nothing = { last: null, latencyUs: null, attempts: 0, failed: 0, notRun: 0, latencySumUs: 0 };
  return checkStatus({ name, ...nothing, ...change });
}

function server(address: string, change: Partial<ServerStatus> = {}): ServerStatus {
  return serverStatus(address, { why: "", connections: null, checks: [check("tcp")], ...change });
}

function instance(): InstanceStatus {
  const advert = new Histogram();
  for (const us of [40, 70, 2_500]) advert.record(us);
  return instanceStatus({
    since: T0,
    priority: 130,
    priorityText: "150 - 20 (interface eth1 is down)",
    track: [{ what: "interface eth1", weight: -20, isPassing: false, effect: -20, state: "interface eth1 is down" }],
    heard: { address: "192.0.2.3", priority: 100, at: T0 },
    counters: {
      advertsSent: 100,
      advertsReceived: 7,
      sendErrors: 0,
      becameMaster: 2,
      handovers: 1,
      strayPackets: 3,
      transitions: [{ from: "backup", to: "master", reason: "no_master", count: 2 }],
      rejected: { ttl: 4 },
      checksumForms: { "pseudo-header": 7 },
      events: { split_brain: 1 },
    },
    lateness: { advert: advert.spread(), down: NO_SPREAD, other: NO_SPREAD },
  });
}

const WEB: Traffic = {
  listen: "tcp://192.0.2.10:80",
  connections: 9,
  packetsIn: 90,
  bytesIn: 900,
  packetsOut: null,
  bytesOut: null,
};
const SERVER: ServerTraffic = { ...WEB, connections: 5, packetsOut: 50, bytesOut: 500, active: 2, inactive: 3 };

/** A director that shows something of everything. */
export function sampleStatus(): DirectorStatus {
  const attempts = { attempts: 10, failed: 3, notRun: 1, latencySumUs: 25_000, latencyUs: 2_000 };
  return directorStatus({
    program: "1.2.3",
    health: "degraded",
    problems: ["instance web4: interface eth1 is down, priority 130"],
    processes: [
      { name: "vrrp", state: "running", pid: 2, restarts: 1 },
      { name: "checker", state: "restarting", pid: null, restarts: 4 },
    ],
    instances: [instance()],
    services: [
      {
        name: "web",
        listen: ["tcp://192.0.2.10:80"],
        scheduler: "wlc",
        forward: "nat",
        servers: [
          server("10.0.0.11:80", { weight: 3, checks: [check("tcp", attempts)] }),
          server("10.0.0.12:80", { verdict: "down", present: false, checks: [check("tcp", { verdict: "down" })] }),
          server("10.0.0.13:80", { verdict: "unknown", present: false, weight: 0 }),
        ],
      },
    ],
    sync: { instance: "web4", interface: "eth1", id: 1, role: "master+backup", note: "" },
    schedules: [
      {
        name: "monthly drill",
        cron: "0 4 1 * *",
        timezone: "UTC",
        action: "handover drill of web4",
        next: ["2026-02-01T04:00:00.000Z"],
        lastRun: { at: T0, isGood: false, cause: "" },
        missed: { count: 2, last: T0, why: "no daemon was running" },
      },
    ],
    drift: { mode: "repair", repairs: 2, differences: 0, examples: [], since: null },
  });
}

export function sampleSnapshot(status = sampleStatus()): MetricsSnapshot {
  return {
    status,
    serviceTraffic: () => [WEB],
    serverTraffic: (_, address) => (address === "10.0.0.11:80" ? [SERVER] : []),
    events: new EventCounts(() => Date.parse(T0)),
    processes: [
      {
        name: "supervisor",
        usage: { cpuSeconds: 1.5, residentBytes: 4096, openFiles: 20, startTime: 1 },
        messages: null,
      },
      {
        name: "vrrp",
        usage: { cpuSeconds: 0.5, residentBytes: 2048, openFiles: null, startTime: 2 },
        messages: { sent: 5, received: 6 },
      },
      { name: "checker", usage: null, messages: null },
    ],
  };
}
