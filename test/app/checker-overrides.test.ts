import assert from "node:assert/strict";
import { drainKey, type OverrideChange, type ServerOverride, serverKey } from "../../src/app/messages.ts";
import { EMPTY_LOOKS, type Override } from "../../src/health/overrides.ts";
import { server, service, tcpCheck } from "../support/check-configs.ts";
import { CheckerBench } from "../support/checker-bench.ts";
import { HANG, PASS, REFUSE } from "../support/fake-checkers.ts";

const SECOND = 1_000_000;
const WEB = "tcp://192.0.2.10:80";
const CHECK = tcpCheck({ intervalUs: SECOND, timeoutUs: SECOND / 2, rise: 1, fall: 1 });
const A = server(80, { address: "10.0.0.11", weight: 1, checks: [CHECK] });
const B = server(80, { address: "10.0.0.12", weight: 3, checks: [CHECK] });
const COMMON = { sinceMs: 7, untilMs: null, reason: null, by: "root" };
const DRAIN: Override = { ...COMMON, type: "drain", deadlineMs: null, drained: null };
const DRAINED: Override = { ...DRAIN, drained: { atMs: 9, cut: 0 } };

const of = (override: Override): ServerOverride => ({ service: "web", server: "10.0.0.12:80", override });
const change = (override: Override | null): OverrideChange[] => [{ service: "web", server: "10.0.0.12:80", override }];

/** Serving A and B. */
async function serving(options: Parameters<typeof service>[1] = {}): Promise<CheckerBench> {
  const bench = new CheckerBench();
  bench.configure([service([A, B], options)]);
  await bench.time.advanceSettled(SECOND / 10);
  assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 3"] });
  return bench;
}

/** Sets the connections that the kernel counts as active of 10.0.0.12. */
function connect(bench: CheckerBench, active: number): void {
  for (const { destinations } of bench.kernel.services.values())
    for (const destination of destinations.values())
      if (destination.address.subarray(0, 4).join(".") === B.address) destination.active = active;
}

const told = (bench: CheckerBench) => bench.states.get(serverKey("web", "10.0.0.12:80"));
const counted = (bench: CheckerBench) => bench.drains.get(drainKey("web", "10.0.0.12:80"))?.count;

