import assert from "node:assert/strict";
import fc from "fast-check";
import type { ServerConfig, ServiceConfig } from "../../src/config/model.ts";
import type { Override } from "../../src/health/overrides.ts";
import { applyOperations } from "../../src/ipvs/apply.ts";
import { desiredTable } from "../../src/ipvs/desired.ts";
import { diff } from "../../src/ipvs/diff.ts";
import { serviceKey } from "../../src/ipvs/keys.ts";
import type { CurrentTable, ObservedTable } from "../../src/ipvs/observed.ts";
import { knownDecisions, overruled, startDecisions } from "../../src/plan/decisions.ts";
import { joinPlan, stepOf } from "../../src/plan/model.ts";
import { planServices } from "../../src/plan/services.ts";
import { planLines, summaryLine } from "../../src/plan/text.ts";
import { arbitraryTable } from "../support/arbitrary-ipvs.ts";
import { scriptCheck, tcpCheck } from "../support/check-configs.ts";
import { serviceConfig } from "../support/service-config.ts";
import { rs, web } from "../support/virtual-service.ts";

const BASIS = { basis: "as tests say" };
const WEB = "tcp://192.0.2.10:80";

/** A table as read from the kernel, with so many connections on each server. */
function observed(table: CurrentTable, established = 0, other = 0): ObservedTable {
  const counters = { activeConnections: established, inactiveConnections: other, persistentConnections: 0 };
  const services = table.map((service) => ({
    ...service,
    destinations: service.destinations.map((destination) => ({ ...destination, counters })),
  }));
  return { services, foreignServices: 0 } as ObservedTable;
}

function serverConfig(host: number, part: Partial<ServerConfig> = {}): ServerConfig {
  return { address: `10.0.0.${host}`, port: 80, weight: 1, checks: [], ...part };
}

function service(servers: readonly ServerConfig[], part: Partial<ServiceConfig> = {}): ServiceConfig {
  return serviceConfig({ scheduler: "wrr", forward: "dr", servers, ...part });
}

function planOf(services: readonly ServiceConfig[], table: ObservedTable, owned: readonly string[] = [WEB]) {
  const decisions = startDecisions(services, table.services);
  return joinPlan(planServices(services, decisions, { observed: table, owned: new Set(owned) }), BASIS);
}

