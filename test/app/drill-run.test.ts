import assert from "node:assert/strict";
import type { ProbeRun, ProbeSource } from "../../src/app/drill-probe.ts";
import { DrillRun } from "../../src/app/drill-run.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import type { InstanceConfig } from "../../src/config/model.ts";
import { defaultLimits } from "../../src/drill/limits.ts";
import type { DrillKind, DrillSettings } from "../../src/drill/model.ts";
import { formatProbeLine } from "../../src/drill/probe-lines.ts";
import { type DrillReport, reportOf } from "../../src/drill/report.ts";
import type { ReplyOutcome } from "../../src/ipc/messages.ts";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { instance, VirtualSegment } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const EVERY = 10_000;
const TIMEOUT = 200_000;
const VIP = "192.0.2.10";
/** The prober's clock began at another time. */
const SKEW = 7_000_000;

/** Asks who the client's neighbour table says has the address. */
class VirtualProber implements ProbeSource {
  readonly viewpoint = { from: "client", isLocal: false };
  readonly #time: VirtualTime;
  readonly #isServed: () => boolean;
  #end: (reason: string) => void = () => undefined;
  isAsking = false;

  constructor(time: VirtualTime, isServed: () => boolean) {
    this.#time = time;
    this.#isServed = isServed;
  }

  start(_settings: unknown, events: { onLine(line: string): void; onEnd(reason: string): void }): ProbeRun {
    this.isAsking = true;
    this.#end = events.onEnd;
    const startUs = this.#time.nowUs();
    const ask = (id: number): void => {
      if (!this.isAsking) return;
      const sentUs = this.#time.nowUs() - startUs + SKEW;
      const tookUs = this.#isServed() ? 300 : null;
      this.#time.after(tookUs ?? TIMEOUT, () =>
        events.onLine(
          formatProbeLine({ type: "sample", id, sentUs, tookUs, reason: tookUs === null ? "no answer" : "" }).trimEnd(),
        ),
      );
      this.#time.after(EVERY, () => ask(id + 1));
    };
    ask(0);
    return { end: () => this.stop("told to", TIMEOUT + 1), kill: () => this.stop("killed", 0) };
  }

  stop(reason: string, afterUs = 0): void {
    if (!this.isAsking) return;
    this.isAsking = false;
    this.#time.after(afterUs, () => this.#end(reason));
  }
}

