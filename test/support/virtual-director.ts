import assert from "node:assert/strict";
import { addressesToRemove, planReturn } from "../../src/app/crash-return.ts";
import type { VrrpFact } from "../../src/app/messages.ts";
import { VrrpRouter } from "../../src/app/vrrp-router.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import { type Cidr, formatCidr, type IpText } from "../../src/base/ip.ts";
import type { InstanceConfig } from "../../src/config/model.ts";
import type { InstanceStatus } from "../../src/control/status.ts";
import type { Alarm, AlarmFactory } from "../../src/ports/clock.ts";
import type { LogEntry } from "../../src/ports/logger.ts";
import type { ReceivedPacket, VrrpSocket } from "../../src/ports/packet-socket.ts";
import type { AddOutcome, AddressHolder, RemoveOutcome } from "../../src/sys/addresses.ts";
import type { LastAdvert } from "../../src/sys/advert-memory.ts";
import type { InterfaceState } from "../../src/sys/link-monitor.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a socket buffer holds; later packets are lost. */
const INBOX_LIMIT = 200;
const LOOPBACK_INDEX = 1;

function cidrOf(text: string): Cidr {
  const [address = "", prefix = "32"] = text.split("/");
  return { address, prefixLength: Number(prefix) };
}

/** An address in the kernel. */
interface Present {
  readonly deviceIndex: number;
  /** Whether holdfast put it there. */
  readonly isOwn: boolean;
}

export interface VirtualWire {
  advert(message: Buffer, source: IpText, destination: IpText, port: number | null): void;
  frame(frame: Buffer): void;
  /** Whose adverts come from this address. */
  macOf(router: IpText): string | null;
}

/** Who looks on while a director lives; throws where it does what no director may do. */
export interface Onlooker {
  /** An advert leaves. */
  sent(priority: number): void;
  /** The usual instance is in this phase now, or is no more. */
  entered(phase: InstanceStatus["phase"] | undefined): void;
  /** The process has dealt with one event. */
  acted(): void;
}

/**
 * A machine with one interface: a kernel that keeps addresses, and a process with the real router and instances. The process
 * can crash, stand still and come back; the kernel stays as it is meanwhile.
 */
export class VirtualDirector {
  readonly name: string;
  readonly mac: string;
  /** The primary address, the source of its adverts. */
  readonly address: IpText;
  /** Bounded by the test. */
  readonly log: LogEntry[] = [];
  readonly announced: Buffer[] = [];
  readonly sent: Buffer[] = [];
  /** By `address/prefix`: what the kernel has besides the primary address. */
  readonly addresses = new Map<string, Present>();
  /** Copies of addresses on the loopback interface, which only a handover needs. */
  readonly copies = new Set<string>();
  /** Whether the interface answers ARP for its own addresses only. */
  isQuiet = false;
  readonly states = new Map<string, InstanceStatus>();
  onlooker: Onlooker | null = null;
  /** VRRP sockets that are open. */
  openSockets = 0;
  /** How often the usual instance became master. */
  masterships = 0;
  /** What its checker said about tracked things, by key. */
  readonly facts = new Map<string, VrrpFact>();
  /** Whether frames of this director pass, in and out. */
  cable = true;
  refuseAddresses = false;
  refuseRemoval = false;
  refuseSockets = false;
  /** Its UDP socket can be read by the event loop only, as the real one. */
  drainsLater = false;
  router: VrrpRouter;

  /** What the run directory remembers, by interface and VRID; as many as there are instances. */
  readonly #lastAdverts = new Map<string, LastAdvert>();
  readonly #time: VirtualTime;
  readonly #wire: VirtualWire;
  readonly #fresh: InterfaceState;
  /** The interface as the kernel has it, and as the process has heard of it. */
  #link: InterfaceState | undefined;
  #lastIndex = 2;
  #heard: InterfaceState | undefined;
  /** Whether the device passes frames, whatever its name. */
  #isUp = true;
  /** By UDP port, null = protocol 112; as many as are configured. */
  readonly #receivers = new Map<number | null, (packet: ReceivedPacket) => void>();
  /** Bounded by INBOX_LIMIT. */
  #inbox: { readonly packet: ReceivedPacket; readonly port: number | null }[] = [];
  /** What became due while the process stood still; as many as it has alarms. */
  readonly #overdue = new Set<() => void>();
  #isStalled = false;
  #isRunning = true;
  /** Raised by each crash: what belongs to an earlier life is ignored. */
  #life = 0;

