import assert from "node:assert/strict";
import type { InstanceConfig } from "../../src/config/model.ts";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { instance, VirtualSegment } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";
import type { Pace } from "./bounds.ts";
import { Conduct } from "./conduct.ts";
import { Dice } from "./dice.ts";

export const VIP = "192.0.2.10";
export const VIP_CIDR = `${VIP}/24`;
const SECOND_VIP = { address: "192.0.2.11", prefixLength: 32 } as const;
const FIRST_VIP = { address: VIP, prefixLength: 24 } as const;

/** The longest way of a frame while nothing is wrong with the network. */
const WIRE_US = 3_000;
const PRIORITIES = [50, 100, 100, 150, 254];

/** Lets the event loop turn once: a director looks for lost addresses only when all news has been heard. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The directors of one seed, their network and their clock. */
export class Scene {
  readonly dice: Dice;
  readonly time = new VirtualTime();
  readonly segment = new VirtualSegment(this.time);
  /** What happened, for whoever has to understand a failing seed. Bounded by the faults. */
  readonly story: string[] = [];
  readonly baseUs: number;
  readonly preemptDelayUs: number;
  /** Whether directors move to another virtual router and back: then one address has two masters for a while. */
  readonly hasMoves: boolean;
  /** Whether masters play dead for a drill. In few seeds, so that the others tell the stories that they always told. */
  readonly hasSilences: boolean;
  /** What is wrong with the network now. */
  lossPercent = 0;
  duplicatePercent = 0;
  jitterUs = 0;
  /** `from>to` of directions that carry nothing; as many as there are pairs. */
  readonly blocked = new Set<string>();
  /** By name; two to five. */
  readonly #configs = new Map<string, InstanceConfig>();
  readonly #conducts = new Map<string, Conduct>();
  readonly #delays = new Map<string, number>();

  constructor(seed: number) {
    this.dice = new Dice(seed);
    const { dice } = this;
    this.baseUs = dice.pick([100_000, 1_000_000]);
    this.preemptDelayUs = 3 * this.baseUs;
    this.hasMoves = dice.roll() < 0.3;
    this.hasSilences = seed % 5 === 0;
    this.time.alarmLateUs = dice.pick([0, 0, 300, 2_000]);
    this.segment.wire = { carry: (from, to) => this.#carry(from, to) };
    const count = dice.between(2, 5);
    for (let number = 1; number <= count; number += 1) this.#cast(`lb${number}`, 10 + number);
  }

  get directors(): readonly VirtualDirector[] {
    return this.segment.members;
  }

  get pace(): Pace {
    return { slowestUs: this.slowestUs, wireUs: WIRE_US, lateUs: this.time.alarmLateUs };
  }

  /** The longest interval that anybody here is given. */
  get slowestUs(): number {
    return 2 * this.baseUs;
  }

  configOf({ name }: VirtualDirector): InstanceConfig {
    const config = this.#configs.get(name);
    assert.ok(config !== undefined);
    return config;
  }

  conductOf({ name }: VirtualDirector): Conduct {
    const conduct = this.#conducts.get(name);
    assert.ok(conduct !== undefined);
    return conduct;
  }

  /** Another configuration for a director that runs. */
  reload(director: VirtualDirector, change: Partial<InstanceConfig>): void {
    const config = { ...this.configOf(director), ...change };
    this.#configs.set(director.name, config);
    this.conductOf(director).excuse(config.advertIntervalUs);
    director.act((router) => router.configure({ instances: [config] }));
    this.tell(`${director.name}: ${describe(config)}`);
  }

  boot(director: VirtualDirector): void {
    const config = this.configOf(director);
    this.conductOf(director).reborn(config.advertIntervalUs);
    director.restart(config);
  }

  /** What a reload may change. */
  draw(): Partial<InstanceConfig> {
    const { dice } = this;
    return {
      priority: dice.roll() < 0.05 ? 255 : dice.pick(PRIORITIES),
      advertIntervalUs: dice.roll() < 0.85 ? this.baseUs : 2 * this.baseUs,
      preempt: dice.pick<InstanceConfig["preempt"]>([
        { mode: "always" },
        { mode: "always" },
        { mode: "never" },
        { mode: "delay", delayUs: this.preemptDelayUs },
      ]),
      addresses: dice.roll() < 0.8 ? [FIRST_VIP] : [SECOND_VIP, FIRST_VIP],
    };
  }

  masters(): VirtualDirector[] {
    return this.directors.filter(({ phase }) => phase === "master");
  }

  /** Running directors that have the address. */
  holders(): VirtualDirector[] {
    return this.directors.filter(({ held, isRunning }) => isRunning && held.includes(VIP_CIDR));
  }

  tell(what: string): void {
    this.story.push(`${this.time.nowUs()}: ${what}`);
  }

  assertNothingLeft({ name, held, copies, isQuiet }: VirtualDirector): void {
    assert.deepEqual([...held, ...copies], [], `${name} left addresses after a stop`);
    assert.equal(isQuiet, false, `${name} was left not answering ARP`);
  }

  #cast(name: string, lastByte: number): void {
    const drawn = this.draw();
    const config = instance(100, drawn);
    this.#configs.set(name, config);
    const director = this.segment.join(name, lastByte);
    const conduct = new Conduct(director, this.time, config.advertIntervalUs, this.slowestUs);
    director.onlooker = conduct;
    this.#conducts.set(name, conduct);
    this.tell(`${name}: ${describe(config)}`);
  }

  #carry(from: string, to: string): readonly number[] {
    const { dice } = this;
    const way = `${from}>${to}`;
    if (this.blocked.has(way) || dice.roll() * 100 < this.lossPercent) return [];
    const first = this.#delay(way);
    return dice.roll() * 100 < this.duplicatePercent ? [first, this.#delay(way)] : [first];
  }

  #delay(way: string): number {
    let delayUs = this.#delays.get(way);
    if (delayUs === undefined) {
      delayUs = this.dice.between(20, WIRE_US);
      this.#delays.set(way, delayUs);
    }
    return this.jitterUs === 0 ? delayUs : delayUs + this.dice.between(0, this.jitterUs);
  }
}

function describe({ priority, advertIntervalUs, preempt, addresses, vrid }: InstanceConfig): string {
  return `priority ${priority}, ${advertIntervalUs} µs, preempt ${preempt.mode}, ${addresses.length} addresses, vrid ${vrid}`;
}