describe("a drill, on two simulated directors", () => {
  let time: VirtualTime;
  let segment: VirtualSegment;
  let lb1: VirtualDirector;
  let lb2: VirtualDirector;
  let prober: VirtualProber;
  let run: DrillRun;
  /** Whether the client's questions arrive. */
  let isReachable = true;
  const configs = new Map<VirtualDirector, InstanceConfig>();

  function start(first: Partial<InstanceConfig> = {}, second: Partial<InstanceConfig> = {}): void {
    time = new VirtualTime();
    segment = new VirtualSegment(time);
    lb1 = segment.join("lb1", 11);
    lb2 = segment.join("lb2", 12);
    configs.set(lb1, instance(150, first)).set(lb2, instance(100, second));
    for (const director of [lb1, lb2]) {
      director.restart(configOf(director));
      time.advance(8 * SECOND);
    }
    assert.equal(lb1.phase, "master");
    isReachable = true;
    prober = new VirtualProber(time, () => {
      const holder = segment.members.find(({ held, cable }) => cable && held.some((cidr) => cidr.startsWith(VIP)));
      return isReachable && holder !== undefined && segment.neighbours.get(VIP) === holder.mac.replaceAll(":", "");
    });
  }

  function configOf(director: VirtualDirector): InstanceConfig {
    const config = configs.get(director);
    assert.ok(config !== undefined);
    return config;
  }

  async function command(name: string, argument: unknown): Promise<ReplyOutcome> {
    try {
      const value = await lb1.act((router) => {
        if (name === "handover") return router.handover(String(argument));
        if (name === "reclaim") return router.reclaim(String(argument));
        const { instance: wanted, forUs } = argument as { readonly instance: string; readonly forUs: number };
        return router.silence(wanted, forUs);
      });
      return { ok: true, value };
    } catch (thrown) {
      assert.ok(thrown instanceof DirectorError);
      return { ok: false, code: thrown.code, message: thrown.message };
    }
  }

  /** @param meanwhile is called again and again */
  async function drill(
    kind: DrillKind,
    meanwhile: () => void = () => {},
    change: Partial<DrillSettings> = {},
  ): Promise<DrillReport> {
    const { advertIntervalUs } = configOf(lb1);
    const settings: DrillSettings = {
      kind,
      instance: "web4",
      advertIntervalUs,
      probe: { target: `icmp://${VIP}`, everyUs: EVERY, timeoutUs: TIMEOUT },
      limits: defaultLimits(kind, { advertIntervalUs, everyUs: EVERY, peerPriority: 100 }),
      returns: true,
      ...change,
    };
    run = new DrillRun(settings, {
      clock: time,
      alarms: time,
      source: prober,
      command,
      masterships: () => {
        const status = lb1.states.get("instance/web4");
        return status?.phase === "master" ? status.counters.becameMaster : null;
      },
    });
    let outcome: Awaited<ReturnType<DrillRun["run"]>> | null = null;
    void run.run().then((ended) => {
      outcome = ended;
    });
    for (let turns = 0; outcome === null; turns += 1) {
      assert.ok(turns < 40_000, `the drill does not end: ${run.phase}`);
      time.advance(5_000);
      await new Promise((resolve) => setImmediate(resolve));
      run.standingChanged();
      meanwhile();
    }
    const { state, samples } = outcome as Awaited<ReturnType<DrillRun["run"]>>;
    const heading = { id: "x", startedAt: "", node: "lb1", askedBy: "a test", viewpoint: prober.viewpoint };
    return reportOf(heading, settings, state, samples);
  }

  for (const advertIntervalUs of [SECOND, 100_000, 10_000]) {
    for (const kind of ["handover", "takeover"] as const) {
      it(`a ${kind} at ${advertIntervalUs / 1000} ms passes, and the address is back`, async () => {
        start({ advertIntervalUs }, { advertIntervalUs });
        const report = await drill(kind);
        assert.deepEqual([report.result, report.reasons], ["passed", []]);
        assert.deepEqual(
          [report.successor, report.hasReturned, lb1.phase, lb2.phase],
          [lb2.address, true, "master", "backup"],
        );
        const gapUs = report.event?.gapUs ?? 0;
        if (kind === "handover") assert.ok(gapUs <= 2 * EVERY, `${gapUs}`);
        else assert.ok(gapUs > 2 * advertIntervalUs && gapUs < 3.7 * advertIntervalUs + 2 * EVERY, `${gapUs}`);
      });
    }
  }

  it("comes back also to a node that does not preempt, and does not make it preempt later", async () => {
    start({ preempt: { mode: "never" } });
    for (const kind of ["handover", "takeover"] as const) {
      const report = await drill(kind);
      assert.deepEqual([report.result, lb1.phase], ["passed", "master"], report.reasons.join());
      prober.stop("");
    }
    void command("handover", "web4");
    time.advance(60 * SECOND);
    assert.equal(lb2.phase, "master");
  });

  it("stays with the peer where that is wanted", async () => {
    start();
    const report = await drill("handover", undefined, { returns: false });
    assert.deepEqual([report.result, report.hasReturned, lb2.phase], ["passed", null, "master"]);
  });

  it("without a peer nothing is risked", async () => {
    start();
    lb2.crash();
    for (const kind of ["handover", "takeover"] as const) {
      const report = await drill(kind);
      assert.equal(report.result, "refused");
      assert.match(report.reasons.join(), /^no peer is heard: no other director answered within/);
      assert.equal(lb1.masterships, 1, "it was master all the time");
    }
  });

  it("an address that does not answer is not drilled", async () => {
    start();
    isReachable = false;
    const report = await drill("takeover");
    assert.deepEqual([report.result, report.reasons], ["refused", [`icmp://${VIP} does not answer: no answer`]]);
  });

  it("a slow successor fails the drill, with the numbers", async () => {
    start();
    // Its process gets no turn for a while.
    let stalledUs = 0;
    const report = await drill("takeover", () => {
      if (run.phase === "event" && stalledUs === 0) {
        lb2.stall();
        stalledUs = time.nowUs();
      }
      if (lb2.isStalled && time.nowUs() > stalledUs + 4_200_000) lb2.resume(true);
    });
    assert.equal(report.result, "failed");
    assert.match(report.reasons.join("; "), /the gap was \d+(\.\d+)?s, of at most 3\.679s/);
    assert.equal(lb1.phase, "master");
  });

  it("nobody takes over: it serves again at once, and that is a failed drill", async () => {
    start();
    const report = await drill("takeover", () => {
      if (run.phase === "event") lb2.cable = false;
    });
    assert.equal(report.result, "failed");
    assert.match(
      report.reasons.join("; "),
      /web4: nobody took over: drill: nobody took over within 4\.5s; serving again/,
    );
    assert.equal(lb1.phase, "master");
  });

  it("a peer of higher priority keeps the address: failed, and said so", async () => {
    start({ priority: 150 }, { priority: 200, preempt: { mode: "never" } });
    const report = await drill("handover");
    assert.equal(report.result, "failed");
    assert.match(report.reasons.join("; "), /198\.51\.100\.12 did not give the address back in time/);
    assert.deepEqual([report.hasReturned, lb2.phase], [false, "master"]);
  });

  for (const phase of ["asking", "proving", "reverting", "calm", "event", "steady", "return", "settling"]) {
    it(`a probe that ends in phase ${phase}, and a director that stops then, leave nobody without the address`, async () => {
      for (const what of ["probe", "stop"] as const) {
        start();
        let isDone = false;
        const report = await drill("takeover", () => {
          if (run.phase !== phase || isDone) return;
          isDone = true;
          if (what === "probe") prober.stop("somebody killed it");
          else run.abort("the director stops");
        });
        assert.ok(isDone, `phase ${phase} was reached`);
        assert.notEqual(report.result, "passed", `${what}: ${report.reasons}`);
        time.advance(4 * SECOND);
        await new Promise((resolve) => setImmediate(resolve));
        time.advance(20 * SECOND);
        assert.deepEqual([lb1.phase, lb2.phase], ["master", "backup"], what);
      }
    });
  }
});
