import assert from "node:assert/strict";
import { NO_SPREAD } from "../../src/base/histogram.ts";
import { renderStatus } from "../../src/cli/status-view.ts";
import type { WordPaint } from "../../src/cli/terminal.ts";
import type { DirectorStatus } from "../../src/control/status.ts";

const plain: WordPaint = { good: String, bad: String, dim: String, strong: String };
const painted: WordPaint = {
  good: (text) => `\u001b[32m${text}\u001b[0m`,
  bad: (text) => `\u001b[31m${text}\u001b[0m`,
  dim: (text) => `\u001b[2m${text}\u001b[0m`,
  strong: (text) => `\u001b[1m${text}\u001b[0m`,
};
const T0 = "2026-01-01T00:00:00.000Z";
const now = (seconds: number) => Date.parse(T0) + seconds * 1000;

const STATUS: DirectorStatus = {
  version: 1,
  node: "lb1",
  program: "0.1.0",
  pid: 1,
  startedAt: T0,
  config: { file: "/etc/holdfast/holdfast.yaml", loadedAt: T0 },
  health: "degraded",
  problems: ["service web: 1 of 2 servers down (10.0.0.12:80)"],
  processes: [],
  instances: [
    {
      name: "web4",
      interface: "eth0",
      vrid: 51,
      transport: "multicast",
      isSigned: false,
      phase: "master",
      since: "2026-01-01T00:00:10.000Z",
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
      heard: null,
      counters: {
        advertsSent: 3,
        advertsReceived: 0,
        sendErrors: 0,
        handovers: 0,
        strayPackets: 0,
        transitions: [],
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
    },
  ],
  sync: null,
  drift: null,
  services: [
    {
      name: "web",
      listen: ["tcp://192.0.2.10:80"],
      scheduler: "wrr",
      forward: "dr",
      servers: [
        {
          server: "10.0.0.11:80",
          verdict: "up",
          since: T0,
          present: true,
          weight: 1,
          why: "configured weight",
          connections: null,
          override: null,
          checks: [],
        },
        {
          server: "10.0.0.12:80",
          verdict: "down",
          since: "2026-01-01T00:01:00.000Z",
          present: false,
          weight: 0,
          why: "http failed 3 times in a row",
          connections: null,
          override: null,
          checks: [
            {
              name: "http",
              verdict: "down",
              since: T0,
              last: "status 503\u001b[2J, expected 200-299",
              latencyUs: 900,
              attempts: 30,
              failed: 0,
              notRun: 0,
              latencySumUs: 0,
            },
          ],
        },
      ],
    },
  ],
};

describe("holdfast status: the connection synchronisation", () => {
  const shown = (sync: DirectorStatus["sync"]) =>
    renderStatus({ ...STATUS, sync, instances: [], services: [], problems: [] }, now(0), plain)
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
  const [usual] = STATUS.instances;
  const shown = (change: Partial<DirectorStatus["instances"][number]>) =>
    renderStatus({ ...STATUS, instances: usual === undefined ? [] : [{ ...usual, ...change }] }, now(0), plain);

  it("the arithmetic of its priority, where something counts", () => {
    const part = {
      what: "interface eth1",
      weight: -20,
      isPassing: false,
      effect: -20,
      state: "interface eth1 is down",
    };
    const text = shown({ priority: 130, priorityText: "150 - 20 (interface eth1 is down)", track: [part] });
    assert.match(text, /vrid 51 multicast {2}priority 130 /);
    assert.match(text, /\n {6}priority 130 = 150 - 20 \(interface eth1 is down\)\n/);
    assert.doesNotMatch(shown({ track: [{ ...part, isPassing: true, effect: 0 }] }), /priority 150 =/);
  });
  it("how it speaks", () => {
    assert.match(shown({ transport: "udp", isSigned: true }), /vrid 51 udp signed {2}priority/);
  });
  it("its group, a handover, a rest", () => {
    assert.match(shown({ group: "edge", isHandingOver: true }), /\n {6}group edge; handing over\n/);
    assert.match(shown({ isResting: true }), /\n {6}resting: leaves a living master alone\n/);
  });
});

describe("status for people", () => {
  it("says each state with its reason, aligned", () => {
    assert.equal(
      renderStatus(STATUS, now(125), plain),
      [
        "lb1  degraded  holdfast 0.1.0, up 2m, /etc/holdfast/holdfast.yaml",
        "  ! service web: 1 of 2 servers down (10.0.0.12:80)",
        "",
        "INSTANCES",
        "  web4  master  for 115s  eth0 vrid 51 multicast  priority 150  192.0.2.10/24",
        "      no master was heard; nobody heard",
        "      timers late by p99 (max): advert 80 µs (80 µs), down 1.3 ms (1.3 ms)",
        "",
        "SERVICE web  tcp://192.0.2.10:80  wrr dr  1/2 serving",
        "  10.0.0.11:80  up    for 2m   weight 1      configured weight",
        "  10.0.0.12:80  down  for 65s  not in table  http failed 3 times in a row; http: status 503 [2J, expected 200-299",
        "",
      ].join("\n"),
    );
  });

  it("aligns the same with colours", () => {
    assert.equal(
      renderStatus(STATUS, now(125), painted).replace(/\u001b\[\d+m/g, ""),
      renderStatus(STATUS, now(125), plain),
    );
  });
});
