import assert from "node:assert/strict";
import { describeChanges } from "../../src/app/describe-changes.ts";
import { instanceKey, SYNC_KEY, serverKey } from "../../src/app/messages.ts";
import { StatusBoard } from "../../src/app/status-board.ts";
import { formatEndpoint } from "../../src/base/endpoint.ts";
import { diffModels } from "../../src/config/diff.ts";
import type { DirectorConfig, SyncConfig } from "../../src/config/model.ts";
import type { InstanceStatus, SyncStatus } from "../../src/control/status.ts";
import { load } from "../config/support.ts";
import { instanceStatus, serverStatus } from "../support/status.ts";

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
  it("one clause for what happens to several", () => {
    const many = (count: number, check: string) =>
      configOf(`
defaults:
  check: { interval: ${check} }
services:
  web: { listen: 192.0.2.10:80, servers: [${Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}:80`).join(", ")}], checks: [tcp] }
`);
    assert.deepEqual(describeChanges(diffModels(many(2, "3s"), many(4, "2s"))), [
      "service web: servers 10.0.0.3:80, 10.0.0.4:80 added",
      "service web: servers 10.0.0.1:80, 10.0.0.2:80: checks changed",
    ]);
    assert.deepEqual(describeChanges(diffModels(many(20, "3s"), many(20, "2s"))), [
      "service web: servers 10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80, 10.0.0.4:80, 10.0.0.5:80 and 15 more: checks changed",
    ]);
    // One more is no shorter than its name.
    assert.match(describeChanges(diffModels(many(6, "3s"), many(6, "2s"))).join(), /10\.0\.0\.6:80: checks changed$/);
  });
  it("and says what a change interrupts", () => {
    const moved = before.replace("vrid: 51", "vrid: 52");
    assert.deepEqual(describeChanges(diffModels(configOf(before), configOf(moved))), [
      "instance web4: vrid changed",
      "another vrid makes another virtual router: instance web4 gives up its addresses and starts anew",
    ]);
  });
});
