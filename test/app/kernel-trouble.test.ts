import assert from "node:assert/strict";
import { serviceFactKey } from "../../src/app/messages.ts";
import type { MissingSysctl } from "../../src/app/sysctl-needs.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import type { KernelStatus } from "../../src/control/status.ts";
import { server, service, tcpCheck } from "../support/check-configs.ts";
import { CheckerBench } from "../support/checker-bench.ts";
import { REFUSE } from "../support/fake-checkers.ts";

const SECOND = 1_000_000;
const EINVAL = 22;
const ADD_SERVER = 5;
const CHECKS = [tcpCheck({ intervalUs: SECOND, timeoutUs: SECOND / 2, rise: 1, fall: 1 })];
const A = server(80, { address: "10.0.0.11", checks: CHECKS });
const B = server(80, { address: "10.0.0.12", checks: CHECKS });
const WELL: KernelStatus = { refused: 0, reasons: [], since: null, sysctls: [] };
const NO_SCHEDULER =
  "service web: adding service tcp://192.0.2.10:80: the kernel has no scheduler wlc (module ip_vs_wlc)";

const events = (bench: CheckerBench) =>
  bench.logger.entries.flatMap(({ event }) =>
    event === undefined || !["kernel", "drift"].includes(event.type) ? [] : [event],
  );
const told = (bench: CheckerBench) => bench.kernelStates.at(-1);
const row = (bench: CheckerBench, address: string) => {
  const { present, weight, why } = bench.states.get(`server/web/${address}:80`) ?? assert.fail(address);
  return [present, weight, why] as const;
};

