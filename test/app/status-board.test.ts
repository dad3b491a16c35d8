import assert from "node:assert/strict";
import { describeChanges } from "../../src/app/describe-changes.ts";
import { instanceKey, SYNC_KEY, serverKey } from "../../src/app/messages.ts";
import { problemsOf, StatusBoard } from "../../src/app/status-board.ts";
import { formatEndpoint } from "../../src/base/endpoint.ts";
import { NO_SPREAD } from "../../src/base/histogram.ts";
import { diffModels } from "../../src/config/diff.ts";
import type { DirectorConfig, SyncConfig } from "../../src/config/model.ts";
import type { InstanceStatus, ServerStatus, SyncStatus } from "../../src/control/status.ts";
import { load } from "../config/support.ts";

function configOf(text: string): DirectorConfig {
  const loaded = load(text);
  assert.ok(loaded.ok);
  return loaded.value.config;
}

const CONFIG = configOf(`
vrrp:
  instances:
    web4: { interface: eth0, vrid: 51, priority: 150, addresses: [192.0.2.10/24] }
services:
  web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80, 10.0.0.12:80], checks: [tcp] }
`);

const SYNC: SyncConfig = { instance: "web4", interface: "eth1", id: 1, group: "224.0.0.81", port: 8848, ttl: 1 };

function serverStatus(server: string, change: Partial<ServerStatus> = {}): ServerStatus {
  return {
    server,
    verdict: "up",
    since: "",
    present: true,
    weight: 1,
    why: "",
    connections: null,
    override: null,
    checks: [],
    ...change,
  };
}

function instanceStatus(change: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    name: "web4",
    interface: "eth0",
    vrid: 51,
    transport: "multicast",
    isSigned: false,
    phase: "backup",
    since: "",
    reason: "started",
    priority: 150,
    basePriority: 150,
    priorityText: "150",
    track: [],
    group: null,
    advertIntervalUs: 1_000_000,
    isResting: false,
    isHandingOver: false,
    isSilent: false,
    source: null,
    addresses: [],
    held: [],
    heard: null,
    counters: {
      advertsSent: 0,
      advertsReceived: 0,
      sendErrors: 0,
      becameMaster: 0,
      handovers: 0,
      strayPackets: 0,
      transitions: [],
      rejected: {},
      checksumForms: {},
      events: {},
    },
    lateness: { advert: NO_SPREAD, down: NO_SPREAD, other: NO_SPREAD },
    ...change,
  };
}

describe("status board", () => {
  it("shows what children said last, in the order of the configuration", () => {
    const board = new StatusBoard();
    board.updateServers([
      [serverKey("web", "10.0.0.12:80"), serverStatus("10.0.0.12:80")],
      [serverKey("web", "10.0.0.11:80"), serverStatus("10.0.0.11:80", { verdict: "unknown" })],
      [serverKey("gone", "10.0.0.99:80"), serverStatus("10.0.0.99:80")],
    ]);
    board.updateServers([[serverKey("web", "10.0.0.11:80"), serverStatus("10.0.0.11:80")]]);
    const [web] = board.services(CONFIG);
    assert.deepEqual(
      web?.servers.map(({ server, verdict }) => [server, verdict]),
      [
        ["10.0.0.11:80", "up"],
        ["10.0.0.12:80", "up"],
      ],
    );
    board.updateServers([[serverKey("web", "10.0.0.11:80"), null]]);
    assert.equal(board.services(CONFIG)[0]?.servers.length, 1);
  });

  it("forgets instances when their process is gone", () => {
    const board = new StatusBoard();
    board.updateInstances([[instanceKey("web4"), instanceStatus()]]);
    assert.equal(board.instances(CONFIG).length, 1);
    board.forgetInstances();
    assert.deepEqual(board.instances(CONFIG), []);
  });

  it("says whether every server has had its first verdict", () => {
    const board = new StatusBoard();
    const servers = CONFIG.services.flatMap((service) =>
      service.servers.map((server) => [service.name, formatEndpoint(server)] as const),
    );
    assert.ok(servers.length > 0);
    const tell = (verdict: "unknown" | "down"): void =>
      board.updateServers(
        servers.map(([service, server]) => [serverKey(service, server), { ...serverStatus(server), verdict }]),
      );
    assert.equal(board.isTableKnown(CONFIG), false);
    tell("unknown");
    assert.equal(board.isTableKnown(CONFIG), false);
    tell("down");
    assert.equal(board.isTableKnown(CONFIG), true);
  });

  it("remembers who rests, for the process that comes next", () => {
    const board = new StatusBoard();
    const tell = (status: InstanceStatus | null) => board.updateInstances([[instanceKey("web4"), status]]);
    tell(instanceStatus());
    assert.deepEqual(board.resting(CONFIG), []);
    tell(instanceStatus({ isResting: true }));
    board.forgetInstances();
    assert.deepEqual(board.resting(CONFIG), ["web4"]);
    tell(instanceStatus({ phase: "master" }));
    assert.deepEqual(board.resting(CONFIG), []);
    tell(instanceStatus({ isResting: true }));
    tell(null);
    assert.deepEqual(board.resting(CONFIG), []);
    tell(instanceStatus({ isResting: true }));
    assert.deepEqual(board.resting({ ...CONFIG, instances: [] }), [], "only of what is configured");
  });
});

