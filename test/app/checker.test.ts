import assert from "node:assert/strict";
import { scriptFactKey, serverKey, serviceFactKey } from "../../src/app/messages.ts";
import { server, service, tcpCheck } from "../support/check-configs.ts";
import { CheckerBench } from "../support/checker-bench.ts";
import { PASS, REFUSE } from "../support/fake-checkers.ts";

const SECOND = 1_000_000;
const CHECK = tcpCheck({ intervalUs: SECOND, timeoutUs: SECOND / 2, rise: 2, fall: 3 });
const A = server(80, { address: "10.0.0.11", weight: 1, checks: [CHECK] });
const B = server(80, { address: "10.0.0.12", weight: 3, checks: [CHECK] });

describe("checker: from verdicts to the kernel's table", () => {
  const WEB = "tcp://192.0.2.10:80";

  it("puts a server into the table with its first pass, and not before", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A, B])]);
    assert.deepEqual(bench.table(), { [WEB]: [] });
    await bench.time.advanceSettled(SECOND / 10);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 3"] });
  });

  it("takes a dead server out after fall attempts and back after rise, and says why", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A, B])]);
    await bench.time.advanceSettled(SECOND / 2);
    bench.checkers.answer = (target) => (target.address === B.address ? REFUSE : PASS);
    await bench.time.advanceSettled(2 * SECOND);
    assert.equal(bench.table()[WEB]?.length, 2, "two failures are not three");
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
    const told =
      "warning: service web: server 10.0.0.12:80: up (weight 3) -> down (not in the table): tcp fails: refused";
    assert.ok(bench.lines().includes(told), bench.lines().join("\n"));
    assert.ok(
      bench.lines().includes(`info: ipvs: service web (${WEB}) server 10.0.0.12:80 removed, was: nat weight 3`),
    );
    assert.equal(bench.states.get(serverKey("web", "10.0.0.12:80"))?.verdict, "down");
    bench.checkers.answer = () => PASS;
    await bench.time.advanceSettled(2 * SECOND);
    assert.equal(bench.table()[WEB]?.length, 2);
    assert.equal(bench.states.get(serverKey("web", "10.0.0.12:80"))?.verdict, "up");
  });

  it("keeps a down server with weight 0 when told to quiesce", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A], { onDown: "quiesce" })]);
    await bench.time.advanceSettled(SECOND / 2);
    bench.checkers.answer = () => REFUSE;
    await bench.time.advanceSettled(4 * SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 0"] });
  });

  it("makes one change of all verdicts of one turn, and reads it back once, later", async () => {
    const bench = new CheckerBench();
    const servers = Array.from({ length: 50 }, (_, i) => server(80, { address: `10.0.1.${i + 1}`, checks: [CHECK] }));
    bench.configure([service(servers)]);
    const before = { ...bench.kernel.counts };
    await bench.time.advanceSettled(SECOND / 2);
    assert.equal(bench.table()[WEB]?.length, 50);
    assert.equal(bench.kernel.counts.executed - before.executed, 50, "each server was written once");
    const dumps = bench.kernel.counts.dumps;
    await bench.time.advanceSettled(SECOND);
    const afterReadBack = bench.kernel.counts.dumps;
    assert.ok(afterReadBack > dumps, "read back");
    await bench.time.advanceSettled(60 * SECOND);
    assert.equal(bench.kernel.counts.dumps, afterReadBack, "and not again without a change");
    assert.equal(bench.kernel.counts.executed - before.executed, 50);
  });

  it("repairs what somebody else changed since, when it reads back", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A, B])]);
    await bench.time.advanceSettled(SECOND / 2);
    for (const each of bench.kernel.services.values()) each.destinations.clear();
    await bench.time.advanceSettled(SECOND);
    assert.equal(bench.table()[WEB]?.length, 2);
    assert.ok(bench.lines().some((line) => line.startsWith("warning: ipvs: repaired after reading back: service")));
  });

  it("starts servers that the kernel already serves as up, and leaves the table alone", async () => {
    const first = new CheckerBench();
    first.configure([service([A, B])], "keep");
    await first.time.advanceSettled(SECOND / 2);
    first.checker.stop();
    assert.equal(first.table()[WEB]?.length, 2, "kept");
    const second = new CheckerBench(first.kernel, first.store);
    second.checkers.answer = () => REFUSE;
    assert.deepEqual(second.configure([service([A, B])]).changes, []);
    await second.time.advanceSettled(SECOND + SECOND / 2);
    assert.equal(second.table()[WEB]?.length, 2, "fewer failures than fall take nobody out");
    await second.time.advanceSettled(2 * SECOND);
    assert.deepEqual(second.table(), { [WEB]: [] });
  });

  it("removes its own services on a stop, and services of an earlier configuration on a start", async () => {
    const first = new CheckerBench();
    const other = service([A], { name: "other", listen: [{ protocol: "tcp", address: "192.0.2.11", port: 80 }] });
    first.configure([service([A]), other]);
    await first.time.advanceSettled(SECOND / 2);
    // It is killed here: nobody stops it.
    const second = new CheckerBench(first.kernel, first.store);
    second.configure([service([A])]);
    assert.deepEqual(Object.keys(second.table()), [WEB]);
    second.checker.stop();
    assert.deepEqual(second.table(), {});
  });

  it("applies a new configuration: changes only what differs", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A, B])]);
    await bench.time.advanceSettled(SECOND / 2);
    const { changes } = bench.configure([service([{ ...A, weight: 7 }])]);
    assert.deepEqual([...changes].sort(), [
      `service web (${WEB}) server 10.0.0.11:80 changed: nat weight 1 -> nat weight 7`,
      `service web (${WEB}) server 10.0.0.12:80 removed, was: nat weight 3`,
    ]);
    await bench.time.advanceSettled(0);
    assert.equal(bench.states.has(serverKey("web", "10.0.0.12:80")), false);
    assert.deepEqual(bench.configure([service([{ ...A, weight: 7 }])]).changes, []);
  });

  it("removes services of an earlier run also when none is configured any more", async () => {
    const first = new CheckerBench();
    first.configure([service([A])]);
    const second = new CheckerBench(first.kernel, first.store);
    second.configure([]);
    assert.deepEqual(second.table(), {});
  });

  it("asks nothing of the kernel while there is no service", () => {
    const bench = new CheckerBench();
    bench.configure([]);
    assert.equal(bench.opened, 0);
    bench.checker.stop();
  });

  it("reports a refusal of the kernel and tries again", async () => {
    const bench = new CheckerBench();
    bench.kernel.schedulers.delete("wlc");
    bench.configure([service([A])]);
    assert.ok(bench.lines().some((line) => line.startsWith("error: ipvs:") && line.includes("has no scheduler wlc")));
    bench.kernel.schedulers.add("wlc");
    await bench.time.advanceSettled(2 * SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
  });

  it("tells how many servers of a tracked service are to get connections, and what tracked scripts said", async () => {
    const bench = new CheckerBench();
    const script = { name: "disk", command: ["/bin/true"] as const, weight: null };
    const times = { intervalUs: SECOND, timeoutUs: SECOND / 2, rise: 2, fall: 3 };
    bench.track = { scripts: [{ instance: "web4", script: { ...script, ...times } }], services: ["web"] };
    bench.configure([service([A, B])]);
    const web = () => bench.facts.get(serviceFactKey("web"));
    assert.deepEqual(web(), { type: "service", serving: 0, servers: 2 }, "nobody has answered yet");
    await bench.time.advanceSettled(SECOND);
    assert.deepEqual(web(), { type: "service", serving: 2, servers: 2 });
    assert.equal(bench.facts.get(scriptFactKey("web4", "disk"))?.type, "script");
    bench.checkers.answer = ({ address }) => (address === "10.0.0.12" ? REFUSE : PASS);
    await bench.time.advanceSettled(4 * SECOND);
    assert.deepEqual(web(), { type: "service", serving: 1, servers: 2 });
    bench.configure([service([A])]);
    assert.deepEqual(web(), { type: "service", serving: 1, servers: 1 }, "by the new configuration");
    bench.track = { scripts: [], services: [] };
    bench.configure([service([A])]);
    assert.equal(bench.facts.size, 0, "nothing is tracked any more");
  });
});