describe("plan/services", () => {
  it("reads like a diff, and names the connections that a removal cuts", () => {
    const now = observed([web([rs(1), rs(2), rs(3)]), web([rs(9)], { port: 25 }), web([], { port: 53 })], 12, 3);
    const services = [service([serverConfig(1), serverConfig(2, { weight: 5 }), serverConfig(4)])];
    assert.deepEqual(planLines(planOf(services, now, [WEB, "tcp://192.0.2.10:53"])), [
      "  as tests say",
      "",
      `  service web, ${WEB}`,
      "+   server 10.0.0.4:80: dr weight 1",
      "~   server 10.0.0.2:80: dr weight 1 -> dr weight 5",
      "-   server 10.0.0.3:80: dr weight 1; cuts 12 established connections and 3 that begin or end",
      "",
      "  tcp://192.0.2.10:53, not configured any more",
      "-   service: wrr",
      "",
      "  services of others",
      "    tcp://192.0.2.10:25 is left alone",
      "",
      "plan: 1 to add, 1 to change, 2 to remove; cuts 12 established connections and 3 that begin or end",
    ]);
  });

  it("says of a whole service how many connections end with it, and of weight 0 that they go on", () => {
    const gone = planOf([], observed([web([rs(1), rs(2)])], 7, 0));
    assert.deepEqual(gone.summary, {
      add: 0,
      change: 0,
      remove: 1,
      cuts: { established: 14, other: 0 },
      hasChanges: true,
    });
    const drained = planOf([service([serverConfig(1, { weight: 0 })])], observed([web([rs(1)])], 7, 2));
    assert.equal(drained.summary.cuts.established, 0);
    assert.equal(drained.groups[0]?.steps[0]?.remark, "takes no new connections; 7 established go on");
  });

  it("at a start, takes what serves as up, what has no checks as well, and names what is checked first", () => {
    const checks = [tcpCheck()];
    const services = [service([serverConfig(1, { checks, weight: 3 }), serverConfig(2, { checks }), serverConfig(3)])];
    const plan = planOf(services, observed([web([rs(1)])]));
    assert.deepEqual(
      plan.groups[0]?.steps.map(({ type, subject, to }) => [type, subject, to]),
      [
        ["add", "server 10.0.0.3:80", "dr weight 1"],
        ["change", "server 10.0.0.1:80", "dr weight 3"],
      ],
    );
    assert.deepEqual(plan.groups[0]?.notes, [
      "server 10.0.0.2:80 is checked first and stays out of the table until it passes",
    ]);
  });

  it("by what a daemon knows: down stays out, scripts keep their weight, others get the configured one", () => {
    const checks = [tcpCheck()];
    const scripted = [scriptCheck({ setsWeight: true })];
    const services = [
      service([
        serverConfig(1, { checks, weight: 9 }),
        serverConfig(2, { checks }),
        serverConfig(3, { checks: scripted, weight: 2 }),
      ]),
    ];
    const known = new Map(
      [
        { verdict: "up", present: true, weight: 1, why: "all checks pass" } as const,
        { verdict: "down", present: false, weight: 0, why: "tcp fails: refused" } as const,
        { verdict: "up", present: true, weight: 77, why: "script sets weight 77" } as const,
      ].map((server, index) => [`web 10.0.0.${index + 1}:80`, server]),
    );
    const table = observed([web([rs(1), rs(3)])]);
    const decisions = knownDecisions(services, known, table.services);
    const plan = joinPlan(planServices(services, decisions, { observed: table, owned: new Set([WEB]) }), BASIS);
    assert.deepEqual(
      plan.groups[0]?.steps.map(({ subject, to }) => [subject, to]),
      [
        ["server 10.0.0.1:80", "dr weight 9"],
        ["server 10.0.0.3:80", "dr weight 77"],
      ],
    );
    assert.deepEqual(plan.groups[0]?.notes, [
      "server 10.0.0.2:80 is down and stays out of the table: tcp fails: refused",
    ]);
  });

  it("keeps to what people ordered over the checks, at a start and with a daemon", () => {
    const services = [service([1, 2, 3, 4].map((host) => serverConfig(host, { checks: [tcpCheck()] })))];
    const table = observed([web([rs(1, { weight: 0 }), rs(3)])], 2);
    const common = { sinceMs: 1, untilMs: null, reason: "new kernel", by: "ann" };
    const drain = { ...common, type: "drain", deadlineMs: null, drained: null } as const;
    const overrides = new Map<string, Override>([
      ["web 10.0.0.1:80", drain],
      ["web 10.0.0.2:80", { ...drain, drained: { atMs: 2, cut: 0 } }],
      ["web 10.0.0.3:80", { ...common, type: "weight", weight: 5 }],
      ["web 10.0.0.4:80", { ...common, type: "disable" }],
    ]);
    const up = { verdict: "up", present: true, weight: 1, why: "all checks pass" } as const;
    const known = new Map([1, 2, 3, 4].map((host) => [`web 10.0.0.${host}:80`, up]));
    const told = [
      startDecisions(services, table.services, overrides),
      knownDecisions(services, known, table.services, overrides),
    ].map((decisions) => {
      const ruled = overruled(services, decisions, overrides);
      const plan = joinPlan(planServices(services, ruled, { observed: table, owned: new Set([WEB]) }), BASIS);
      return [plan.groups[0]?.steps.map(({ subject, to }) => `${subject} ${to}`), plan.groups[0]?.notes];
    });
    const steps = ["server 10.0.0.3:80 dr weight 5"];
    assert.deepEqual(told[1], [
      steps,
      [
        "server 10.0.0.1:80 gets no new connections: draining, by ann (new kernel); all checks pass",
        "server 10.0.0.2:80 gets no new connections: drained by ann (new kernel); all checks pass",
        "server 10.0.0.4:80 gets no new connections: disabled by ann (new kernel); all checks pass",
      ],
    ]);
    assert.deepEqual(told[0]?.[0], steps, "the draining one keeps its connections at a start");
  });

  it("names a service that somebody else made and that is configured here, and calls that no change", () => {
    const plan = planOf([service([serverConfig(1)])], observed([web([rs(1)])]), []);
    assert.equal(plan.summary.hasChanges, false);
    assert.match(plan.groups[0]?.notes.join() ?? "", /put there by somebody else/);
    assert.equal(summaryLine(plan), "nothing to do: the kernel is as configured");
  });

  it("leaves nothing to do once it was carried out, from any table to any other", () => {
    fc.assert(
      fc.property(arbitraryTable(), arbitraryTable(), (before, wanted) => {
        const services = wanted.map(
          (one, index): ServiceConfig =>
            serviceConfig({
              name: `service${index}`,
              listen: [{ protocol: one.protocol, address: one.address, port: one.port }],
              scheduler: one.scheduler as ServiceConfig["scheduler"],
              hashFallback: one.flags.fallback,
              hashPort: one.flags.port,
              persistence: one.persistence,
              servers: one.destinations.map(({ address, port, weight }) => ({ address, port, weight, checks: [] })),
            }),
        );
        const owned = new Set(before.map(serviceKey));
        const now = observed(before, 1);
        const plan = planOf(services, now, [...owned]);
        const desired = desiredTable(services, startDecisions(services, before));
        const { table, refused } = applyOperations(before, diff(before, desired, owned));
        assert.deepEqual(refused, []);
        const { add, change, remove } = plan.summary;
        assert.equal(add + change + remove > 0, JSON.stringify(table) !== JSON.stringify(before));
        assert.equal(planOf(services, observed(table), [...owned]).summary.hasChanges, false);
      }),
    );
  });

  it("is made in no time for ten thousand servers that all change", () => {
    const hosts = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 12}.${(i >> 6) & 63}.${(i & 63) + 1}`);
    const now = observed([web(hosts.map((address) => ({ ...rs(1), address })))], 2, 1);
    const servers = hosts.slice(5_000).map((address) => ({ address, port: 80, weight: 7, checks: [] }));
    const plan = planOf([service(servers)], now);
    const cuts = { established: 10_000, other: 5_000 };
    assert.deepEqual(plan.summary, { add: 0, change: 5_000, remove: 5_000, cuts, hasChanges: true });
    assert.equal(planLines(plan).length, 10_005);
  });

  it("counts lines that change nothing where there are many, and lists every change", () => {
    const notes = Array.from({ length: 12 }, (_, i) => `server 10.0.0.${i}:80 is down and stays out of the table`);
    const steps = notes.map((_, i) => stepOf(`server 10.0.1.${i}:80`, null, "dr weight 1"));
    const lines = planLines(joinPlan([{ section: "services", title: "service web", steps, notes }], { basis: "" }));
    assert.equal(lines.filter((line) => line.startsWith("+ ")).length, 12);
    assert.deepEqual(lines.slice(-4, -2), [`    ${notes[9]}`, "    and 2 more such lines (--json has them)"]);
  });
});