describe("what the kernel lacks", () => {
  it("nothing, said once, however much happens", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A, B])]);
    await bench.time.advanceSettled(30 * SECOND);
    assert.deepEqual(bench.kernelStates, [WELL]);
    assert.deepEqual(events(bench), []);
  });

  for (const drift of ["repair", "report", "ignore"] as const)
    it(`a service that it refuses is told as long as it is refused, with an event at both ends (drift: ${drift})`, async () => {
      const bench = new CheckerBench();
      bench.drift = { drift, driftIntervalUs: 10 * SECOND };
      bench.kernel.schedulers.delete("wlc");
      bench.configure([service([A, B])]);
      await bench.time.advanceSettled(60 * SECOND);
      const status = told(bench);
      assert.deepEqual([status?.refused, status?.reasons], [3, [NO_SCHEDULER]]);
      assert.equal(status?.since, new Date(bench.time.wallMs() - 60_000).toISOString());
      const subject = { type: "kernel", subject: "kernel's table" } as const;
      const begun = { ...subject, from: null, to: "not as wanted", cause: NO_SCHEDULER };
      assert.deepEqual(events(bench), [begun]);
      assert.equal(bench.drifted?.differences, 0, "nobody else's doing");
      assert.ok(bench.kernelStates.length <= 4, "not again each second");

      bench.kernel.schedulers.add("wlc");
      await bench.time.advanceSettled(2 * SECOND);
      assert.deepEqual(told(bench), WELL);
      const over = { ...subject, from: "not as wanted", to: "as wanted", cause: `no more: ${NO_SCHEDULER}` };
      assert.deepEqual(events(bench), [begun, over]);
      assert.deepEqual(bench.table(), { "tcp://192.0.2.10:80": ["10.0.0.11:80 weight 1", "10.0.0.12:80 weight 1"] });
    });

  it("servers of a service that it refused are not in its table, whatever their checks say", async () => {
    const bench = new CheckerBench();
    bench.kernel.schedulers.delete("wlc");
    bench.configure([service([A, B])]);
    bench.checkers.answer = ({ address }) =>
      address === B.address ? REFUSE : { afterUs: 0, outcome: { passed: true, detail: "" } };
    await bench.time.advanceSettled(5 * SECOND);
    assert.deepEqual(row(bench, "10.0.0.11"), [
      false,
      0,
      "all checks pass; not in the kernel's table: the kernel does not have the service",
    ]);
    assert.match(row(bench, "10.0.0.12")[2], /^tcp fails/);
    bench.kernel.schedulers.add("wlc");
    await bench.time.advanceSettled(2 * SECOND);
    assert.deepEqual(row(bench, "10.0.0.11"), [true, 1, "all checks pass"]);
  });

  it("servers that it refused do not count for who tracks their service", async () => {
    const bench = new CheckerBench();
    bench.track = { scripts: [], services: ["web"] };
    bench.kernel.schedulers.delete("wlc");
    bench.configure([service([A, B])]);
    await bench.time.advanceSettled(5 * SECOND);
    assert.deepEqual(bench.facts.get(serviceFactKey("web")), { type: "service", serving: 0, servers: 2 });
    bench.kernel.schedulers.add("wlc");
    await bench.time.advanceSettled(2 * SECOND);
    assert.deepEqual(bench.facts.get(serviceFactKey("web")), { type: "service", serving: 2, servers: 2 });
  });

  it("one of two endpoints: its servers serve at the other one, and the problem says what is missing", async () => {
    const bench = new CheckerBench();
    const [http, https] = [80, 443].map((port) => ({ protocol: "tcp" as const, address: "192.0.2.10", port }));
    assert.ok(http !== undefined && https !== undefined);
    bench.configure([service([A], { listen: [http] })]);
    await bench.time.advanceSettled(2 * SECOND);
    bench.kernel.schedulers.delete("wlc");
    bench.configure([service([A], { listen: [http, https] })]);
    assert.deepEqual(row(bench, "10.0.0.11"), [true, 1, "all checks pass"]);
    assert.deepEqual(told(bench)?.refused, 2);
  });

  it("ten thousand servers: five of them are named, and two events told", async () => {
    const bench = new CheckerBench();
    bench.kernel.refusals.set(ADD_SERVER, EINVAL);
    const servers = Array.from({ length: 10_000 }, (_, i) =>
      server(80, { address: `10.1.${i >> 8}.${i & 255}`, checks: [] }),
    );
    bench.configure([service(servers)]);
    await bench.time.advanceSettled(3 * SECOND);
    const status = told(bench);
    assert.deepEqual([status?.refused, status?.reasons.length], [10_000, 5]);
    assert.match(status?.reasons[0] ?? "", /^service web: adding server 10\.1\.0\.0:80 of .*unusable/);
    assert.ok(bench.lines().length < 20, `${bench.lines().length} lines`);
    assert.ok([...bench.states.values()].every(({ present }) => !present));
    bench.kernel.refusals.clear();
    await bench.time.advanceSettled(2 * SECOND);
    assert.deepEqual(told(bench), WELL);
    assert.ok([...bench.states.values()].every(({ present, weight }) => present && weight === 1));
    assert.deepEqual(
      events(bench).map(({ from, to }) => `${from} -> ${to}`),
      ["null -> not as wanted", "not as wanted -> as wanted"],
    );
  }).timeout(20_000);

  it("a table that cannot be read: how much is missing is not known, and what was known of servers stands", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A, B])]);
    await bench.time.advanceSettled(2 * SECOND);
    bench.kernel.failure = new DirectorError("SYSTEM_CALL_FAILED", "sending failed: ENOBUFS");
    assert.equal(bench.checker.reconcile().remaining.length, 1);
    const status = told(bench);
    assert.equal(status?.refused, null);
    assert.match(
      status?.reasons.join() ?? "",
      /^the kernel's table could not be made as wanted: sending failed: ENOBUFS\. /,
    );
    assert.deepEqual(row(bench, "10.0.0.11"), [true, 1, "all checks pass"]);
    bench.kernel.failure = null;
    await bench.time.advanceSettled(2 * SECOND);
    assert.deepEqual(told(bench), WELL);
    assert.equal(events(bench).length, 2);
  });

  it("a service that it refuses and that leaves the configuration, or a stop, is no recovery to tell of a stop", () => {
    const bench = new CheckerBench();
    bench.kernel.schedulers.delete("wlc");
    bench.configure([service([{ ...A, checks: [] }])]);
    bench.configure([service([], { name: "other", scheduler: "rr" })]);
    assert.deepEqual(told(bench), WELL);
    bench.configure([service([{ ...A, checks: [] }])]);
    const before = events(bench).length;
    bench.checker.stop();
    assert.equal(events(bench).length, before);
  });
});

