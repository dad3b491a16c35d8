import assert from "node:assert/strict";
import type { InstanceConfig } from "../../src/config/model.ts";
import type { VirtualDirector } from "./virtual-director.ts";
import { instance, VirtualSegment } from "./virtual-segment.ts";
import { VirtualTime } from "./virtual-time.ts";

const VIP = "192.0.2.10";
const VIP_CIDR = `${VIP}/24`;
/** Directors start, and are cut, flapped, stopped and so on this often before everything is whole again. */
const FAULTS = 25;

/** Pseudo-random numbers from a seed (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 ≤ n < 1 */
  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + Math.floor(this.roll() * (high - low + 1));
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.between(0, items.length - 1)];
    assert.ok(item !== undefined);
    return item;
  }
}

/** What the fault of the moment is about. */
type Fault =
  | "loss"
  | "one-way"
  | "cut"
  | "flap"
  | "crash"
  | "stop"
  | "stall"
  | "new-device"
  | "lost-address"
  | "reload"
  | "mend";
const KINDS: readonly Fault[] = [
  ...([
    "loss",
    "one-way",
    "cut",
    "flap",
    "crash",
    "stop",
    "stall",
    "new-device",
    "lost-address",
    "reload",
    "mend",
  ] as const),
];

/** Lets the event loop turn once: a director looks for lost addresses only when all news has been heard. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Several directors on one segment; the seed draws who they are and what befalls them. */
export class Simulation {
  readonly #dice: Dice;
  readonly #time = new VirtualTime();
  readonly #segment = new VirtualSegment(this.#time);
  /** By name; two to four. */
  readonly #configs = new Map<string, InstanceConfig>();
  readonly #down = new Set<string>();
  /** What happened, for whoever has to understand a failing seed. Bounded by the faults. */
  readonly story: string[] = [];
  #lossPercent = 0;
  /** `from>to` of directions that carry nothing; as many as there are pairs. */
  readonly #blocked = new Set<string>();
  readonly #delays = new Map<string, number>();
  readonly #baseUs: number;
  readonly #slowestUs: number;
  readonly #preemptDelayUs: number;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    const dice = this.#dice;
    this.#baseUs = dice.pick([100_000, 1_000_000]);
    this.#preemptDelayUs = 3 * this.#baseUs;
    const count = dice.between(2, 4);
    for (let number = 1; number <= count; number += 1) {
      const name = `lb${number}`;
      const config = instance(dice.pick([50, 100, 100, 150, 254]), {
        advertIntervalUs: dice.roll() < 0.85 ? this.#baseUs : 2 * this.#baseUs,
        preempt: dice.pick<InstanceConfig["preempt"]>([
          { mode: "always" },
          { mode: "always" },
          { mode: "never" },
          { mode: "delay", delayUs: this.#preemptDelayUs },
        ]),
      });
      this.#configs.set(name, config);
      this.#segment.join(name, 10 + number);
      this.story.push(`${name}: priority ${config.priority}, ${config.advertIntervalUs} µs, ${config.preempt.mode}`);
    }
    this.#slowestUs = 2 * this.#baseUs;
    this.#segment.wire = { carry: (from, to) => this.#carry(from, to) };
  }