describe("checker: overrides", () => {
  it("has the table as ordered before it answers", async () => {
    const bench = await serving();
    const reply = bench.checker.override(change(DRAIN));
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 0"] });
    assert.deepEqual(reply, {
      changes: [`service web (${WEB}) server 10.0.0.12:80 changed: nat weight 3 -> nat weight 0`],
      warnings: [],
    });
    assert.equal(told(bench)?.why, "draining, by root; all checks pass");
    const line =
      "notice: service web: server 10.0.0.12:80: up (weight 3) -> up (weight 0): draining, by root; all checks pass";
    assert.ok(bench.lines().includes(line), bench.lines().join("\n"));
    bench.checker.override(change(null));
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 3"] });
  });

  it("counts the connections of a draining server until there are none, and leaves it to others to end the drain", async () => {
    const bench = await serving();
    connect(bench, 2);
    bench.checker.override(change(DRAIN));
    assert.equal(counted(bench), undefined, "a handshake may be under way");
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(counted(bench), { sinceMs: 7, active: 2, emptyLooks: 0 });
    assert.match(told(bench)?.why ?? "", /^draining, 2 connections left, by root; /);
    connect(bench, 0);
    await bench.time.advanceSettled(SECOND);
    assert.equal(counted(bench)?.emptyLooks, 1);
    connect(bench, 1);
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(counted(bench), { sinceMs: 7, active: 1, emptyLooks: 0 });
    connect(bench, 0);
    await bench.time.advanceSettled(5 * SECOND);
    assert.deepEqual(counted(bench), { sinceMs: 7, active: 0, emptyLooks: EMPTY_LOOKS });
    assert.equal(bench.table()[WEB]?.length, 2);
    bench.checker.override(change(DRAINED));
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
    assert.equal(told(bench)?.present, false);
  });

  it("reads only while something drains", async () => {
    const bench = await serving();
    await bench.time.advanceSettled(3 * SECOND);
    const { dumps } = bench.kernel.counts;
    await bench.time.advanceSettled(5 * SECOND);
    assert.equal(bench.kernel.counts.dumps, dumps);
    bench.checker.override(change(DRAIN));
    await bench.time.advanceSettled(3 * SECOND);
    assert.ok(bench.kernel.counts.dumps > dumps);
    bench.checker.override(change(DRAINED));
    await bench.time.advanceSettled(3 * SECOND);
    const after = bench.kernel.counts.dumps;
    await bench.time.advanceSettled(5 * SECOND);
    assert.equal(bench.kernel.counts.dumps, after);
  });

  it("counts a down server as empty, and one that nobody has seen yet not at all", async () => {
    const bench = new CheckerBench();
    bench.checkers.answer = () => REFUSE;
    bench.configure([service([A, B])], "remove", [of(DRAIN)]);
    await bench.time.advanceSettled(3 * SECOND);
    assert.deepEqual(counted(bench), { sinceMs: 7, active: 0, emptyLooks: EMPTY_LOOKS });

    const silent = new CheckerBench();
    silent.checkers.answer = () => HANG;
    const slow = { ...B, checks: [tcpCheck({ intervalUs: 60 * SECOND, timeoutUs: 50 * SECOND })] };
    silent.configure([service([A, slow])], "remove", [of(DRAIN)]);
    await silent.time.advanceSettled(10 * SECOND);
    assert.equal(counted(silent), undefined);
  });

  it("does not take a server for empty that somebody gave a weight", async () => {
    const bench = await serving();
    // Otherwise it would be repaired in the instant of the look.
    bench.drift = { drift: "ignore", driftIntervalUs: SECOND };
    bench.configure([service([A, B])]);
    bench.checker.override(change(DRAIN));
    for (const { destinations } of bench.kernel.services.values())
      for (const destination of destinations.values()) destination.weight = 5;
    await bench.time.advanceSettled(SECOND);
    assert.notEqual(counted(bench)?.emptyLooks, 1);
  });

  it("sets a weight while the checks pass, also over a reload that changes the configured one", async () => {
    const bench = await serving();
    bench.checker.override(change({ ...COMMON, type: "weight", weight: 7 }));
    const wanted = { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 7"] };
    assert.deepEqual(bench.table(), wanted);
    bench.configure([service([A, { ...B, weight: 4 }])], "remove", [of({ ...COMMON, type: "weight", weight: 7 })]);
    assert.deepEqual(bench.table(), wanted);
    bench.checkers.answer = (target) => (target.address === B.address ? REFUSE : PASS);
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] }, "a dead server stays out");
    bench.checkers.answer = () => PASS;
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(bench.table(), wanted, "and is back with the weight that was set");
    bench.checker.override(change(null));
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 4"] });
  });

  it("takes a disabled server out, or quiesces it where the service says so, also when a reload changes that", async () => {
    const bench = await serving({ onDown: "quiesce" });
    const disabled: Override = { ...COMMON, type: "disable" };
    bench.checker.override(change(disabled));
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 0"] });
    bench.configure([service([A, B], { onDown: "remove" })], "remove", [of(disabled)]);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
  });

  it("has them from its first table on, and takes nobody's connections at a restart", async () => {
    const before = await serving();
    before.checker.override(change(DRAIN));
    connect(before, 2);
    // The process is killed; the next one finds the kernel's table.
    const bench = new CheckerBench(before.kernel, before.store);
    bench.checkers.answer = () => HANG;
    bench.configure([service([A, B])], "remove", [of(DRAIN)]);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 0"] });
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(counted(bench), { sinceMs: 7, active: 2, emptyLooks: 0 });

    const drained = new CheckerBench(before.kernel, before.store);
    drained.configure([service([A, B])], "remove", [of(DRAINED)]);
    await drained.time.advanceSettled(2 * SECOND);
    assert.deepEqual(drained.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
  });

  it("takes an order before its first configuration, which has it along", async () => {
    const bench = new CheckerBench();
    assert.deepEqual(bench.checker.override(change(DRAINED)), { changes: [], warnings: [] });
    bench.configure([service([A, B])], "remove", [of(DRAINED)]);
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
  });

  it("goes by what the supervisor says when a reload brings other overrides", async () => {
    const bench = await serving();
    bench.checker.override(change(DRAINED));
    bench.configure([service([A, B])], "remove", []);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 3"] });
  });

  it("asks for the sysctls of services whose servers let connections end, and passes on what they lack", async () => {
    const bench = await serving();
    bench.quiescing = [{ level: "warning", source: "checker", message: "sysctl x is 0" }];
    assert.deepEqual(bench.checker.override(change(DRAIN)).warnings, ["sysctl x is 0"]);
    assert.deepEqual(bench.quiesced, ["web"]);
    bench.checker.override(change({ ...COMMON, type: "weight", weight: 5 }));
    assert.deepEqual(bench.quiesced, []);
  });

  it("says what the kernel refused", async () => {
    const bench = await serving();
    bench.kernel.refusals.set(6, 22);
    const { changes, warnings } = bench.checker.override(change(DRAIN));
    assert.deepEqual(changes, []);
    assert.match(warnings.join(), /10\.0\.0\.12:80/);
  });
});
