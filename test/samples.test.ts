// What the pages show of a screen is what the program prints: drawn here from what it is drawn from in operation.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeChanges } from "../src/app/describe-changes.ts";
import { directorStatus as judgedStatus } from "../src/app/director-status.ts";
import { reloadEvent } from "../src/app/event-facts.ts";
import { DAEMON_BASIS } from "../src/app/planner.ts";
import { VerdictLog } from "../src/app/verdict-log.ts";
import { EventLines } from "../src/cli/events-view.ts";
import { renderFindings } from "../src/cli/findings-view.ts";
import { renderStatus } from "../src/cli/status-view.ts";
import { diffModels } from "../src/config/diff.ts";
import type { DirectorConfig } from "../src/config/model.ts";
import type { ServerStatus } from "../src/control/status.ts";
import { diagnose } from "../src/doctor/diagnose.ts";
import { initialDrill } from "../src/drill/drill.ts";
import { defaultLimits } from "../src/drill/limits.ts";
import type { Sample } from "../src/drill/model.ts";
import { renderReport, reportOf } from "../src/drill/report.ts";
import { type Decision, decide } from "../src/health/weights.ts";
import { planAddresses } from "../src/plan/addresses.ts";
import { startDecisions } from "../src/plan/decisions.ts";
import { joinPlan } from "../src/plan/model.ts";
import { planServices } from "../src/plan/services.ts";
import { planSync } from "../src/plan/sync.ts";
import { planLines } from "../src/plan/text.ts";
import type { EventFacts } from "../src/ports/logger.ts";
import { load } from "./config/support.ts";
import { shownUnder } from "./support/document-parts.ts";
import { ROOT, textOf } from "./support/documents.ts";
import { eventOf } from "./support/few-events.ts";
import { run } from "./support/instance-cells.ts";
import { plainPaint } from "./support/paint.ts";
import { checkStatus, directorStatus, instanceStatus, serverStatus, serviceStatus } from "./support/status.ts";
import { rs, web } from "./support/virtual-service.ts";
import { WELL } from "./support/well-machine.ts";

const SECOND_US = 1_000_000;
const NOW_MS = Date.parse("2026-01-31T04:03:07.410Z");
const [MINUTE, HOUR, DAY] = [60, 3_600, 86_400];
const OPERATIONS = "docs/operations.md";

const ago = (seconds: number): string => new Date(NOW_MS - seconds * 1_000).toISOString();

function configOf(yaml: string): DirectorConfig {
  const loaded = load(yaml);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error[0]?.message);
  return loaded.value.config;
}

/** UPDATE_FIXTURES=1 writes what is printed into the page. */
function assertShown(page: string, heading: RegExp, printed: string): void {
  const shown = shownUnder(page, heading);
  if (process.env.UPDATE_FIXTURES === "1")
    writeFileSync(
      join(ROOT, page),
      textOf(page).replace(shown, () => printed),
    );
  assert.equal(shownUnder(page, heading), printed);
}

/** Why a backup that leaves masters alone became master: the other one fell silent. */
function masterFellSilent(): string {
  const parameters = { priority: 150, advertIntervalUs: SECOND_US, preempt: { mode: "never" } } as const;
  const { state } = run(
    parameters,
    { type: "start", nowUs: 0, resumes: false, isResting: false, fault: null, source: "192.0.2.2" },
    { type: "advert", nowUs: SECOND_US, source: "192.0.2.3", priority: 100, intervalUs: SECOND_US },
    { type: "tick", nowUs: 5 * SECOND_US - 585_937 },
  );
  assert.equal(state.phase, "master");
  return state.reason;
}

const UNWELL = "status 503, expected 200-299";
const standing = (verdict: "up" | "down") => ({ name: "http", verdict, reason: UNWELL, scriptWeight: null });
const POLICY = { weight: 1, onDown: "remove" } as const;
const UP: Decision = decide(POLICY, [standing("up")]);
const DOWN: Decision = decide(POLICY, [standing("down")]);