describe("problems that make a director degraded", () => {
  const problems = (
    instances: readonly InstanceStatus[],
    servers: readonly ServerStatus[],
    sync: SyncStatus | null = null,
  ) => problemsOf(instances, [{ name: "web", listen: [], scheduler: "wlc", forward: "nat", servers }], CONFIG, sync);
  const fine = [serverStatus("10.0.0.11:80"), serverStatus("10.0.0.12:80")];

  it("none", () => assert.deepEqual(problems([instanceStatus()], fine), []));
  it("an instance in fault, or without its process", () => {
    assert.deepEqual(problems([instanceStatus({ phase: "fault", reason: "interface is down" })], fine), [
      "instance web4: interface is down",
    ]);
    assert.deepEqual(problems([], fine), ["instance web4: its process is not running yet"]);
  });
  it("something tracked that weighs and fails", () => {
    const part = {
      what: "interface eth1",
      weight: -20,
      isPassing: false,
      effect: -20,
      state: "interface eth1 is down",
    };
    const track = [
      part,
      { ...part, what: "interface eth2", isPassing: true, effect: 0, state: "interface eth2 is up" },
    ];
    assert.deepEqual(problems([instanceStatus({ priority: 130, track })], fine), [
      "instance web4: interface eth1 is down, priority 130",
    ]);
  });
  it("a server down", () => {
    const down = serverStatus("10.0.0.12:80", { verdict: "down", present: false });
    assert.deepEqual(problems([instanceStatus()], [serverStatus("10.0.0.11:80"), down]), [
      "service web: 1 of 2 servers down (10.0.0.12:80)",
    ]);
  });
  it("a synchronisation that does not work", () => {
    const sync: SyncStatus = { instance: "web4", interface: "eth1", id: 1, role: "none", note: "there is no eth1" };
    assert.deepEqual(problems([instanceStatus()], fine, sync), ["connection sync: there is no eth1"]);
    assert.deepEqual(problems([instanceStatus()], fine, { ...sync, role: "backup", note: "" }), []);
  });
  it("a service that nobody can serve", () => {
    const quiet = fine.map((server) => ({ ...server, weight: 0 }));
    assert.deepEqual(problems([instanceStatus()], quiet), ["service web: no server can serve"]);
  });
});

describe("the connection synchronisation in status", () => {
  const SYNCED = { ...CONFIG, sync: SYNC };
  const told: SyncStatus = { instance: "web4", interface: "eth1", id: 1, role: "backup", note: "" };

  it("is absent where it is not configured", () => assert.equal(new StatusBoard().sync(CONFIG), null));
  it("says so until the checker has told", () => {
    const status = new StatusBoard().sync(SYNCED);
    assert.deepEqual(status, { ...told, role: "none", note: "its process is not running yet" });
  });
  it("is what the checker told last, beside its servers", () => {
    const board = new StatusBoard();
    board.updateServers([
      [SYNC_KEY, told],
      [serverKey("web", "10.0.0.11:80"), serverStatus("10.0.0.11:80")],
    ]);
    assert.deepEqual(board.sync(SYNCED), told);
    assert.equal(board.services(SYNCED)[0]?.servers.length, 1);
    board.updateServers([[SYNC_KEY, null]]);
    assert.equal(board.sync(SYNCED)?.role, "none");
  });
});

describe("what a reload says it changed", () => {
  const before = `
vrrp:
  instances:
    web4: { interface: eth0, vrid: 51, priority: 150, addresses: [192.0.2.10/24] }
services:
  web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80, 10.0.0.12:80], checks: [tcp] }
  old: { listen: 192.0.2.10:81, servers: [10.0.0.11:81], checks: [tcp] }
`;
  const after = `
log: { level: debug }
vrrp:
  instances:
    web4: { interface: eth0, vrid: 51, priority: 100, addresses: [192.0.2.10/24] }
services:
  web: { listen: 192.0.2.10:80, scheduler: rr, servers: [{ address: 10.0.0.11:80, weight: 5 }, 10.0.0.13:80], checks: [tcp] }
  new: { listen: 192.0.2.10:82, servers: [10.0.0.11:82], checks: [tcp] }
`;
  it("one clause each", () => {
    assert.deepEqual(describeChanges(diffModels(configOf(before), configOf(after))), [
      "log.level changed",
      "instance web4: priority changed",
      "service new added",
      "service old removed",
      "service web: scheduler changed",
      "service web: server 10.0.0.13:80 added",
      "service web: server 10.0.0.12:80 removed",
      "service web: server 10.0.0.11:80: weight changed",
    ]);
    assert.deepEqual(describeChanges(diffModels(configOf(before), configOf(before))), []);
    const realtime = before.replace("vrrp:\n", "vrrp:\n  realtime: true\n");
    assert.notEqual(realtime, before);
    assert.deepEqual(describeChanges(diffModels(configOf(before), configOf(realtime))), ["vrrp.realtime changed"]);
  });
  it("and says what a change interrupts", () => {
    const moved = before.replace("vrid: 51", "vrid: 52");
    assert.deepEqual(describeChanges(diffModels(configOf(before), configOf(moved))), [
      "instance web4: vrid changed",
      "another vrid makes another virtual router: instance web4 gives up its addresses and starts anew",
    ]);
  });
});
