import assert from "node:assert/strict";
import { scriptFactKey } from "../../src/app/messages.ts";
import type { GroupConfig, InstanceConfig, TrackConfig } from "../../src/config/model.ts";
import { FOLLOW_RETRY_US } from "../../src/vrrp/group.ts";
import { Dice } from "../sim/dice.ts";
import { EDGE, pairOf, SIDES, type Side, TwoSegments, type TwoSidedDirector } from "./two-sided.ts";
import { VirtualTime } from "./virtual-time.ts";

const FAULTS = 20;
const INTERVAL_US = 1_000_000;
const PREEMPT_DELAY_US = 3 * INTERVAL_US;
const KINDS = ["silent", "one-way", "loss", "carrier", "crash", "script", "handover", "mend"] as const;

/** Two or three directors on two segments, members of one group; the seed draws who they are and what befalls them. */
export class GroupSimulation {
  readonly #dice: Dice;
  readonly #time = new VirtualTime();
  readonly #net = new TwoSegments(this.#time);
  readonly #configs = new Map<TwoSidedDirector, readonly InstanceConfig[]>();
  readonly #group: GroupConfig;
  /** What happened, for whoever has to understand a failing seed. Bounded by the faults. */
  readonly story: string[] = [];
  /** `side from>to` of directions that carry nothing. */
  readonly #blocked = new Set<string>();
  readonly #delays = new Map<string, number>();
  #lossPercent = 0;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    const dice = this.#dice;
    this.#group = dice.roll() < 0.5 ? EDGE : { ...EDGE, instances: [...EDGE.instances].reverse() };
    this.#net.carry = (side, from, to) => this.#carry(side, from, to);
    const count = dice.between(2, 3);
    for (let number = 1; number <= count; number += 1) {
      const director = this.#net.join(`lb${number}`, 10 + number);
      const priority = dice.pick([50, 100, 100, 150, 254]);
      const preempt = dice.pick<InstanceConfig["preempt"]>([
        { mode: "always" },
        { mode: "always" },
        { mode: "never" },
        { mode: "delay", delayUs: PREEMPT_DELAY_US },
      ]);
      // Priorities and habits that contradict each other are a mistake; the group must not flap for it.
      const inner = dice.roll() < 0.5 ? {} : { priority: dice.pick([50, 100, 150, 254]) };
      const nothing: TrackConfig = { interfaces: [], scripts: [], services: [] };
      const track = trackOf(dice);
      const configs = pairOf(priority, { preempt, track }, { ...inner, track: nothing });
      this.#configs.set(director, configs);
      const [first, second] = configs;
      this.story.push(
        `${director.name}: ${first?.priority}/${second?.priority} ${preempt.mode} ${JSON.stringify(first?.track.scripts)}`,
      );
    }
    this.story.push(`led by ${this.#group.instances[0]}`);
  }

  /** Bad times, then good ones; throws where an invariant does not hold. */
  run(): void {
    for (const director of this.#net.directors) this.#start(director);
    for (let fault = 0; fault < FAULTS; fault += 1) {
      this.#befall(this.#dice.pick(KINDS), this.#dice.pick(this.#net.directors));
      this.#pass(this.#dice.between(0, 4 * INTERVAL_US));
    }
    this.#heal();
    this.#pass(30 * INTERVAL_US + PREEMPT_DELAY_US);
    // A member that served on because nobody answered tries again that late.
    this.#pass(FOLLOW_RETRY_US + 15 * INTERVAL_US);
    const where = SIDES.map((side) => this.#net.masters(side));
    assert.equal(where[0], where[1], `the members are master on ${where.join(" and ")}`);
    assert.match(where[0] ?? "", /^lb\d$/, `master of both: ${where[0]}`);
    for (const director of this.#net.directors) {
      for (const side of SIDES) assert.equal(director.held[side].size, director.name === where[0] ? 1 : 0);
    }
    const before = this.#transitions();
    this.#pass(3 * FOLLOW_RETRY_US);
    assert.equal(this.#transitions(), before, "no flap while nothing happens");
  }

  /** Lets time pass; addresses are held by masters only, and a fault of one member is one of both. */
  #pass(us: number): void {
    this.#time.advance(us);
    for (const director of this.#net.directors) {
      for (const side of SIDES) {
        const isMaster = director.phase(side) === "master";
        assert.equal(director.held[side].size > 0, isMaster, `${director.name} ${side}: ${director.phase(side)}`);
      }
      const [first, second] = SIDES.map((side) => director.phase(side) === "fault");
      assert.equal(first, second, `${director.name}: one member is in fault alone`);
    }
  }

  #start(director: TwoSidedDirector): void {
    this.#pass(this.#dice.between(0, 2 * INTERVAL_US));
    director.judge(scriptFactKey("out4", "disk"), { type: "script", isPassing: true, reason: "" });
    director.configure(this.#configs.get(director) ?? [], [this.#group]);
  }

  #befall(kind: (typeof KINDS)[number], director: TwoSidedDirector): void {
    const { name } = director;
    const side = this.#dice.pick(SIDES);
    this.story.push(`${this.#time.nowUs()}: ${kind} ${name} ${side}`);
    if (kind === "loss") this.#lossPercent = this.#dice.pick([0, 10, 40]);
    else if (kind === "mend") this.#blocked.clear();
    else if (kind === "one-way") this.#blocked.add(`${side} ${name}>${this.#dice.pick(this.#net.directors).name}`);
    else if (kind === "silent") this.#cut(director, side);
    else if (kind === "carrier") director.carrier(side, !director.up.has(side));
    else if (kind === "script") this.#judge(director, this.#dice.roll() < 0.5);
    else if (kind === "handover" && director.isRunning) void director.router.handover("in4");
    else if (kind === "crash" && director.isRunning) director.crash();
    else if (kind === "crash") director.configure(this.#configs.get(director) ?? [], [this.#group]);
  }

  #cut({ name }: TwoSidedDirector, side: Side): void {
    for (const other of this.#net.directors) {
      this.#blocked.add(`${side} ${name}>${other.name}`);
      this.#blocked.add(`${side} ${other.name}>${name}`);
    }
  }

  #judge(director: TwoSidedDirector, isPassing: boolean): void {
    director.judge(scriptFactKey("out4", "disk"), { type: "script", isPassing, reason: "full" });
  }

  #heal(): void {
    this.story.push(`${this.#time.nowUs()}: whole again`);
    this.#lossPercent = 0;
    this.#blocked.clear();
    for (const director of this.#net.directors) {
      for (const side of SIDES) director.carrier(side, true);
      this.#judge(director, true);
      if (!director.isRunning) director.configure(this.#configs.get(director) ?? [], [this.#group]);
    }
  }

  #transitions(): number {
    return this.#net.directors.flatMap(({ log }) => log.filter(({ message }) => message.includes(" -> "))).length;
  }

  #carry(side: Side, from: string, to: string): number | null {
    const way = `${side} ${from}>${to}`;
    if (this.#blocked.has(way) || this.#dice.roll() * 100 < this.#lossPercent) return null;
    const known = this.#delays.get(way) ?? this.#dice.between(20, 3_000);
    this.#delays.set(way, known);
    return known;
  }
}

/** Nothing, a script that is needed, or one that weighs. */
function trackOf(dice: Dice): TrackConfig {
  const weight = dice.pick(["none", null, -60, 40] as const);
  const script = {
    name: "disk",
    command: ["/bin/true"] as const,
    intervalUs: INTERVAL_US,
    timeoutUs: INTERVAL_US,
    rise: 1,
    fall: 1,
  };
  return { interfaces: [], services: [], scripts: weight === "none" ? [] : [{ ...script, weight }] };
}
