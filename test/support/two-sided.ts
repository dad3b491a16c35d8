import assert from "node:assert/strict";
import { instanceKey, type VrrpFact } from "../../src/app/messages.ts";
import { VrrpRouter } from "../../src/app/vrrp-router.ts";
import { type Cidr, formatCidr, type IpText } from "../../src/base/ip.ts";
import type { GroupConfig, InstanceConfig } from "../../src/config/model.ts";
import type { InstanceStatus } from "../../src/control/status.ts";
import type { LogEntry } from "../../src/ports/logger.ts";
import type { ReceivedPacket } from "../../src/ports/packet-socket.ts";
import type { InterfaceState } from "../../src/sys/link-monitor.ts";
import { VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import { instance } from "./virtual-segment.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** The two sides of a nat director: its clients on eth0, its servers on eth1. */
export const SIDES = ["eth0", "eth1"] as const;
export type Side = (typeof SIDES)[number];
/** The instance of each side. */
export const NAMES: Readonly<Record<Side, string>> = { eth0: "out4", eth1: "in4" };
export const EDGE: GroupConfig = { name: "edge", instances: ["out4", "in4"] };

const VIRTUAL: Readonly<Record<Side, string>> = { eth0: "192.0.2.10", eth1: "10.0.0.1" };
const NETWORKS: Readonly<Record<Side, string>> = { eth0: "198.51.100.", eth1: "10.0.0." };

/** The two instances of a director, with the same settings but for what is told. */
export function pairOf(
  priority: number,
  change: Partial<InstanceConfig> = {},
  inner: Partial<InstanceConfig> = {},
): readonly InstanceConfig[] {
  const address = (side: Side) => [{ address: VIRTUAL[side], prefixLength: 32 }];
  return [
    instance(priority, { name: "out4", interface: "eth0", vrid: 51, addresses: address("eth0"), ...change }),
    instance(priority, { name: "in4", interface: "eth1", vrid: 52, addresses: address("eth1"), ...change, ...inner }),
  ];
}

/** A director with two interfaces, each on a segment of its own; a process with the real router that can crash and come back. */
export class TwoSidedDirector {
  readonly name: string;
  /** Bounded by the test. */
  readonly log: LogEntry[] = [];
  readonly states = new Map<string, InstanceStatus>();
  readonly facts = new Map<string, VrrpFact>();
  /** By side, the virtual addresses that are held. */
  readonly held: Readonly<Record<Side, Set<string>>> = { eth0: new Set(), eth1: new Set() };
  /** Sides with carrier. */
  readonly up = new Set<Side>(SIDES);
  isRunning = false;
  router: VrrpRouter;
  readonly #lastByte: number;
  readonly #time: VirtualTime;
  readonly #send: (side: Side, packet: ReceivedPacket) => void;
  readonly #receivers = new Map<Side, (packet: ReceivedPacket) => void>();
  #life = 0;

  constructor(name: string, lastByte: number, time: VirtualTime, send: (side: Side, packet: ReceivedPacket) => void) {
    this.name = name;
    this.#lastByte = lastByte;
    this.#time = time;
    this.#send = send;
    this.router = this.#boot();
  }

  address(side: Side): IpText {
    return `${NETWORKS[side]}${this.#lastByte}`;
  }

  phase(side: Side): InstanceStatus["phase"] | undefined {
    return this.states.get(instanceKey(NAMES[side]))?.phase;
  }

  /** The sides of which it is master. */
  get master(): readonly Side[] {
    return SIDES.filter((side) => this.phase(side) === "master");
  }

  get lines(): readonly string[] {
    return this.log.map(({ message }) => message);
  }

  configure(instances: readonly InstanceConfig[], groups: readonly GroupConfig[] = [EDGE]): void {
    if (!this.isRunning) this.router = this.#boot();
    this.isRunning = true;
    this.router.configure({ instances, groups });
  }

  /** The process is killed, and what it put on the interfaces is removed by the next one; here at once. */
  crash(): void {
    this.#life += 1;
    this.isRunning = false;
    this.#receivers.clear();
    this.states.clear();
    for (const side of SIDES) this.held[side].clear();
  }

  carrier(side: Side, isUp: boolean): void {
    if (isUp) this.up.add(side);
    else this.up.delete(side);
    if (this.isRunning) this.router.linkChanged(side);
  }

  judge(key: string, fact: VrrpFact): void {
    this.facts.set(key, fact);
    if (this.isRunning) this.router.factsChanged();
  }

  arrive(side: Side, packet: ReceivedPacket): void {
    if (this.up.has(side)) this.#receivers.get(side)?.(packet);
  }

  #link(side: Side): InterfaceState {
    return {
      name: side,
      index: side === "eth0" ? 2 : 3,
      isUp: this.up.has(side),
      mac: `02:00:00:00:00:${this.#lastByte.toString(16).padStart(2, "0")}`,
      hasArp: true,
      addresses: [...this.held[side]].map((text) => ({
        interfaceIndex: 2,
        address: { address: text.split("/")[0] ?? "", prefixLength: 32 },
        flags: 0,
        scope: 0,
        protocol: 112,
        label: null,
      })),
      primaryIpv4: this.address(side),
    };
  }

  #boot(): VrrpRouter {
    this.#life += 1;
    const life = this.#life;
    const sideOf = (index: number): Side => (index === 2 ? "eth0" : "eth1");
    return new VrrpRouter({
      clock: this.#time,
      alarms: { create: (onDue) => this.#time.create(() => (life === this.#life ? onDue() : undefined)) },
      logger: { log: (entry) => this.log.push(entry) },
      link: (name) => SIDES.filter((side) => side === name).map((side) => this.#link(side))[0],
      hearLinks: () => undefined,
      arp: { keepQuiet: () => null },
      memory: () => ({ remember: () => undefined, forget: () => undefined }),
      fact: (key) => this.facts.get(key),
      publish: (key, state) => {
        if (state === null) this.states.delete(key);
        else this.states.set(key, state);
      },
      addresses: {
        add: ({ index }, wanted: readonly Cidr[]) =>
          wanted.map((cidr) => {
            this.held[sideOf(index)].add(formatCidr(cidr));
            return { type: "added" };
          }),
        remove: ({ index }, going: readonly Cidr[]) =>
          going.map((cidr) => ({ type: this.held[sideOf(index)].delete(formatCidr(cidr)) ? "removed" : "absent" })),
      },
      sockets: {
        openVrrp: ({ index }, onPacket) => {
          const side = sideOf(index);
          this.#receivers.set(side, onPacket);
          return {
            send: (message, source) => {
              const packet = { message: Buffer.from(message), source, destination: VRRP_GROUP_IPV4, ttl: 255 };
              if (this.up.has(side)) this.#send(side, packet);
              return 0;
            },
            drain: () => undefined,
            close: () => this.#receivers.delete(side),
          };
        },
        openTap: () => null,
        openUdp: () => assert.fail("no instance speaks UDP"),
        announceUnframed: () => assert.fail("no instance speaks UDP"),
        openFrames: () => ({ send: () => 0, close: () => undefined }),
      },
    });
  }
}

/** Two segments with a director on both each. */
export class TwoSegments {
  readonly time: VirtualTime;
  /** Bounded by what a test joins. */
  readonly directors: TwoSidedDirector[] = [];
  /** Microseconds on the way, or null if the frame is lost. */
  carry: (side: Side, from: string, to: string) => number | null = () => 100;

  constructor(time: VirtualTime) {
    this.time = time;
  }

  join(name: string, lastByte: number): TwoSidedDirector {
    const director = new TwoSidedDirector(name, lastByte, this.time, (side, packet) => {
      for (const to of this.directors) {
        const delayUs = to.name === name ? null : this.carry(side, name, to.name);
        if (delayUs !== null) this.time.after(delayUs, () => to.arrive(side, packet));
      }
    });
    this.directors.push(director);
    return director;
  }

  /** `lb1` where one director is master of a side, `lb1+lb2` where two are, `` where none is. */
  masters(side: Side): string {
    return this.directors
      .filter((director) => director.phase(side) === "master")
      .map(({ name }) => name)
      .join("+");
  }
}