describe("settings that the kernel lacks", () => {
  const FORWARD: MissingSysctl = {
    name: "net.ipv4.ip_forward",
    value: "0",
    wanted: "1",
    why: "service web: replies are dropped",
    problem: "sysctl net.ipv4.ip_forward is 0, needed is 1. Run `sysctl -w net.ipv4.ip_forward=1`",
  };
  const subject = { type: "kernel", subject: "sysctl net.ipv4.ip_forward" } as const;

  it("are told from the start until somebody sets them, whatever is done about drift", async () => {
    const bench = new CheckerBench();
    bench.drift = { drift: "ignore", driftIntervalUs: 3_600 * SECOND };
    bench.missingSysctls = [FORWARD];
    bench.configure([service([A])]);
    await bench.time.advanceSettled(60 * SECOND);
    assert.deepEqual(told(bench)?.sysctls, [FORWARD.problem]);
    assert.equal(bench.lines().filter((line) => line.includes("ip_forward")).length, 1, "once while it lasts");
    bench.configure([service([A])]);
    assert.equal(bench.lines().filter((line) => line.includes("ip_forward")).length, 2, "and to who asks again");
    bench.missingSysctls = [];
    await bench.time.advanceSettled(10 * SECOND);
    assert.deepEqual(told(bench), WELL);
    assert.deepEqual(events(bench), [
      { ...subject, from: null, to: "0", cause: "needed is 1: service web: replies are dropped" },
      { ...subject, from: "0", to: "1", cause: "it is 1 now, as services need it" },
    ]);
  });

  it("are told when somebody changes one that was well", async () => {
    const bench = new CheckerBench();
    bench.configure([service([A])]);
    await bench.time.advanceSettled(60 * SECOND);
    bench.missingSysctls = [FORWARD];
    await bench.time.advanceSettled(10 * SECOND);
    assert.deepEqual(told(bench)?.sysctls, [FORWARD.problem]);
  });

  it("are no trouble any more when no service needs them, and are not looked at without services", async () => {
    const bench = new CheckerBench();
    bench.missingSysctls = [FORWARD];
    bench.configure([service([A])]);
    bench.missingSysctls = [];
    bench.neededSysctls = [];
    bench.configure([]);
    assert.deepEqual(told(bench), WELL);
    assert.deepEqual(events(bench).at(-1), { ...subject, from: "0", to: null, cause: "no service needs it any more" });
    const looks = bench.sysctlLooks;
    await bench.time.advanceSettled(60 * SECOND);
    assert.equal(bench.sysctlLooks, looks);
  });

  it("that were set back are told by that alone", async () => {
    const bench = new CheckerBench();
    bench.manageSysctls = true;
    bench.missingSysctls = [FORWARD];
    bench.configure([service([A])]);
    bench.missingSysctls = [];
    const event = { ...subject, type: "drift", from: "0", to: "1", cause: "it is needed" } as const;
    bench.sysctls = [{ level: "notice", source: "checker", message: "set", event }];
    await bench.time.advanceSettled(10 * SECOND);
    bench.sysctls = [];
    await bench.time.advanceSettled(60 * SECOND);
    assert.deepEqual(events(bench).slice(1), [event]);
    assert.deepEqual(told(bench), WELL);
  });
});
