import assert from "node:assert/strict";
import type { StatusViewOptions } from "../../src/cli/status-parts.ts";
import { renderStatus } from "../../src/cli/status-view.ts";
import type { WordPaint } from "../../src/cli/terminal.ts";
import type { DirectorStatus, InstanceStatus, ServerStatus } from "../../src/control/status.ts";
import { plainPaint } from "../support/paint.ts";
import {
  at,
  checkStatus,
  directorStatus,
  downServer,
  instanceStatus,
  serverStatus,
  serviceStatus,
} from "../support/status.ts";

const painted: WordPaint = {
  good: (text) => `\u001b[32m${text}\u001b[0m`,
  bad: (text) => `\u001b[31m${text}\u001b[0m`,
  dim: (text) => `\u001b[2m${text}\u001b[0m`,
  strong: (text) => `\u001b[1m${text}\u001b[0m`,
};

/** As of 125 s after everything began. */
function show(status: DirectorStatus, change: Partial<StatusViewOptions> = {}): string {
  const nowMs = Date.parse(at(125));
  return renderStatus(status, {
    nowMs,
    paint: plainPaint,
    columns: null,
    rows: null,
    all: false,
    service: null,
    ...change,
  });
}

const DEGRADED = directorStatus({
  health: "degraded",
  problems: ["service web: 1 of 2 servers down (10.0.0.12:80)"],
  services: [
    serviceStatus("dns", [serverStatus("10.0.0.21:53")]),
    serviceStatus("web", [
      serverStatus("10.0.0.11:80"),
      downServer("10.0.0.12:80", {
        checks: [checkStatus({ verdict: "down", last: "status 503\u001b[2J, expected 200-299" })],
      }),
    ]),
  ],
});

describe("holdfast status: the connection synchronisation", () => {
  const shown = (sync: DirectorStatus["sync"]) =>
    show(directorStatus({ sync, instances: [], services: [] }))
      .split("\n")
      .slice(2);
  const sync = { instance: "web4", interface: "eth1", id: 1, role: "backup", note: "" } as const;

  it("is not mentioned where it is not configured", () => assert.deepEqual(shown(null), []));
  it("says what it saves", () => {
    assert.deepEqual(shown(sync), [
      "CONNECTION SYNC  backup  follows web4 on eth1, id 1",
      "      knows the connections of the master that are older than 3 s",
      "",
    ]);
    assert.match(shown({ ...sync, role: "master+backup" })[1] ?? "", /younger than 3 s would be lost if it died/);
  });
  it("says what is wrong", () => {
    assert.deepEqual(shown({ ...sync, role: "none", note: "there is no\u001b eth1" }), [
      "CONNECTION SYNC  none  follows web4 on eth1, id 1",
      "      there is no  eth1",
      "",
    ]);
  });
});

describe("holdfast status: what an instance is up to", () => {
  const shown = (change: Partial<InstanceStatus>) => show(directorStatus({ instances: [instanceStatus(change)] }));

  it("the arithmetic of its priority, where something counts", () => {
    const part = {
      what: "interface eth1",
      weight: -20,
      isPassing: false,
      effect: -20,
      state: "interface eth1 is down",
    };
    const text = shown({ priority: 130, priorityText: "150 - 20 (interface eth1 is down)", track: [part] });
    assert.match(text, / {2}priority 130 {2}eth0 vrid 51 multicast\n/);
    assert.match(text, /\n {6}priority 130 = 150 - 20 \(interface eth1 is down\)\n/);
    assert.doesNotMatch(shown({ track: [{ ...part, isPassing: true, effect: 0 }] }), /priority 150 =/);
  });
  it("how it speaks", () => {
    assert.match(shown({ transport: "udp", isSigned: true }), / vrid 51 udp signed\n/);
  });
  it("its group, a handover, a rest", () => {
    assert.match(shown({ group: "edge", isHandingOver: true }), /\n {6}group edge; handing over\n/);
    assert.match(shown({ isResting: true }), /\n {6}resting: leaves a living master alone\n/);
  });
});

