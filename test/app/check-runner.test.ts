import assert from "node:assert/strict";
import { CheckRunner, type CheckRunnerEvent, type IsServing } from "../../src/app/check-runner.ts";
import { notRun } from "../../src/checks/outcome.ts";
import type { ServiceConfig } from "../../src/config/model.ts";
import { scriptCheck, server, service, tcpCheck } from "../support/check-configs.ts";
import { FakeCheckers, HANG, PASS, REFUSE } from "../support/fake-checkers.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const MS = 1_000;
const SECOND = 1_000_000;

/** Interval 1 s, timeout 500 ms, rise 2, fall 3; with the draw 0 the first attempt begins at once. */
function rig(draw: () => number = () => 0) {
  const time = new VirtualTime();
  const startUs = time.nowUs();
  const checkers = new FakeCheckers(time);
  /** Events with the time since the start, as a test reads them best. */
  const log: string[] = [];
  const events: CheckRunnerEvent[] = [];
  const runner = new CheckRunner({
    clock: time,
    alarms: time,
    random: draw,
    createFactory: () => checkers.factory,
    onEvent: (event) => {
      events.push(event);
      log.push(`${(time.nowUs() - startUs) / MS}ms ${describeEvent(event)}`);
    },
  });
  const configure = (services: readonly ServiceConfig[], isServing?: IsServing, maxConcurrentScripts = 64) =>
    runner.reconfigure({ services, maxConcurrentScripts }, isServing);
  return { time, startUs, checkers, log, events, runner, configure };
}

function describeEvent(event: CheckRunnerEvent): string {
  switch (event.type) {
    case "check":
      return `${event.check} ${event.from}->${event.to}: ${event.reason}`;
    case "server":
      return `${event.server} ${event.to === null ? "gone" : `${event.to.verdict} ${event.to.present} ${event.to.weight}`}`;
    case "notRun":
      return `${event.check} not run: ${event.reason}`;
  }
}

/** 0, 0.01, 0.02 …: one check after the other comes due. */
function inTurn(): () => number {
  let next = -1;
  return () => {
    next += 1;
    return next / 100;
  };
}