  /** Bad times, then good ones; throws where an invariant does not hold. */
  async run(): Promise<void> {
    for (const director of this.#segment.members) {
      this.#time.advance(this.#dice.between(0, this.#baseUs));
      director.restart(this.#configOf(director));
    }
    for (let fault = 0; fault < FAULTS; fault += 1) {
      this.#befall(this.#dice.pick(KINDS), this.#dice.pick(this.#segment.members));
      await settle();
      this.#time.advance(this.#dice.between(0, 3 * this.#baseUs));
    }
    this.#heal();
    await settle();
    const before = this.#masters();
    this.#assertSettles();
    // One that was alone all the time has no reason to announce again; any other outcome has cost an announcement.
    if (before.length !== 1 || before[0] !== this.#masters()[0]) this.#assertClientsKnow();
    for (const director of this.#segment.members) director.router.shutdown();
    assert.deepEqual(this.#holders(), [], "nothing is left after a stop");
  }

  #befall(kind: Fault, director: VirtualDirector): void {
    const { name } = director;
    this.story.push(`${this.#time.nowUs()}: ${kind} ${name}`);
    if (kind === "loss") this.#lossPercent = this.#dice.pick([0, 10, 40]);
    else if (kind === "one-way") this.#blocked.add(`${name}>${this.#dice.pick(this.#segment.members).name}`);
    else if (kind === "cut") director.cable = !director.cable;
    else if (kind === "mend") this.#blocked.clear();
    else if (kind === "flap" && director.hasLink) director.setLink({ isUp: this.#dice.roll() < 0.5 });
    else if (kind === "flap") director.setLink({ isUp: true, index: director.nextIndex() });
    else if (kind === "crash") this.#crash(director);
    else if (kind === "stop") this.#stop(director);
    else if (kind === "new-device") this.#newDevice(director);
    else if (kind === "lost-address") director.loseAddress(VIP_CIDR);
    else if (kind === "reload") this.#reload(director);
    else if (director.isStalled) director.resume(this.#dice.roll() < 0.5);
    else director.stall();
  }

  #crash(director: VirtualDirector): void {
    if (this.#down.delete(director.name)) director.restart(this.#configOf(director));
    else {
      this.#down.add(director.name);
      director.crash();
    }
  }

  #stop(director: VirtualDirector): void {
    if (director.isStalled || this.#down.has(director.name)) return;
    director.router.shutdown();
    assert.deepEqual(director.held, [], `${director.name} left addresses after a stop`);
    this.#down.add(director.name);
    director.crash();
  }

  #newDevice(director: VirtualDirector): void {
    const kind = this.#dice.pick(["deleted", "renamed", "replaced"]);
    if (kind === "deleted") director.setLink(null);
    else if (kind === "renamed") director.rename();
    else director.setLink({ index: director.nextIndex() });
  }

  #reload(director: VirtualDirector): void {
    if (director.isStalled || this.#down.has(director.name)) return;
    const config = { ...this.#configOf(director), priority: this.#dice.pick([50, 100, 150, 254]) };
    this.#configs.set(director.name, config);
    director.router.configure({ instances: [config] });
  }

  #heal(): void {
    this.story.push(`${this.#time.nowUs()}: whole again`);
    this.#lossPercent = 0;
    this.#blocked.clear();
    for (const director of this.#segment.members) {
      director.cable = true;
      director.setLink(director.hasLink ? { isUp: true } : { isUp: true, index: director.nextIndex() });
      director.resume(this.#dice.roll() < 0.5);
      if (this.#down.delete(director.name)) director.restart(this.#configOf(director));
    }
  }

  /** The longest down interval, and the wire. */
  get #boundUs(): number {
    return 4 * this.#slowestUs + 2 * this.#baseUs;
  }

  #assertSettles(): void {
    this.#time.advance(this.#boundUs);
    this.#assertOneMaster("one bound after everything was whole");
    // Preemption may now ask for another master, once; a delay adds up.
    this.#time.advance(this.#boundUs + this.#preemptDelayUs + 5_000_000);
    this.#assertOneMaster("after preemption");
    const [master] = this.#masters();
    assert.ok(master !== undefined);
    this.#assertRightMaster(master);
    const before = this.#transitions();
    this.#time.advance(30 * this.#baseUs);
    this.#assertOneMaster("in the end");
    assert.equal(this.#transitions(), before, "no flap while nothing happens");
  }

  #assertClientsKnow(): void {
    const [master] = this.#masters();
    assert.equal(this.#segment.neighbours.get(VIP), master?.mac.replaceAll(":", ""), "clients send to the master");
  }

  #assertOneMaster(when: string): void {
    // An advert that hands over may be on its way.
    if (this.#masters().length !== 1) this.#time.advance(20_000);
    assert.equal(this.#masters().length, 1, `${when}: ${this.#masters().map(({ name }) => name)} are masters`);
    assert.deepEqual(
      this.#holders(),
      this.#masters().map(({ name }) => name),
      `${when}: the address is where the master is`,
    );
  }

  #assertRightMaster(master: VirtualDirector): void {
    const { priority } = this.#configOf(master);
    for (const [name, other] of this.#configs) {
      const rules = other.preempt.mode !== "never" && other.priority > priority;
      assert.ok(!rules, `${name} has priority ${other.priority} and preempts, but ${master.name} is master`);
    }
  }

  #masters(): VirtualDirector[] {
    return this.#segment.members.filter(({ phase }) => phase === "master");
  }

  #holders(): string[] {
    return this.#segment.members.filter(({ held }) => held.includes(VIP_CIDR)).map(({ name }) => name);
  }

  #transitions(): number {
    return this.#segment.members.flatMap(({ log }) => log.filter(({ message }) => message.includes(" -> "))).length;
  }

  #configOf({ name }: VirtualDirector): InstanceConfig {
    const config = this.#configs.get(name);
    assert.ok(config !== undefined);
    return config;
  }

  #carry(from: string, to: string): readonly number[] {
    const way = `${from}>${to}`;
    if (this.#blocked.has(way) || this.#dice.roll() * 100 < this.#lossPercent) return [];
    const known = this.#delays.get(way);
    if (known !== undefined) return [known];
    const delayUs = this.#dice.between(20, 3_000);
    this.#delays.set(way, delayUs);
    return [delayUs];
  }
}
