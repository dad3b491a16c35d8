import assert from "node:assert/strict";
import type { DriftConfig } from "../../src/app/drift-keeper.ts";
import { server, service, tcpCheck } from "../support/check-configs.ts";
import { CheckerBench } from "../support/checker-bench.ts";
import { REFUSE } from "../support/fake-checkers.ts";

const SECOND = 1_000_000;
const WEB = "tcp://192.0.2.10:80";
const CHECKS = [tcpCheck({ intervalUs: SECOND, timeoutUs: SECOND / 2, rise: 1, fall: 1 })];
const A = server(80, { address: "10.0.0.11", weight: 1, checks: CHECKS });
const B = server(80, { address: "10.0.0.12", weight: 3, checks: CHECKS });
const FULL = { [WEB]: ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 3"] };

/** Two servers in the table, and nothing left to be read back. */
async function serving(drift: DriftConfig["drift"], driftIntervalUs = 10 * SECOND): Promise<CheckerBench> {
  const bench = new CheckerBench();
  bench.drift = { drift, driftIntervalUs };
  bench.configure([service([A, B])]);
  await bench.time.advanceSettled(3 * SECOND);
  assert.deepEqual(bench.table(), FULL);
  bench.logger.entries.length = 0;
  return bench;
}

/** As `ipvsadm -C` does. */
function wipe(bench: CheckerBench): void {
  bench.kernel.services.clear();
}

const events = (bench: CheckerBench) =>
  bench.logger.entries.flatMap(({ event }) => (event === undefined ? [] : [event]));

describe("drift", () => {
  it("repair: a table that was wiped out is as wanted within one interval, and each repair is an event", async () => {
    const bench = await serving("repair");
    wipe(bench);
    await bench.time.advanceSettled(10 * SECOND);
    assert.deepEqual(bench.table(), FULL);
    const cause = `somebody else changed ${WEB} in the kernel's table; repaired`;
    assert.deepEqual(events(bench), [
      { type: "drift", subject: "service web", from: null, to: "wlc", cause },
      { type: "drift", subject: "service web server 10.0.0.11:80", from: null, to: "nat weight 1", cause },
      { type: "drift", subject: "service web server 10.0.0.12:80", from: null, to: "nat weight 3", cause },
    ]);
    assert.deepEqual([bench.drifted?.repairs, bench.drifted?.differences], [3, 0]);
    assert.ok(
      bench
        .lines()
        .every((line) => line.startsWith(`warning: ipvs: repaired after reading back: service web (${WEB}) `)),
      "no verdict failed",
    );
  });

  it("a service with several endpoints goes by its name like everywhere; which of them was changed is the cause", async () => {
    const bench = new CheckerBench();
    bench.drift = { drift: "repair", driftIntervalUs: 10 * SECOND };
    const [http, https] = [80, 443].map((port) => ({ protocol: "tcp" as const, address: "192.0.2.10", port }));
    assert.ok(http !== undefined && https !== undefined);
    bench.configure([service([A], { name: "shop", listen: [http, https] })]);
    await bench.time.advanceSettled(3 * SECOND);
    bench.logger.entries.length = 0;
    wipe(bench);
    await bench.time.advanceSettled(10 * SECOND);
    assert.deepEqual(
      events(bench).map(({ subject, cause }) => `${subject}: ${cause}`),
      [80, 443].flatMap((port) =>
        ["service shop", "service shop server 10.0.0.11:80"].map(
          (subject) => `${subject}: somebody else changed tcp://192.0.2.10:${port} in the kernel's table; repaired`,
        ),
      ),
    );
  });

  it("repair: names the value that somebody set", async () => {
    const bench = await serving("repair");
    for (const { destinations } of bench.kernel.services.values())
      for (const destination of destinations.values()) destination.weight = 9;
    await bench.time.advanceSettled(10 * SECOND);
    assert.deepEqual(
      events(bench).map(({ subject, from, to }) => [subject, from, to]),
      [
        ["service web server 10.0.0.11:80", "nat weight 9", "nat weight 1"],
        ["service web server 10.0.0.12:80", "nat weight 9", "nat weight 3"],
      ],
    );
  });

  it("repair: what a verdict runs into is repaired at once and told, but not the verdict's own change", async () => {
    const bench = await serving("repair", 3_600 * SECOND);
    wipe(bench);
    bench.checkers.answer = ({ address }) =>
      address === B.address ? REFUSE : { afterUs: 0, outcome: { passed: true, detail: "" } };
    await bench.time.advanceSettled(2 * SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
    assert.deepEqual(
      events(bench)
        .filter(({ type }) => type === "drift")
        .map(({ subject }) => subject),
      ["service web", "service web server 10.0.0.11:80"],
    );
  });

  it("repair: what the kernel refused and took later is nobody else's doing", async () => {
    const bench = new CheckerBench();
    bench.drift = { drift: "repair", driftIntervalUs: 10 * SECOND };
    bench.kernel.schedulers.delete("wlc");
    bench.configure([service([A])]);
    bench.kernel.schedulers.add("wlc");
    await bench.time.advanceSettled(3 * SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
    assert.deepEqual(
      events(bench).filter(({ type }) => type === "drift"),
      [],
    );
  });

  it("report: leaves it, tells once while it lasts, and when it is over; verdicts are still applied", async () => {
    const bench = await serving("report");
    const [web] = bench.kernel.services.values();
    const [first] = web?.destinations.values() ?? [];
    assert.ok(first !== undefined);
    first.weight = 9;
    await bench.time.advanceSettled(40 * SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 9", "10.0.0.12:80 weight 3"] });
    assert.deepEqual(
      events(bench).map(({ subject, from, to }) => [subject, from, to]),
      [["service web server 10.0.0.11:80", "nat weight 1", "nat weight 9"]],
    );
    assert.deepEqual(bench.drifted?.examples, [
      `service web (${WEB}) server 10.0.0.11:80 changed: nat weight 9 -> nat weight 1`,
    ]);
    assert.notEqual(bench.drifted?.since, null);

    bench.checkers.answer = ({ address }) =>
      address === B.address ? REFUSE : { afterUs: 0, outcome: { passed: true, detail: "" } };
    await bench.time.advanceSettled(3 * SECOND);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 9"] });

    first.weight = 1;
    await bench.time.advanceSettled(10 * SECOND);
    assert.equal(bench.drifted?.differences, 0);
    assert.equal(events(bench).at(-1)?.to, "as wanted");
  });

  it("report: a service that somebody removed stays away when a verdict changes, until a reload", async () => {
    const bench = await serving("report", 5 * SECOND);
    wipe(bench);
    bench.checkers.answer = ({ address }) =>
      address === B.address ? REFUSE : { afterUs: 0, outcome: { passed: true, detail: "" } };
    await bench.time.advanceSettled(20 * SECOND);
    assert.deepEqual(bench.table(), {});
    assert.ok((bench.drifted?.differences ?? 0) >= 2);
    bench.configure([service([A, B])]);
    assert.deepEqual(bench.table(), { [WEB]: ["10.0.0.11:80 weight 1"] });
    assert.equal(bench.drifted?.differences, 0);
  });

  it("ignore: reads nothing back", async () => {
    const bench = await serving("ignore");
    const { dumps } = bench.kernel.counts;
    wipe(bench);
    await bench.time.advanceSettled(60 * SECOND);
    assert.deepEqual(bench.table(), {});
    assert.equal(bench.kernel.counts.dumps, dumps + 1, "the test's own look");
    assert.deepEqual(bench.lines(), []);
  });

  it("does not write a line for each of ten thousand", async () => {
    const bench = new CheckerBench();
    bench.drift = { drift: "repair", driftIntervalUs: 10 * SECOND };
    const many = Array.from({ length: 10_000 }, (_, i) =>
      server(80, { address: `10.1.${i >> 8}.${i & 255}`, checks: [] }),
    );
    bench.configure([service(many)]);
    await bench.time.advanceSettled(3 * SECOND);
    bench.logger.entries.length = 0;
    wipe(bench);
    await bench.time.advanceSettled(10 * SECOND);
    assert.equal(bench.table()[WEB]?.length, 10_000);
    assert.equal(events(bench).length, 201);
    assert.equal(events(bench).at(-1)?.cause, "9801 more objects, of 10001 in all");
    assert.equal(bench.drifted?.repairs, 10_001);
  });

  it("tells a refusal once while it lasts, though it is tried again every second", async () => {
    const bench = new CheckerBench();
    bench.kernel.schedulers.delete("wlc");
    bench.configure([service([{ ...A, checks: [] }])]);
    await bench.time.advanceSettled(20 * SECOND);
    const refusals = bench.lines().filter((line) => line.includes("has no scheduler wlc"));
    assert.equal(refusals.length, 1, bench.lines().join("\n"));
    bench.kernel.schedulers.add("wlc");
    await bench.time.advanceSettled(2 * SECOND);
    bench.kernel.schedulers.delete("wlc");
    wipe(bench);
    await bench.time.advanceSettled(3_600 * SECOND);
    assert.equal(bench.lines().filter((line) => line.includes("has no scheduler wlc")).length, 2, "a new one is news");
  });

  it("repair: sets managed sysctls back, and leaves others to who owns them", async () => {
    const bench = new CheckerBench();
    bench.drift = { drift: "repair", driftIntervalUs: 10 * SECOND };
    bench.manageSysctls = true;
    bench.configure([service([A])]);
    await bench.time.advanceSettled(3 * SECOND);
    const event = {
      type: "drift",
      subject: "sysctl net.ipv4.ip_forward",
      from: "0",
      to: "1",
      cause: "it is needed",
    } as const;
    const common = { source: "checker", message: "" };
    bench.sysctls = [{ ...common, level: "notice", event }];
    bench.logger.entries.length = 0;
    await bench.time.advanceSettled(10 * SECOND);
    assert.ok(events(bench).length > 0);
    assert.deepEqual([...new Set(events(bench))], [event]);

    bench.manageSysctls = false;
    bench.configure([service([A])]);
    bench.logger.entries.length = 0;
    await bench.time.advanceSettled(60 * SECOND);
    assert.deepEqual(events(bench), []);
  });
});