  constructor(name: string, lastByte: number, time: VirtualTime, wire: VirtualWire) {
    this.name = name;
    this.mac = `02:00:00:00:00:${lastByte.toString(16).padStart(2, "0")}`;
    this.address = `198.51.100.${lastByte}`;
    this.#time = time;
    this.#wire = wire;
    this.#fresh = {
      name: "eth0",
      index: 2,
      isUp: true,
      mac: this.mac,
      hasArp: true,
      addresses: [],
      primaryIpv4: this.address,
    };
    this.#link = this.#fresh;
    this.#heard = this.#link;
    this.router = this.#boot();
  }

  /** The phase of the usual instance, undefined while the process does not run. */
  get phase(): InstanceStatus["phase"] | undefined {
    return this.states.get("instance/web4")?.phase;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Whether the process was started and has not been killed. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Own addresses that stand on any device. */
  get held(): readonly string[] {
    return [...this.addresses].filter(([, { isOwn }]) => isOwn).map(([cidr]) => cidr);
  }

  get hasLink(): boolean {
    return this.#link !== undefined;
  }

  /** The kernel never gives an index twice. */
  nextIndex(): number {
    this.#lastIndex += 1;
    return this.#lastIndex;
  }

  /** Somebody removes an address by hand. */
  loseAddress(cidr: string): void {
    if (!this.addresses.delete(cidr) || this.#link === undefined) return;
    this.#link = { ...this.#link };
    this.#news();
  }

  /** Changes the interface in the kernel; null deletes it, and its addresses with it. */
  setLink(change: Partial<InterfaceState> | null): void {
    const index = this.#link?.index;
    const isKept = change !== null && (change.index ?? index) === index;
    if (!isKept) {
      for (const [cidr, { deviceIndex }] of this.addresses) if (deviceIndex === index) this.addresses.delete(cidr);
    }
    this.#link = change === null ? undefined : { ...(this.#link ?? this.#fresh), ...change };
    this.#isUp = this.#link?.isUp === true;
    this.#news();
  }

  /** The interface gets another name: the one that was configured is gone, the device and its addresses are not. */
  rename(): void {
    this.#link = undefined;
    this.#news();
  }

  /** A packet reaches the interface, as protocol 112 or at a UDP port. */
  arrive(packet: ReceivedPacket, port: number | null = null): void {
    if (!this.cable || !this.#isUp || !this.#receivers.has(port)) return;
    if (this.#inbox.length < INBOX_LIMIT) this.#inbox.push({ packet, port });
    if (!this.#isStalled) this.#act(() => this.#read());
  }

  /** The process is killed; the kernel keeps what it put there. */
  crash(): void {
    this.#life += 1;
    this.openSockets = 0;
    this.#isRunning = false;
    this.#receivers.clear();
    this.#inbox = [];
    this.#overdue.clear();
    this.#isStalled = false;
    this.states.clear();
  }

  /**
   * The process starts anew after a crash: it goes on with what an earlier life left behind, or removes it.
   * @param resting instances of which the supervisor says that they rested
   */
  restart(config: InstanceConfig, resting: readonly string[] = []): void {
    this.crash();
    this.#heard = this.#link;
    const recalled = new Map(this.#lastAdverts);
    this.#lastAdverts.clear();
    const leftovers = {
      addresses: this.#leftBehind(),
      lastAdvert: (device: string, vrid: number) => recalled.get(`${device} ${vrid}`),
      resting: new Set(resting),
    };
    const crash = planReturn([config], leftovers, (name) => this.#linkOf(name), this.#time.nowUs());
    for (const [device, cidrs] of addressesToRemove([config], leftovers, crash)) {
      const kept = device === "lo" ? this.copies : this.addresses;
      for (const cidr of cidrs) kept.delete(formatCidr(cidr));
    }
    this.isQuiet = false;
    this.#isRunning = true;
    this.router = this.#boot();
    this.act((router) => router.configure({ instances: [config] }, crash));
  }

  /** Own addresses by interface; a device that was renamed is another one. */
  #leftBehind(): ReadonlyMap<string, readonly Cidr[]> {
    const on = (isHere: boolean) =>
      [...this.addresses]
        .filter(([, { isOwn, deviceIndex }]) => isOwn && (deviceIndex === this.#link?.index) === isHere)
        .map(([text]) => cidrOf(text));
    return new Map([
      ["eth0", on(true)],
      ["eth0-renamed", on(false)],
      ["lo", [...this.copies].map(cidrOf)],
    ]);
  }

  /** The process is told something; afterwards what must always hold holds. */
  act<Told>(tell: (router: VrrpRouter) => Told): Told {
    let told: { readonly value: Told } | undefined;
    this.#act(() => {
      told = { value: tell(this.router) };
    });
    assert.ok(told !== undefined);
    return told.value;
  }

  /** The process gets no turn: SIGSTOP, a suspended machine. */
  stall(): void {
    this.#isStalled = this.#isRunning;
  }

  /** @param packetsFirst which of the waiting events the event loop hands out first */
  resume(packetsFirst: boolean): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#act(() => {
      if (packetsFirst) this.#read();
      for (const due of [...this.#overdue]) {
        this.#overdue.delete(due);
        due();
      }
      this.#hearLinks();
      this.#read();
    });
  }

  /** Lets the process do something; afterwards what must always hold holds. */
  #act(what: () => void): void {
    const life = this.#life;
    what();
    if (life !== this.#life || this.refuseRemoval) return;
    const isMaster = [...this.states.values()].some(({ phase }) => phase === "master");
    if (!isMaster) assert.deepEqual(this.held, [], `${this.name} holds addresses as ${this.phase}`);
    this.onlooker?.acted();
  }

  #news(): void {
    if (this.#isRunning && !this.#isStalled) this.#act(() => this.#hearLinks());
  }

  #hearLinks(): void {
    if (this.#heard === this.#link) return;
    this.#heard = this.#link;
    this.router.linkChanged("eth0");
  }

  #read(): void {
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift())
      this.#receivers.get(next.port)?.(next.packet);
  }

  #boot(): VrrpRouter {
    const life = this.#life;
    return new VrrpRouter({
      clock: this.#time,
      alarms: this.#alarms(),
      logger: { log: (entry) => this.log.push(entry) },
      link: (name) => this.#linkOf(name),
      memory: (device, vrid) => ({
        remember: (advert) => void this.#lastAdverts.set(`${device} ${vrid}`, advert),
        forget: () => void this.#lastAdverts.delete(`${device} ${vrid}`),
      }),
      fact: (key) => this.facts.get(key),
      arp: {
        keepQuiet: () => {
          this.isQuiet = true;
          return () => {
            this.isQuiet = false;
          };
        },
      },
      // The look for lost addresses waits a turn, in which the process may have ended.
      hearLinks: () => {
        if (life === this.#life && !this.#isStalled) this.#hearLinks();
      },
      publish: (key, state) => this.#publish(key, state),
      addresses: {
        add: (holder: AddressHolder, wanted: readonly Cidr[]) => wanted.map((cidr) => this.#add(holder, cidr)),
        remove: (holder: AddressHolder, going: readonly Cidr[]) => going.map((cidr) => this.#remove(holder, cidr)),
      },
      sockets: {
        openVrrp: (_link, onPacket) => this.#open(null, onPacket),
        openUdp: (_address, port, onPacket) => this.#open(port, onPacket),
        announceUnframed: () => 0,
        openTap: () => ({ sourceMac: (router) => this.#wire.macOf(router), close: () => undefined }),
        openFrames: () => ({
          send: (frame) => {
            this.announced.push(Buffer.from(frame));
            if (this.#isUp) this.#wire.frame(Buffer.from(frame));
            return 0;
          },
          close: () => undefined,
        }),
      },
    });
  }

  #linkOf(name: string): InterfaceState | undefined {
    if (name === "lo") return { ...this.#fresh, name, index: LOOPBACK_INDEX, mac: null, hasArp: false };
    return this.#heard === undefined ? undefined : { ...this.#heard, addresses: this.#present() };
  }

  #publish(key: string, state: InstanceStatus | null): void {
    const before = this.phase;
    if (state === null) this.states.delete(key);
    else this.states.set(key, state);
    if (this.phase === before) return;
    if (this.phase === "master") this.masterships += 1;
    this.onlooker?.entered(this.phase);
  }

  #open(port: number | null, onPacket: (packet: ReceivedPacket) => void): VrrpSocket {
    if (this.refuseSockets) throw new DirectorError("SYSTEM_CALL_FAILED", "opening the VRRP socket failed: EMFILE");
    this.#receivers.set(port, onPacket);
    this.openSockets += 1;
    return {
      send: (message, source, destination) => this.#send(Buffer.from(message), source, destination, port),
      drain: () => {
        if (this.drainsLater) return new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#read());
        this.#read();
        return undefined;
      },
      close: () => {
        this.openSockets -= 1;
        this.#receivers.delete(port);
        this.#inbox = this.#inbox.filter((waiting) => waiting.port !== port);
      },
    };
  }

  #send(message: Buffer, source: IpText, destination: IpText, port: number | null): number {
    this.sent.push(message);
    this.onlooker?.sent(message.readUInt8(2));
    if (this.#isUp) this.#wire.advert(message, source, destination, port);
    return 0;
  }

  #add(holder: AddressHolder, cidr: Cidr): AddOutcome {
    const error = new DirectorError("NETLINK_REFUSED", `adding ${formatCidr(cidr)} on eth0 was refused: ENOMEM`);
    if (this.refuseAddresses) return { type: "failed", error };
    if (holder.index === LOOPBACK_INDEX) {
      this.copies.add(formatCidr(cidr));
      return { type: "added" };
    }
    const known = this.addresses.get(formatCidr(cidr));
    if (known !== undefined) return { type: known.isOwn ? "already-there" : "foreign" };
    this.addresses.set(formatCidr(cidr), { deviceIndex: holder.index, isOwn: true });
    return { type: "added" };
  }

  #remove(holder: AddressHolder, cidr: Cidr): RemoveOutcome {
    const error = new DirectorError("NETLINK_REFUSED", `removing ${formatCidr(cidr)} on eth0 was refused: ENOMEM`);
    if (this.refuseRemoval) return { type: "failed", error };
    if (holder.index === LOOPBACK_INDEX) return { type: this.copies.delete(formatCidr(cidr)) ? "removed" : "absent" };
    const known = this.addresses.get(formatCidr(cidr));
    if (known === undefined || known.deviceIndex !== holder.index) return { type: "absent" };
    if (!known.isOwn) return { type: "foreign" };
    this.addresses.delete(formatCidr(cidr));
    return { type: "removed" };
  }

  /** Alarms of the present life of the process, which go off only while it runs. */
  #alarms(): AlarmFactory {
    const life = this.#life;
    return {
      create: (onDue): Alarm => {
        const run = () => this.#act(onDue);
        const alarm = this.#time.create(() => {
          if (life !== this.#life) return;
          if (this.#isStalled) this.#overdue.add(onDue);
          else run();
        });
        return {
          arm: (atUs) => {
            this.#overdue.delete(onDue);
            alarm.arm(atUs);
          },
          disarm: () => {
            this.#overdue.delete(onDue);
            alarm.disarm();
          },
          close: () => alarm.close(),
        };
      },
    };
  }

  #present(): InterfaceState["addresses"] {
    return [...this.addresses]
      .filter(([, { deviceIndex }]) => deviceIndex === this.#heard?.index)
      .map(([text, { deviceIndex, isOwn }]) => {
        const [address = "", prefix = "32"] = text.split("/");
        return {
          interfaceIndex: deviceIndex,
          address: { address, prefixLength: Number(prefix) },
          flags: 0,
          scope: 0,
          protocol: isOwn ? 112 : 0,
          label: null,
        };
      });
  }
}
