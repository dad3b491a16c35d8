import assert from "node:assert/strict";
import { directorStatus, type KnownStatus } from "../../src/app/director-status.ts";
import type { InstanceStatus, ServerStatus, SyncStatus } from "../../src/control/status.ts";
import { load } from "../config/support.ts";
import { instanceStatus, directorStatus as sampleStatus, serverStatus, serviceStatus, T0 } from "../support/status.ts";

const loaded = load(`
vrrp:
  instances:
    web4: { interface: eth0, vrid: 51, priority: 150, addresses: [192.0.2.10/24] }
services:
  web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80, 10.0.0.12:80], checks: [tcp] }
`);
assert.ok(loaded.ok);
const CONFIG = loaded.value.config;

/** Everything is as it should be. */
const FINE: KnownStatus = sampleStatus();

const judge = (change: Partial<KnownStatus>, further: readonly string[] = []) =>
  directorStatus({ ...FINE, ...change }, CONFIG, further);

describe("problems that make a director degraded", () => {
  const problems = (
    instances: readonly InstanceStatus[],
    servers: readonly ServerStatus[],
    sync: SyncStatus | null = null,
  ) => judge({ instances, services: [serviceStatus("web", servers)], sync }).problems;
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
  it("a table that differs", () => {
    const drift = { mode: "report", repairs: 0, differences: 3, examples: ["a", "b"], since: T0 } as const;
    assert.deepEqual(judge({ drift }).problems, [
      "the kernel's table differs in 3 objects (a; b …); a reload repairs it",
    ]);
  });
  it("what the kernel refused, the first of it and how much more", () => {
    const kernel = { refused: 3, reasons: ["adding service x: no scheduler"], since: T0, sysctls: [] };
    assert.deepEqual(judge({ kernel }).problems, [
      "the kernel's table is not as wanted in 3 objects (adding service x: no scheduler; and 2 more); tried again every second",
    ]);
    assert.equal(judge({ kernel }).health, "degraded");
    assert.deepEqual(judge({ kernel: { ...kernel, refused: 1 } }).problems, [
      "the kernel's table is not as wanted in 1 object (adding service x: no scheduler); tried again every second",
    ]);
    assert.deepEqual(judge({ kernel: { ...kernel, refused: null, reasons: ["it cannot be read"] } }).problems, [
      "it cannot be read",
    ]);
    assert.deepEqual(judge({ kernel: { ...kernel, refused: 0, reasons: [] } }).problems, []);
  });
  it("a setting that the kernel lacks", () => {
    const kernel = { refused: 0, reasons: [], since: null, sysctls: ["ip_forward is 0. Run `sysctl -w …=1`"] };
    assert.deepEqual(judge({ kernel }).problems, kernel.sysctls);
  });
  it("an instance whose addresses the kernel refuses", () => {
    const [first, second] = ["192.0.2.10/24", "2001:db8::10/64"].map(
      (address) => ({ address, change: "add", why: `adding ${address} on eth0 was refused: EACCES` }) as const,
    );
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual(problems([instanceStatus({ held: [], refused: [first] })], fine), [
      "instance web4 is master and lacks address 192.0.2.10/24 on eth0: adding 192.0.2.10/24 on eth0 was refused: EACCES; tried again every second",
    ]);
    const left = { ...second, change: "remove", why: "removing it was refused: EPERM" } as const;
    assert.deepEqual(problems([instanceStatus({ phase: "backup", held: [], refused: [left] })], fine), [
      "instance web4 is backup and still has address 2001:db8::10/64 on eth0: removing it was refused: EPERM; tried again every second",
    ]);
    const both = problems([instanceStatus({ held: [], refused: [first, second] })], fine);
    assert.match(both.join(), /lacks addresses 192\.0\.2\.10\/24, 2001:db8::10\/64 on eth0/);
  });
  it("not that others put a master's address there, which serves", () => {
    assert.deepEqual(problems([instanceStatus({ held: [] })], fine), []);
  });
  it("a process that is not there, or does not answer", () => {
    const process = { pid: 2, restarts: 1 };
    const processes = [
      { name: "vrrp", state: "silent", ...process },
      { name: "checker", state: "restarting", ...process },
    ] as const;
    assert.deepEqual(judge({ processes }).problems, [
      "the vrrp process does not answer",
      "the checker process is restarting",
    ]);
  });
  it("a reload that nobody confirmed, after what others have to say", () => {
    const { problems, health } = judge({ config: { ...FINE.config, isReverted: true } }, [
      "the metrics have no address",
    ]);
    assert.equal(problems[0], "the metrics have no address");
    assert.match(problems[1] ?? "", /^nobody confirmed the last reload: the configuration before is in force/);
    assert.equal(health, "degraded");
  });
});

describe("a status", () => {
  it("says who, how it is and why before anything else", () => {
    const keys = ["version", "node", "program", "pid", "startedAt", "config", "health", "problems"];
    const status = judge({});
    assert.deepEqual(Object.keys(status).slice(0, keys.length), keys);
    assert.deepEqual([status.node, status.health], ["this-host", "healthy"]);
  });
});