describe("samples in the documents", () => {
  it("the screen of `holdfast status`", () => {
    const yaml = ["api", "web"].map((name, index) => {
      const servers = [11, 12, 13, 14, 15, 16].map((host) => `10.0.${2 - index}.${host}:80`);
      return `  ${name}: { listen: "192.0.2.10:${82 - index}", servers: [${servers.map((each) => `"${each}"`).join()}] }\n`;
    });
    const config = configOf(`node: lb1\nservices:\n${yaml.join("")}`);
    const isDown = (server: string): boolean => /^10\.0\.2\.1[34]:/.test(server);
    const services = config.services.map(({ name, servers, listen: [at] }, index) => {
      const rows = servers.map(({ address, port }): ServerStatus => {
        const server = `${address}:${port}`;
        if (!isDown(server)) return serverStatus(server, { connections: { active: 12 + 12 * index, inactive: 0 } });
        const checks = [checkStatus({ verdict: "down", last: UNWELL })];
        return serverStatus(server, { ...DOWN, since: ago(3 * MINUTE), connections: null, checks });
      });
      return { ...serviceStatus(name, rows), listen: [`tcp://${at?.address}:${at?.port}`] };
    });
    const known = directorStatus({
      startedAt: ago(3 * DAY),
      config: { file: "/etc/holdfast/holdfast.yaml", loadedAt: ago(2 * HOUR), confirmBy: null, isReverted: false },
      instances: [
        instanceStatus({
          since: ago(2 * DAY),
          reason: masterFellSilent(),
          heard: { address: "192.0.2.3", priority: 100, at: ago(2 * DAY) },
        }),
      ],
      services,
    });
    const options = { nowMs: NOW_MS, paint: plainPaint, columns: null, rows: null, all: false, service: null };
    assertShown(OPERATIONS, /holdfast status/, renderStatus(judgedStatus(known, config, []), options));
  });

  it("the lines of `holdfast events`", () => {
    const told: EventFacts[] = [];
    const log = new VerdictLog({ log: ({ event }) => void (event !== undefined && told.push(event)) });
    log.tell({ service: "api", server: "10.0.2.13:80", from: UP, to: DOWN });
    const weighted = (weight: number) =>
      configOf(
        `services: { web: { listen: "192.0.2.10:80", servers: [{ address: "10.0.0.12:80", weight: ${weight} }] } }`,
      );
    const facts: readonly (readonly [string, Partial<EventFacts> | undefined])[] = [
      ["04:00:00.123", { type: "instance", subject: "instance web4", cause: masterFellSilent() }],
      ["04:00:07.410", told[0]],
      ["04:02:11.002", reloadEvent("applied", describeChanges(diffModels(weighted(1), weighted(2))).join("; "))],
    ];
    const events = facts.map(([time, change]) => eventOf(Date.parse(`2026-01-31T${time}Z`), change));
    assertShown(OPERATIONS, /holdfast events/, new EventLines(plainPaint, "UTC").render(events));
  });

  it("the plan before a reload", () => {
    const configured = (servers: string) =>
      configOf(`
vrrp: { instances: { web4: { interface: eth0, vrid: 51, priority: 150, addresses: [192.0.2.10/24] } } }
services:
  web: { listen: "192.0.2.10:80", scheduler: wrr, forward: dr, servers: [${servers}] }
`);
    const before = configured('"10.0.0.11:80", "10.0.0.12:80"');
    const after = configured(
      '{ address: "10.0.0.11:80", weight: 5 }, { address: "10.0.0.13:80", weight: 2 }, { address: "10.0.0.14:80", checks: [tcp] }',
    );
    const counted = { activeConnections: 500, inactiveConnections: 0, persistentConnections: 0 };
    const destinations = [rs(11), rs(12)].map((each) => ({ ...each, counters: counted }));
    const observed = { services: [{ ...web([]), destinations }], foreignServices: 0 };
    const now = { observed, owned: new Set(["tcp://192.0.2.10:80"]) };
    const services = planServices(after.services, startDecisions(after.services, observed.services), now);
    const vip = { interface: "eth0", address: { address: "192.0.2.10", prefixLength: 24 }, isOwn: true };
    const phases = new Map([["web4", "master" as const]]);
    const plan = joinPlan(
      [
        ...services,
        ...planAddresses(after.instances, [vip], phases),
        planSync(null, { present: [], hasInterface: true, isOurs: false }, phases, { hasInstances: true }),
      ],
      { basis: DAEMON_BASIS, configuration: describeChanges(diffModels(before, after)) },
    );
    assertShown(OPERATIONS, /holdfast plan/, `${planLines(plan).join("\n")}\n`);
  });

  it("a finding of the doctor", () => {
    const config = configOf(`
vrrp: { instances: { web4: { interface: eth0, vrid: 51, priority: 150, addresses: [192.0.2.100/32] } } }
services: { web: { listen: "192.0.2.100:80", forward: dr, servers: ["192.0.2.21:80"] } }
`);
    const heard = { interface: "eth0", macs: ["02:00:00:00:00:15"] };
    const facts = {
      ...WELL,
      virtualAnswers: [{ ...heard, address: "192.0.2.100" }],
      serverAnswers: [{ ...heard, address: "192.0.2.21" }],
    };
    const findings = diagnose(config, facts, { hmac: () => new Uint8Array(32), keys: {} });
    assertShown("docs/doctor.md", /^The doctor$/, renderFindings(findings, plainPaint));
  });

  it("the report of a drill", () => {
    const [intervalUs, everyUs, slackUs] = [SECOND_US, 10_000, 5_000];
    // Answers of the prober: silence from the event on, and one late answer when the address comes back.
    const [silentFrom, answeredFrom, late] = [201, 541, 664];
    const tookUs = (id: number): number | null => {
      if (id >= silentFrom && id < answeredFrom) return null;
      if (id === answeredFrom) return 800;
      return id === late ? 3_800 : 200;
    };
    const samples: readonly Sample[] = Array.from({ length: 1_129 }, (_, id) => {
      const took = tookUs(id);
      return { id, sentUs: id * everyUs, tookUs: took, reason: took === null ? "timeout" : "" };
    });
    const settings = {
      kind: "takeover",
      instance: "web4",
      advertIntervalUs: intervalUs,
      probe: { target: "http://192.0.2.10/healthz", everyUs, timeoutUs: SECOND_US },
      limits: defaultLimits("takeover", { advertIntervalUs: intervalUs, everyUs, peerPriority: 100 }),
      returns: true,
    } as const;
    const eventUs = silentFrom * everyUs - slackUs;
    const returnUs = 663 * everyUs - slackUs;
    const state = {
      ...initialDrill(0),
      offsetUs: 0,
      marks: { eventUs, returnUs, returnedUs: returnUs + everyUs, endUs: samples.length * everyUs - slackUs },
      successor: "192.0.2.12",
      tookUs: 3_399_000,
    };
    const heading = {
      id: "20261126T192427Z-web4",
      startedAt: "2026-11-26T19:24:27.988Z",
      node: "lb1",
      askedBy: "a person",
      viewpoint: { from: "root@client1", isLocal: false },
    };
    assertShown("docs/drills.md", /^Drills$/, renderReport(reportOf(heading, settings, state, samples)));
  });
});