/** A generator of numbers that look random and are the same in every run. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("app/check-runner", () => {
  describe("times", () => {
    it("the first outcome decides at once; a dead server leaves after exactly interval × fall + timeout", async () => {
      const { time, checkers, log, configure } = rig();
      configure([service([server(1)])]);
      await time.advanceSettled(2 * SECOND);
      assert.deepEqual(log.splice(0), [
        "0ms 10.0.0.1:1 unknown false 0",
        "0ms tcp unknown->up: fine",
        "0ms 10.0.0.1:1 up true 1",
      ]);
      // It dies just after the attempt at 2 s, the worst moment.
      checkers.answer = () => HANG;
      await time.advanceSettled(3 * SECOND + 500 * MS - 1);
      assert.deepEqual(log, []);
      await time.advanceSettled(1);
      assert.deepEqual(log, ["5500ms tcp up->down: nothing came", "5500ms 10.0.0.1:1 down false 0"]);
    });

    it("a refusing server leaves with its third refusal and returns with its second pass", async () => {
      const { time, checkers, log, configure } = rig();
      configure([service([server(1)])]);
      await time.advanceSettled(500 * MS);
      log.length = 0;
      checkers.answer = () => REFUSE;
      await time.advanceSettled(4 * SECOND);
      checkers.answer = () => PASS;
      await time.advanceSettled(3 * SECOND);
      assert.deepEqual(log, [
        "3000ms tcp up->down: refused",
        "3000ms 10.0.0.1:1 down false 0",
        "6000ms tcp down->up: fine",
        "6000ms 10.0.0.1:1 up true 1",
      ]);
    });

    it("a server that the kernel already served from stays up until fall failures in a row", async () => {
      const { time, checkers, log, configure } = rig();
      checkers.answer = () => REFUSE;
      configure([service([server(1), server(2)])], (_service, { port }) => port === 1);
      await time.advanceSettled(2 * SECOND);
      assert.deepEqual(log, [
        "0ms 10.0.0.1:1 up true 1",
        "0ms 10.0.0.1:2 unknown false 0",
        "0ms tcp unknown->down: refused",
        "0ms 10.0.0.1:2 down false 0",
        "2000ms tcp up->down: refused",
        "2000ms 10.0.0.1:1 down false 0",
      ]);
    });

    it("an attempt is aborted at its deadline, and the next one begins at its slot", async () => {
      const { time, startUs, checkers, runner, configure } = rig();
      checkers.answer = () => HANG;
      configure([service([server(1)])]);
      await time.advanceSettled(500 * MS - 1);
      assert.equal(checkers.aborted, 0);
      await time.advanceSettled(1);
      assert.equal(checkers.aborted, 1);
      await time.advanceSettled(SECOND);
      assert.deepEqual(checkers.startsOf(1), [startUs, startUs + SECOND]);
      const [check] = runner.snapshot()[0]?.checks ?? [];
      assert.deepEqual([check?.lastReason, check?.last, check?.latencyUs], ["timeout", "nothing came", 500 * MS]);
    });

    for (const timeoutUs of [500 * MS, SECOND]) {
      it(`with timers a millisecond late and a timeout of ${timeoutUs / MS} ms it leaves within a few of them`, async () => {
        const { time, checkers, log, configure } = rig();
        time.alarmLateUs = MS;
        configure([service([server(1, { checks: [tcpCheck({ timeoutUs })] })])]);
        await time.advanceSettled(2 * SECOND + 10 * MS);
        checkers.answer = () => HANG;
        log.length = 0;
        await time.advanceSettled(3 * SECOND + timeoutUs + 100 * MS);
        assert.match(log[0] ?? "", /tcp up->down: nothing came$/);
        assert.ok(Number.parseInt(log[0] ?? "", 10) <= (5 * SECOND + timeoutUs) / MS + 15, log[0]);
      });
    }

    it("with a timeout longer than the interval, slots under an attempt are missed, never doubled", async () => {
      const { time, startUs, checkers, runner, configure } = rig();
      checkers.answer = () => ({ ...PASS, afterUs: 2_300 * MS });
      configure([service([server(1, { checks: [tcpCheck({ timeoutUs: 5 * SECOND })] })])]);
      await time.advanceSettled(9_500 * MS);
      const starts = checkers.startsOf(1).map((us) => us - startUs);
      assert.deepEqual(starts, [0, 3 * SECOND, 6 * SECOND, 9 * SECOND]);
      assert.equal(checkers.overlaps, 0);
      assert.equal(runner.snapshot()[0]?.checks[0]?.missed, 6);
    });
  });

  describe("ten thousand checks", () => {
    const COUNT = 10_000;
    const many = service(Array.from({ length: COUNT }, (_, index) => server(index + 1)));

    it("begin evenly over the interval, each exactly once in it, and slow ones delay nobody", async () => {
      const { time, startUs, checkers, runner, configure } = rig(pseudoRandom(7));
      // Every third server hangs until the deadline.
      checkers.answer = ({ port }) => (port % 3 === 0 ? HANG : PASS);
      configure([many]);
      await time.advanceSettled(3 * SECOND);
      const perBucket = new Map<number, number>();
      const perServer = new Map<number, number[]>();
      for (const { atUs, target } of checkers.starts) {
        const bucket = Math.floor((atUs - startUs) / (10 * MS));
        perBucket.set(bucket, (perBucket.get(bucket) ?? 0) + 1);
        perServer.set(target.port, [...(perServer.get(target.port) ?? []), atUs]);
      }
      // 100 expected in 10 ms; six standard deviations of that are 60.
      assert.equal(perBucket.size, 300);
      assert.ok(Math.max(...perBucket.values()) <= 160, `${Math.max(...perBucket.values())} in 10 ms`);
      for (const [port, [first = 0, second = 0, third = 0]] of perServer) {
        assert.deepEqual([second - first, third - second], [SECOND, SECOND], `server ${port} was shifted`);
      }
      assert.equal(perServer.size, COUNT);
      const statistics = runner.statistics();
      assert.equal(statistics.attemptsPerSecond, COUNT);
      assert.equal(statistics.maxLateUs, 0);
      assert.equal(statistics.checks, COUNT);
      runner.stop();
    });
  });

  describe("when the process did not get to run", () => {
    it("an answer that waited during the stall still counts", async () => {
      const { time, checkers, log, configure } = rig();
      configure([service([server(1)])]);
      await time.advanceSettled(500 * MS);
      log.length = 0;
      const waiting = { ...PASS, afterUs: 2_500 * MS + 100 };
      checkers.answer = () => waiting;
      await time.advanceSettled(600 * MS);
      // The deadline (500 ms) passes unnoticed; the answer is read a little after the process runs again.
      time.stall(2_500 * MS);
      await time.advanceSettled(1);
      assert.equal(checkers.aborted, 0);
      await time.advanceSettled(100 * MS);
      assert.equal(checkers.aborted, 0);
      assert.deepEqual(log, []);
    });

    it("the deadline is moved once only, by no more than the timeout", async () => {
      const { time, checkers, configure } = rig();
      checkers.answer = () => HANG;
      configure([service([server(1)])]);
      await time.advanceSettled(100 * MS);
      time.stall(10 * SECOND);
      await time.advanceSettled(500 * MS - 1);
      assert.equal(checkers.aborted, 0);
      // A second stall, over the moved deadline.
      time.stall(3 * SECOND);
      await time.advanceSettled(1);
      assert.equal(checkers.aborted, 1);
    });

    it("one late attempt begins at once, the missed slots are counted, the cadence stays", async () => {
      const { time, startUs, checkers, runner, configure } = rig();
      configure([service([server(1)])]);
      await time.advanceSettled(100 * MS);
      time.stall(3_400 * MS);
      await time.advanceSettled(2 * SECOND);
      const starts = checkers.startsOf(1).map((us) => us - startUs);
      assert.deepEqual(starts, [0, 3_500 * MS, 4 * SECOND, 5 * SECOND]);
      assert.equal(runner.snapshot()[0]?.checks[0]?.missed, 2);
      assert.equal(runner.statistics().maxLateUs, 2_500 * MS);
    });

    it("an attempt that ignores its abort is given up, and its late outcome is not heard", async () => {
      const { time, checkers, log, runner, configure } = rig();
      checkers.answer = () => ({ ...PASS, afterUs: 1_700 * MS, isDeaf: true });
      configure([service([server(1)])]);
      await time.advanceSettled(1_499 * MS);
      assert.equal(log.length, 1);
      await time.advanceSettled(1 * MS);
      assert.match(log[1] ?? "", /^1500ms tcp unknown->down: the attempt did not end/);
      await time.advanceSettled(300 * MS);
      assert.equal(runner.snapshot()[0]?.decision.verdict, "down");
      assert.equal(runner.snapshot()[0]?.checks[0]?.lastReason, "stuck");
    });
  });

  describe("what becomes of a server", () => {
    it("all checks must pass, the first results of all are awaited", async () => {
      const { time, checkers, log, configure } = rig();
      checkers.answer = ({ check }) => (check === "b" ? { ...PASS, afterUs: 200 * MS } : PASS);
      configure([service([server(1, { checks: [tcpCheck({ name: "a" }), tcpCheck({ name: "b" })] })])]);
      await time.advanceSettled(300 * MS);
      assert.deepEqual(log, [
        "0ms 10.0.0.1:1 unknown false 0",
        "0ms a unknown->up: fine",
        "200ms b unknown->up: fine",
        "200ms 10.0.0.1:1 up true 1",
      ]);
    });

    it("onDown: quiesce keeps it present with weight 0", async () => {
      const { time, checkers, log, configure } = rig();
      checkers.answer = () => REFUSE;
      configure([service([server(1)], { onDown: "quiesce" })]);
      await time.advanceSettled(1);
      assert.equal(log.at(-1), "0ms 10.0.0.1:1 down true 0");
    });

    it("without checks it is up from the start", () => {
      const { log, configure } = rig();
      configure([service([server(1, { checks: [], weight: 9 })])]);
      assert.deepEqual(log, ["0ms 10.0.0.1:1 up true 9"]);
    });

    it("a script's weight becomes the server's, and every change of it is told", async () => {
      const { time, checkers, log, configure } = rig();
      let weight = 10;
      checkers.answer = () => ({ afterUs: 0, outcome: { passed: true, weight, detail: "load" } });
      configure([service([server(1, { checks: [scriptCheck({ setsWeight: true })] })])]);
      await time.advanceSettled(500 * MS);
      weight = 3;
      await time.advanceSettled(2 * SECOND);
      checkers.answer = () => PASS;
      await time.advanceSettled(SECOND);
      assert.deepEqual(
        log.filter((line) => line.includes("10.0.0.1")),
        [
          "0ms 10.0.0.1:1 unknown false 0",
          "0ms 10.0.0.1:1 up true 10",
          "1000ms 10.0.0.1:1 up true 3",
          "3000ms 10.0.0.1:1 up true 1",
        ],
      );
    });

    it("a machine short of descriptors says so once, and blames no server", async () => {
      const { time, checkers, log, runner, configure } = rig();
      configure([service([server(1)])]);
      await time.advanceSettled(500 * MS);
      log.length = 0;
      checkers.answer = () => ({ afterUs: 0, outcome: notRun("local_resources", "EMFILE") });
      await time.advanceSettled(10 * SECOND);
      assert.deepEqual(log, ["1000ms tcp not run: local_resources"]);
      assert.equal(runner.snapshot()[0]?.checks[0]?.notRun, 10);
      checkers.answer = () => PASS;
      await time.advanceSettled(SECOND);
      checkers.answer = () => ({ afterUs: 0, outcome: notRun("local_resources", "EMFILE") });
      await time.advanceSettled(SECOND);
      assert.deepEqual(log, ["1000ms tcp not run: local_resources", "12000ms tcp not run: local_resources"]);
    });
  });

  describe("scripts", () => {
    const scripts = (count: number) =>
      service(Array.from({ length: count }, (_, index) => server(index + 1, { checks: [scriptCheck()] })));

    it("run no more than scripts.maxConcurrent at once, in the order in which they came due", async () => {
      const { time, startUs, checkers, log, configure } = rig(inTurn());
      checkers.answer = () => ({ ...PASS, afterUs: 300 * MS });
      configure([scripts(6)], undefined, 2);
      await time.advanceSettled(999 * MS);
      assert.equal(checkers.maxRunning, 2);
      const starts = checkers.starts.map(({ atUs, target }) => [target.port, (atUs - startUs) / MS]);
      assert.deepEqual(starts, [
        [1, 0],
        [2, 10],
        [3, 300],
        [4, 310],
        [5, 600],
        [6, 610],
      ]);
      assert.ok(!log.some((line) => line.includes("not run")));
    });

    it("one that got no slot in its interval is told once, is no failure, and keeps its place", async () => {
      const { time, checkers, log, runner, configure } = rig();
      // Four scripts of 700 ms in one slot: a round takes 2.8 s of a 1 s interval.
      checkers.answer = () => ({ ...PASS, afterUs: 700 * MS });
      const slow = service(
        [1, 2, 3, 4].map((port) => server(port, { checks: [scriptCheck({ timeoutUs: 900 * MS })] })),
      );
      configure([slow], undefined, 1);
      await time.advanceSettled(SECOND);
      assert.equal(runner.statistics().waiting, 3);
      assert.deepEqual(
        log.filter((line) => line.includes("not run")),
        ["1000ms script not run: no_slot", "1000ms script not run: no_slot"],
      );
      await time.advanceSettled(30 * SECOND);
      const perServer = [1, 2, 3, 4].map((port) => checkers.startsOf(port).length);
      assert.ok(Math.min(...perServer) >= 10 && Math.max(...perServer) <= 12, `unfair: ${perServer}`);
      assert.equal(checkers.maxRunning, 1);
      assert.ok(!log.some((line) => line.includes("down")));
    });

    it("a waiting script delays no other check", async () => {
      const { time, startUs, checkers, configure } = rig();
      checkers.answer = ({ check }) => (check === "script" ? HANG : PASS);
      const mixed = [1, 2, 3].map((port) => server(port, { checks: [scriptCheck(), tcpCheck()] }));
      configure([service(mixed)], undefined, 1);
      await time.advanceSettled(3 * SECOND);
      const tcp = checkers.starts.filter(({ target }) => target.check === "check" || target.check === "tcp");
      const instants = [...new Set(tcp.map(({ atUs }) => atUs - startUs))];
      assert.deepEqual(instants, [0, SECOND, 2 * SECOND, 3 * SECOND]);
      assert.equal(tcp.length, 12);
    });

    it("a script that hangs gives its slot back at its deadline", async () => {
      const { time, checkers, configure } = rig();
      checkers.answer = ({ port }) => (port === 1 ? HANG : PASS);
      configure([scripts(2)], undefined, 1);
      await time.advanceSettled(500 * MS - 1);
      assert.deepEqual(checkers.startsOf(2), []);
      await time.advanceSettled(1);
      assert.equal(checkers.startsOf(2).length, 1);
    });
  });

  describe("what attempts came to", () => {
    it("counts those that passed, failed and could not be made, and the time that they took together", async () => {
      const { time, checkers, runner, configure } = rig();
      const answers = [
        { ...PASS, afterUs: 100 * MS },
        { ...REFUSE, afterUs: 30 * MS },
        { afterUs: 0, outcome: notRun("no_slot", "no slot") },
        { ...PASS, afterUs: 20 * MS },
      ];
      checkers.answer = () => answers.shift() ?? HANG;
      configure([service([server(1)])]);
      await time.advanceSettled(3 * SECOND + 100 * MS);
      const check = runner.snapshot()[0]?.checks[0];
      assert.deepEqual([check?.attempts, check?.failed, check?.notRun], [3, 1, 1]);
      assert.deepEqual([check?.latencyUs, check?.latencySumUs], [20 * MS, 150 * MS]);
    });
  });

  describe("a new configuration", () => {
    it("keeps the verdict, the schedule and the attempt under way of checks that did not change", async () => {
      const { time, startUs, checkers, log, runner, configure } = rig();
      checkers.answer = () => ({ ...PASS, afterUs: 100 * MS });
      configure([service([server(1)])]);
      await time.advanceSettled(2 * SECOND + 50 * MS);
      const before = runner.snapshot();
      log.length = 0;
      configure([service([server(1), server(2)])]);
      assert.deepEqual(runner.snapshot()[0], before[0]);
      assert.deepEqual(log.splice(0), ["2050ms 10.0.0.1:2 unknown false 0"]);
      await time.advanceSettled(SECOND);
      assert.equal(checkers.aborted, 0);
      assert.equal(runner.snapshot()[0]?.checks[0]?.attempts, 3);
      const starts = checkers.startsOf(1).map((us) => us - startUs);
      assert.deepEqual(starts, [0, SECOND, 2 * SECOND, 3 * SECOND]);
    });

    it("does not take out a server that is up because its check changed", async () => {
      const { time, checkers, log, runner, configure } = rig();
      configure([service([server(1)])]);
      await time.advanceSettled(100 * MS);
      log.length = 0;
      checkers.answer = () => REFUSE;
      configure([service([server(1, { checks: [tcpCheck({ port: 8080 })] })])]);
      assert.deepEqual(log, []);
      assert.equal(runner.snapshot()[0]?.checks[0]?.isAssumed, true);
      assert.equal(checkers.closed, 1);
      await time.advanceSettled(3 * SECOND);
      assert.deepEqual(log, ["2100ms tcp up->down: refused", "2100ms 10.0.0.1:1 down false 0"]);
    });

    it("gives a server that is down the benefit of a changed check at once", async () => {
      const { time, checkers, log, configure } = rig();
      checkers.answer = () => REFUSE;
      configure([service([server(1)])]);
      await time.advanceSettled(100 * MS);
      checkers.answer = () => PASS;
      log.length = 0;
      configure([service([server(1, { checks: [tcpCheck({ port: 8080 })] })])]);
      await time.advanceSettled(1);
      assert.deepEqual(log.slice(1), ["100ms tcp unknown->up: fine", "100ms 10.0.0.1:1 up true 1"]);
    });

    it("aborts and forgets what is gone, and tells it", async () => {
      const { time, checkers, log, runner, configure } = rig();
      checkers.answer = () => HANG;
      configure([service([server(1), server(2)])]);
      await time.advanceSettled(100 * MS);
      log.length = 0;
      configure([service([server(2)])]);
      assert.deepEqual(log, ["100ms 10.0.0.1:1 gone"]);
      assert.deepEqual([checkers.aborted, checkers.closed, checkers.running], [1, 1, 1]);
      await time.advanceSettled(3 * SECOND);
      assert.equal(checkers.startsOf(1).length, 1);
      assert.equal(runner.statistics().checks, 1);
    });

    it("tells a changed weight and a changed onDown at once", async () => {
      const { time, checkers, log, configure } = rig();
      checkers.answer = ({ port }) => (port === 1 ? PASS : REFUSE);
      configure([service([server(1), server(2)])]);
      await time.advanceSettled(100 * MS);
      log.length = 0;
      configure([service([server(1, { weight: 7 }), server(2)], { onDown: "quiesce" })]);
      assert.deepEqual(log, ["100ms 10.0.0.1:1 up true 7", "100ms 10.0.0.1:2 down true 0"]);
    });

    it("gives waiting scripts the slots that it frees or adds", async () => {
      const { time, checkers, configure } = rig(inTurn());
      checkers.answer = () => ({ ...PASS, afterUs: 400 * MS });
      const script = (port: number) => server(port, { checks: [scriptCheck()] });
      configure([service([1, 2, 3, 4].map(script))], undefined, 1);
      await time.advanceSettled(100 * MS);
      assert.equal(checkers.running, 1);
      configure([service([2, 3, 4].map(script))], undefined, 2);
      await time.advanceSettled(0);
      assert.deepEqual(
        checkers.starts.map(({ target }) => target.port),
        [1, 2, 3],
      );
      assert.equal(checkers.running, 2);
    });

    it("the same server in two services is two servers", async () => {
      const { time, checkers, runner, configure } = rig();
      configure([service([server(1)], { name: "a" }), service([server(1)], { name: "b" })]);
      await time.advanceSettled(1);
      assert.deepEqual(
        checkers.starts.map(({ target }) => target.service),
        ["a", "b"],
      );
      assert.deepEqual(
        runner.snapshot().map((entry) => `${entry.service} ${entry.server}`),
        ["a 10.0.0.1:1", "b 10.0.0.1:1"],
      );
    });
  });

  it("shows single servers and parts of all, each once in a round", () => {
    const { runner, configure } = rig();
    configure([service([1, 2, 3, 4, 5].map((port) => server(port)))]);
    assert.equal(runner.snapshotServer("web", "10.0.0.1:3")?.server, "10.0.0.1:3");
    assert.equal(runner.snapshotServer("mail", "10.0.0.1:3"), undefined);
    const seen: string[] = [];
    let next = 0;
    for (let part = 0; part < 3; part += 1) {
      const shown = runner.snapshotPart(next, 2);
      seen.push(...shown.servers.map((shownServer) => shownServer.server));
      next = shown.next;
    }
    assert.equal(next, 0);
    assert.deepEqual(
      seen,
      runner.snapshot().map((shownServer) => shownServer.server),
    );
  });

  it("stop aborts what is under way and tells nothing more", async () => {
    const { time, checkers, log, runner, configure } = rig();
    checkers.answer = () => HANG;
    configure(
      [service([server(1), server(2, { checks: [scriptCheck(), scriptCheck({ name: "script-2" })] })])],
      undefined,
      1,
    );
    await time.advanceSettled(100 * MS);
    log.length = 0;
    runner.stop();
    assert.deepEqual([checkers.aborted, checkers.running, checkers.closed], [2, 0, 3]);
    await time.advanceSettled(5 * SECOND);
    assert.deepEqual(log, []);
    assert.equal(checkers.starts.length, 2);
    assert.deepEqual(runner.statistics(), {
      checks: 0,
      running: 0,
      waiting: 0,
      attemptsPerSecond: runner.statistics().attemptsPerSecond,
      maxLateUs: 0,
    });
    assert.deepEqual(runner.snapshot(), []);
  });

  it("predicts what a new configuration decides, without taking it", async () => {
    const { time, checkers, runner, configure } = rig();
    const [tcp, other] = [tcpCheck(), tcpCheck({ name: "tcp-2", port: 81 })];
    const sets = scriptCheck({ setsWeight: true });
    const at = (host: number, checks: Parameters<typeof server>[1]) =>
      server(80, { address: `10.0.0.${host}`, ...checks });
    checkers.answer = (target) => {
      if (target.address === "10.0.0.2") return REFUSE;
      return target.check === "script" ? { ...PASS, outcome: { passed: true, weight: 40, detail: "" } } : PASS;
    };
    configure([service([at(1, { checks: [tcp] }), at(2, { checks: [tcp] }), at(3, { checks: [sets] })])]);
    await time.advanceSettled(2 * SECOND);
    const next = [
      service(
        [
          at(1, { checks: [tcp, other], weight: 9 }),
          at(2, { checks: [tcp] }),
          at(3, { checks: [sets], weight: 5 }),
          at(4, { checks: [tcp] }),
          at(5, { checks: [tcp] }),
          at(6, { checks: [] }),
        ],
        { onDown: "quiesce" },
      ),
    ];
    const isServing: IsServing = (_service, { address }) => address === "10.0.0.5";
    const before = runner.snapshot().map(({ server: name, decision }) => [name, decision]);
    const predicted = runner.predict(next, isServing);
    assert.deepEqual(
      runner.snapshot().map(({ server: name, decision }) => [name, decision]),
      before,
    );
    assert.equal(runner.hasNews(next), true);
    configure(next, isServing);
    assert.equal(runner.hasNews(next), false);
    const decided = runner.snapshot().map(({ server: name, decision }) => [name, decision]);
    assert.deepEqual(
      predicted.map(({ server: name, decision }) => [name, decision]),
      decided,
    );
    assert.deepEqual(
      decided.map(([, decision]) => (decision as { weight: number }).weight),
      [9, 0, 40, 0, 1, 1],
    );
  });
});
