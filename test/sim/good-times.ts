import assert from "node:assert/strict";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { downUs, resignUs, settleUs, skewUs } from "./bounds.ts";
import { type Scene, settle, VIP } from "./scene.ts";

/** The second burst of gratuitous ARPs, and the last word of a farewell before it. */
const ANNOUNCED_US = 5_000_000;

/** Longer than any drill here. */
const DRILL_US = 600_000_000;

const WAYS = ["handover", "handover", "stop", "stop", "crash", "stop-at-once"] as const;
/** Plays dead, and comes back when another one serves. */
const DRILL = "drill";
type Way = (typeof WAYS)[number] | typeof DRILL;

/** Who is master is at first what bad times made of it; then one master after another is taken away. */
export class GoodTimes {
  readonly #scene: Scene;
  /** Those that run. */
  #up: readonly VirtualDirector[];

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#up = scene.directors;
  }

  async run(): Promise<void> {
    const before = this.#scene.masters();
    this.#assertSettles();
    // One that was alone all the time has no reason to announce again; any other outcome has cost an announcement. Those who
    // were masters of another virtual router were not known to it.
    const wasAlone = before.length === 1 && before[0] === this.#master();
    if (!wasAlone && !this.#scene.hasMoves) this.#assertClientsKnow();
    for (let turn = 0; turn <= this.#scene.directors.length && this.#up.length > 1; turn += 1) await this.#succession();
    await this.#endAll();
  }

  #assertSettles(): void {
    const { time, pace, preemptDelayUs } = this.#scene;
    time.advance(settleUs(pace));
    this.#assertOneMaster("one bound after everything was whole");
    // Preemption may now ask for another master, once; a delay adds up.
    time.advance(settleUs(pace) + preemptDelayUs + ANNOUNCED_US);
    this.#assertOneMaster("after preemption");
    this.#assertRightMaster();
    this.#assertQuiet();
  }

  /** Nothing happens: one advert each interval, and nobody changes. */
  #assertQuiet(): void {
    const { time, directors } = this.#scene;
    const master = this.#master();
    const changes = () => directors.map(({ masterships }) => masterships);
    const before = changes();
    const sent = new Map(directors.map((director) => [director, director.sent.length]));
    time.advance(10 * this.#scene.configOf(master).advertIntervalUs);
    assert.deepEqual(changes(), before, "no flap while nothing happens");
    for (const director of directors) {
      const count = director.sent.length - (sent.get(director) ?? 0);
      const expected = director === master ? 10 : 0;
      assert.ok(Math.abs(count - expected) <= (director === master ? 1 : 0), `${director.name} sent ${count} adverts`);
    }
    this.#assertOneMaster("in the end");
  }

  #assertOneMaster(when: string): void {
    // An advert that hands over may be on its way.
    if (this.#scene.masters().length !== 1) this.#scene.time.advance(20_000);
    const masters = this.#scene.masters();
    assert.equal(masters.length, 1, `${when}: ${masters.map(({ name }) => name)} are masters`);
    const holders = this.#scene.directors.filter(({ held, isRunning }) => isRunning && held.length > 0);
    assert.deepEqual(holders, masters, `${when}: addresses are where the master is`);
    const [master] = masters;
    assert.ok(master !== undefined);
    const { addresses } = this.#scene.configOf(master);
    assert.equal(master.held.length, addresses.length, `${when}: all of them`);
  }

  #assertRightMaster(): void {
    const master = this.#master();
    const { priority } = this.#scene.configOf(master);
    for (const other of this.#up) {
      other.router.publishAll();
      const config = this.#scene.configOf(other);
      const isResting = other.states.get("instance/web4")?.isResting === true;
      const preempts = config.preempt.mode !== "never" || config.priority === 255;
      const rules = !isResting && preempts && config.priority > priority;
      assert.ok(!rules, `${other.name} has priority ${config.priority} and preempts, but ${master.name} is master`);
    }
  }

  #assertClientsKnow(): void {
    const { mac, name } = this.#master();
    assert.equal(this.#scene.segment.neighbours.get(VIP), mac.replaceAll(":", ""), `clients send to ${name}`);
  }

  /** The master goes in one way or another, and the best of the others follows it. */
  async #succession(): Promise<void> {
    const { dice, time, directors } = this.#scene;
    const master = this.#master();
    const way = this.#scene.hasSilences && dice.roll() < 0.4 ? DRILL : dice.pick(WAYS);
    const candidates = this.#up.filter((director) => director !== master).sort((a, b) => this.#compare(b, a));
    const best = this.#likely(candidates, master);
    const names = best.map(({ name }) => name).join(" or ");
    this.#scene.tell(`${way} of ${master.name}: ${names} should follow`);
    const before = new Map(directors.map((director) => [director, director.masterships]));
    time.advance(dice.between(0, this.#scene.configOf(master).advertIntervalUs));
    const ended = this.#take(master, way);
    this.#waitForSuccessor(master, best, way);
    time.advance(20_000);
    const took = candidates.filter((director) => director.masterships > (before.get(director) ?? 0));
    const early = took.filter((director) => !best.includes(director));
    assert.deepEqual(early, [], `${names} should have taken over, by the order of the skews`);
    assert.equal(this.#master(), took[0], "of those that took over the best remains");
    // Two that took over at the same moment announced both; the one that remains does so once more within a second.
    if (took.length > 1) time.advance(1_000_000);
    this.#assertClientsKnow();
    time.advance(ANNOUNCED_US + 2 * this.#scene.slowestUs);
    await settle();
    assert.ok(ended(), `the ${way} of ${master.name} does not end`);
    if (way === "stop") {
      this.#scene.assertNothingLeft(master);
      master.crash();
    }
    if (way === DRILL) return this.#assertReturns(master);
    if (way !== "handover") this.#up = this.#up.filter((director) => director !== master);
    this.#assertOneMaster(`after the ${way} of ${master.name}`);
    const highest = Math.max(...candidates.map((director) => this.#scene.configOf(director).priority));
    const isHighest = took[0] !== undefined && this.#scene.configOf(took[0]).priority === highest;
    // The one that handed over rests, and nobody else has a better claim.
    if (isHighest) assert.equal(this.#master(), took[0], "the successor is left alone");
    this.#assertRightMaster();
    this.#assertClientsKnow();
  }

  /** It takes the address back from a lower one, also where it does not preempt; another one keeps it. */
  #assertReturns(master: VirtualDirector): void {
    const { time, pace, preemptDelayUs } = this.#scene;
    const successor = this.#master();
    const outranks = this.#scene.configOf(master).priority > this.#scene.configOf(successor).priority;
    master.act((router) => router.reclaim("web4"));
    time.advance(settleUs(pace) + preemptDelayUs + ANNOUNCED_US);
    this.#assertOneMaster(`after the return of ${master.name}`);
    if (outranks) assert.equal(this.#master(), master, "it takes the address back");
    this.#assertRightMaster();
    this.#assertClientsKnow();
  }

  /** @returns whether that has ended, for whoever asks later */
  #take(master: VirtualDirector, way: Way): () => boolean {
    let hasEnded = false;
    const end = () => {
      hasEnded = true;
    };
    if (way === "handover") void master.act((router) => router.handover("web4")).then(end);
    else if (way === "stop") void master.act((router) => router.stop()).then(end);
    else if (way === DRILL) {
      void master
        .act((router) => router.silence("web4", DRILL_US))
        .then(({ 0: report }) => {
          hasEnded = report !== undefined && report.successor !== null;
        });
      assert.deepEqual(master.held, [], "a dead machine has no address");
    } else {
      if (way === "stop-at-once") {
        master.act((router) => router.shutdown());
        this.#scene.assertNothingLeft(master);
      }
      master.crash();
      end();
    }
    return () => hasEnded;
  }

  #waitForSuccessor(master: VirtualDirector, best: readonly VirtualDirector[], way: Way): void {
    const { time, pace } = this.#scene;
    const { advertIntervalUs } = this.#scene.configOf(master);
    const priority = Math.min(...best.map((director) => this.#scene.configOf(director).priority));
    const waitUs =
      way === "crash" || way === DRILL ? downUs(priority, advertIntervalUs) : skewUs(priority, advertIntervalUs);
    const isMakeBeforeBreak = way === "handover" || way === "stop";
    if (isMakeBeforeBreak) {
      time.watch = () => assert.ok(this.#scene.holders().length > 0, `nobody has the address during the ${way}`);
    }
    time.advance(waitUs + 2 * pace.wireUs + pace.lateUs);
    time.watch = null;
    const followers = this.#scene.masters().filter((director) => director !== master);
    assert.ok(followers.length > 0, `${master.name} is followed in time`);
    if (isMakeBeforeBreak) assert.notEqual(master.phase, "master", `${master.name} goes when it is followed`);
  }

  /**
   * Who may follow: the shortest skew, and those so close to it that the way of an advert decides. Ways differ in length: the
   * timers of two directors start that much apart, and so late may an advert stop the second.
   * @param candidates the best one first
   */
  #likely(candidates: readonly VirtualDirector[], master: VirtualDirector): readonly VirtualDirector[] {
    const { pace } = this.#scene;
    const { advertIntervalUs } = this.#scene.configOf(master);
    const waits = candidates.map((director) => skewUs(this.#scene.configOf(director).priority, advertIntervalUs));
    const blurUs = 2 * pace.wireUs + pace.lateUs;
    return candidates.filter((_, index) => (waits[index] ?? 0) - (waits[0] ?? 0) <= blurUs);
  }

  /** Everybody ends: the last one has nobody to hand over to. */
  async #endAll(): Promise<void> {
    const { time, dice } = this.#scene;
    if (dice.roll() < 0.3) {
      for (const director of this.#up) {
        director.act((router) => router.shutdown());
        this.#scene.assertNothingLeft(director);
      }
      return;
    }
    let ended = 0;
    for (const director of this.#up) {
      void director
        .act((router) => router.stop())
        .then(() => {
          ended += 1;
        });
    }
    const { slowestUs } = this.#scene;
    time.advance(resignUs(slowestUs) + 1_000_000 + 8 * time.alarmLateUs);
    await settle();
    assert.equal(ended, this.#up.length, "every stop ends");
    for (const director of this.#up) this.#scene.assertNothingLeft(director);
  }

  /** By priority, then by address: who is master of two that speak. */
  #compare(a: VirtualDirector, b: VirtualDirector): number {
    const order = this.#scene.configOf(a).priority - this.#scene.configOf(b).priority;
    return order === 0 ? this.#scene.directors.indexOf(a) - this.#scene.directors.indexOf(b) : order;
  }

  #master(): VirtualDirector {
    const [master] = this.#scene.masters();
    assert.ok(master !== undefined, "somebody is master");
    return master;
  }
}