describe("status for people", () => {
  it("says whether it is fine, and what is not, since when and why", () => {
    assert.equal(
      show(DEGRADED),
      `lb1  degraded  holdfast 0.1.0, up 2m, /etc/holdfast/holdfast.yaml loaded 2m ago
  !  service web: 1 of 2 servers down (10.0.0.12:80)

INSTANCES
  web4  master  for 115s  192.0.2.10/24  priority 150  eth0 vrid 51 multicast
      no master was heard; no peer heard
      timers late by p99 (max): advert 80 µs (80 µs), down 1.3 ms (1.3 ms)

SERVICES  2 of 3 servers serving, 24 active connections
  web  tcp://192.0.2.10:80  wrr dr  1/2 serving  12 active
    10.0.0.12:80  down  for 65s  not in table    http failed 3 times in a row; http: status 503 [2J, expected 200-299
  dns  tcp://192.0.2.10:80  wrr dr  1/1 serving  12 active
`,
    );
  });

  it("the same with colours", () => {
    assert.equal(show(DEGRADED, { paint: painted }).replace(/\u001b\[\d+m/g, ""), show(DEGRADED));
    assert.match(show(DEGRADED, { paint: painted }), /\u001b\[31mdown\u001b\[0m/);
  });

  it("every server where all are asked for, or those of one service", () => {
    assert.equal(show(DEGRADED, { all: true }).match(/^ {4}10\./gm)?.length, 3);
    const web = show(DEGRADED, { service: "web" });
    assert.equal(web.match(/^ {4}10\./gm)?.length, 2);
    assert.doesNotMatch(web, /dns|INSTANCES/);
    assert.match(
      web,
      /10\.0\.0\.11:80 {2}up {4}for 2m {3}weight 1 {6}12 active {2}configured weight; http: status 200\n/,
    );
  });

  it("fits the screen: text goes on below, between words", () => {
    const lines = show(DEGRADED, { columns: 60 }).split("\n");
    assert.ok(Math.max(...lines.map((line) => line.length)) <= 60, lines.join("\n"));
    assert.match(
      lines.join("\n"),
      /not in table\n {8}http failed 3 times in a row; http: status 503 \[2J,\n {8}expected 200-299\n/,
    );
    assert.equal(lines.join(" ").replace(/\s+/g, " "), show(DEGRADED).replace(/\s+/g, " "), "and nothing is lost");
  });

  it("runs of the calendar that were missed, until one was good", () => {
    const schedule = { name: "night", cron: "0 4 * * *", timezone: "UTC", action: "reload", next: [], lastRun: null };
    const missed = { count: 2, last: at(0), why: "no daemon was running" };
    const shown = show(directorStatus({ schedules: [{ ...schedule, missed }] }));
    assert.match(
      shown,
      /\n {2}\? +schedule night: 2 runs were missed, the last at .+, because no daemon was running\n/,
    );
    assert.doesNotMatch(show(directorStatus({ schedules: [{ ...schedule, missed: null }] })), /schedule/);
  });

  it("what was repaired in the kernel's table is told", () => {
    const drift = { mode: "repair", repairs: 3, differences: 0, examples: [], since: null } as const;
    assert.match(show(directorStatus({ drift })), /active connections, drift repaired in 3 objects\n/);
    assert.doesNotMatch(show(directorStatus({ drift: { ...drift, repairs: 0 } })), /drift/);
  });

  it("a restarted process is told", () => {
    const processes = [{ name: "checker", state: "running", pid: 3, restarts: 2 }] as const;
    assert.match(show(directorStatus({ processes })), /up 2m, checker process restarted 2 times, \/etc/);
  });
});

describe("status for people: servers that do not serve, or not as usual", () => {
  const override = {
    type: "drain",
    state: "draining",
    weight: null,
    since: at(100),
    until: null,
    deadline: null,
    connections: 7,
    cut: null,
    reason: null,
    by: "root",
  } as const;
  const row = (server: ServerStatus) =>
    show(directorStatus({ services: [serviceStatus("web", [server])] })).match(/^ {4}10.*$/m)?.[0] ?? "";

  it("one that somebody drains", () => {
    const drained = serverStatus("10.0.0.11:80", { weight: 0, why: "draining by root; configured weight", override });
    assert.match(
      row(drained),
      /^ {4}10\.0\.0\.11:80 {2}draining {2}for 25s {2}weight 0 {2}12 active {2}draining by root; conf/,
    );
    const until = { ...override, until: new Date(2026, 0, 1, 18, 0).toISOString() };
    assert.match(row({ ...drained, override: until }), /; until .*18:00; http/);
  });
  it("one that is drained and down is down", () => {
    assert.match(row(downServer("10.0.0.11:80", { override })), / {2}down {2}for 65s {2}/);
  });
  it("one whose weight was set is shown although it serves", () => {
    const set = { ...override, type: "weight", state: "weight 5", weight: 5 } as const;
    assert.match(row(serverStatus("10.0.0.11:80", { weight: 5, override: set })), / {2}up {2}for 2m {2}weight 5/);
  });
  it("one that is configured with weight 0, and one that was not judged yet", () => {
    assert.match(row(serverStatus("10.0.0.11:80", { weight: 0 })), / {2}up {2}for 2m {2}weight 0/);
    const unknown = serverStatus("10.0.0.11:80", { verdict: "unknown", present: false, weight: 0 });
    assert.match(row(unknown), / {2}unknown {2}for 2m {2}not in table/);
  });
});

describe("status for people: ten thousand servers", () => {
  const many = (count: number, down: number) =>
    Array.from({ length: count }, (_, i) => {
      const server = `10.0.${i >> 8}.${i & 255}:80`;
      return i < down ? downServer(server) : serverStatus(server);
    });
  const lines = (status: DirectorStatus) => show(status, { columns: 80 }).trimEnd().split("\n");

  it("fit on a screen where all is well", () => {
    const services = Array.from({ length: 100 }, (_, i) => serviceStatus(`s${i}`, many(100, 0)));
    const shown = lines(directorStatus({ services }));
    assert.ok(shown.length < 30, shown.join("\n"));
    assert.match(shown.join("\n"), /SERVICES {2}10,000 of 10,000 servers serving, 120,000 active connections/);
    assert.equal(shown.at(-1), "  and 80 more with every server serving (--all shows them)");
  });
  it("and where most are down: the first of them, counts of the rest, services in trouble first", () => {
    const services = [serviceStatus("fine", many(10, 0)), serviceStatus("big", many(9_990, 9_000))];
    const problems = Array.from({ length: 15 }, (_, i) => `problem ${i}`);
    const shown = lines(directorStatus({ services, problems }));
    assert.ok(shown.length < 45, shown.join("\n"));
    assert.match(shown.join("\n"), /problem 9\n {5}and 5 more\n/);
    assert.match(shown.join("\n"), /\n {4}and 8,990 down \(--service big shows all\)\n {2}fine/);
  });
  it("and where every service is in trouble", () => {
    const services = Array.from({ length: 100 }, (_, i) => serviceStatus(`s${i}`, many(100, 3)));
    const shown = lines(directorStatus({ services }));
    assert.equal(shown.at(-1), "  and 80 more with servers that do not serve");
    assert.match(
      shown.join("\n"),
      /\n {2}s7 .*\n {4}10\.0\.0\.0:80 {2}down .*\n {8}.*\n {4}and 2 down \(--service s7 shows all\)\n {2}s8 /,
    );
    assert.ok(shown.length < 110, shown.join("\n"));
  });
  it("and where ten services lose some: each shows two of them", () => {
    const services = Array.from({ length: 10 }, (_, i) => serviceStatus(`s${i}`, many(1_000, 27)));
    const problems = services.map(
      ({ name }) => `service ${name}: 27 of 1000 servers down (10.0.0.0:80, 10.0.0.1:80 …)`,
    );
    const shown = lines(directorStatus({ services, problems }));
    assert.ok(shown.length < 90, shown.join("\n"));
    assert.equal(shown.filter((line) => /^ {4}10\./.test(line)).length, 20);
  });
  it("on a screen that does not scroll, problems leave room for who is master", () => {
    const problems = Array.from(
      { length: 10 },
      (_, i) => `service s${i}: 27 of 1000 servers down ${"(10.0.0.0:80) ".repeat(5)}`,
    );
    const shown = show(directorStatus({ problems }), { columns: 80, rows: 24 }).split("\n");
    // A third of the lines: four problems, two lines each.
    assert.match(shown[7] ?? "", /^ {2}! {2}service s3: /);
    assert.deepEqual(shown.slice(9, 12), ["     and 6 more", "", "INSTANCES"]);
    const tiny = show(directorStatus({ problems }), { columns: 80, rows: 3 });
    assert.match(tiny, /service s0.*\n.*\n {5}and 9 more\n/);
  });
  it("what a reason says already is not said again", () => {
    const last = "10.0.0.11:80 refused the connection";
    const down = downServer("10.0.0.11:80", {
      why: `tcp fails: ${last}`,
      checks: [
        checkStatus({ name: "tcp", verdict: "down", last }),
        checkStatus({ name: "http", verdict: "down", last: null }),
      ],
    });
    assert.match(
      show(directorStatus({ services: [serviceStatus("web", [down])] })),
      / {4}tcp fails: 10\.0\.0\.11:80 refused the connection; http: no attempt yet\n/,
    );
  });

  it("says until when a reload is to be confirmed", () => {
    const status = directorStatus({});
    const waiting = { ...status, config: { ...status.config, confirmBy: at(300) } };
    assert.match(
      show(waiting),
      /^ {2}\? +the configuration undoes itself at .*\d\d:\d\d unless you run `holdfast confirm`$/m,
    );
    assert.doesNotMatch(show(status), /undoes itself/);
  });
});
