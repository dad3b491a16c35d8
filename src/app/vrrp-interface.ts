import { DirectorError, messageOf } from "../base/director-error.ts";
import { type Cidr, familyOf, formatCidr, type IpText } from "../base/ip.ts";
import type { Logger } from "../ports/logger.ts";
import type { AdvertTap, FrameSocket, ReceivedPacket, VrrpSocket } from "../ports/packet-socket.ts";
import type { AddOutcome, AddressHolder, RemoveOutcome } from "../sys/addresses.ts";
import type { InterfaceState } from "../sys/link-monitor.ts";
import { claimedVrid } from "../vrrp/accept.ts";
import { encodeGratuitousArp } from "../vrrp/garp.ts";
import type { InterfaceFault } from "../vrrp/instance-model.ts";
import { AddressShadow, type ShadowCollaborators } from "./address-shadow.ts";
import type { HoldReport, InstanceIo, VrrpInstance } from "./vrrp-instance.ts";

/** Frames per burst: some get lost, and one is cheap. */
const ANNOUNCE_FRAMES = 5;

/** errno of a send on an interface that cannot be used now. */
const ENETDOWN = 100;

/** Puts virtual addresses on interfaces; only those that holdfast made are ever removed. */
export interface AddressTable {
  add(holder: AddressHolder, addresses: readonly Cidr[]): readonly AddOutcome[];
  remove(holder: AddressHolder, addresses: readonly Cidr[]): readonly RemoveOutcome[];
}

/** What the vrrp process opens on an interface. */
export interface InterfaceSockets {
  /** @throws DirectorError when the kernel refuses */
  openVrrp(link: InterfaceState, onPacket: (packet: ReceivedPacket) => void): VrrpSocket;
  /** @throws DirectorError when the kernel refuses */
  openFrames(link: InterfaceState): FrameSocket;
  /** @returns null when the kernel refuses: a handover works without, only less smoothly */
  openTap(link: InterfaceState): AdvertTap | null;
}

export interface InterfaceCollaborators extends ShadowCollaborators {
  readonly sockets: InterfaceSockets;
  readonly logger: Logger;
}

/** One network interface with its sockets and the instances on it. One socket serves every VRID of the interface. */
export class VrrpInterface {
  readonly name: string;
  readonly #sockets: InterfaceSockets;
  readonly #addresses: AddressTable;
  readonly #logger: Logger;
  readonly #shadowParts: ShadowCollaborators;
  #link: InterfaceState | undefined;
  #vrrp: VrrpSocket | null = null;
  #frames: FrameSocket | null = null;
  /** By VRID; bounded by the configuration. */
  readonly #instances = new Map<number, VrrpInstance>();
  #unknownVrids = 0;

  constructor(name: string, collaborators: InterfaceCollaborators) {
    this.name = name;
    this.#sockets = collaborators.sockets;
    this.#addresses = collaborators.addresses;
    this.#logger = collaborators.logger;
    this.#shadowParts = collaborators;
  }

  /** Packets for VRIDs that nobody here speaks: normal on a shared segment. */
  get unknownVrids(): number {
    return this.#unknownVrids;
  }

  get isEmpty(): boolean {
    return this.#instances.size === 0;
  }

  get fault(): InterfaceFault | null {
    if (this.#link === undefined) return "interface is missing";
    if (!this.#link.isUp) return "interface is down";
    // Deaf, it would take itself for the only router.
    if (this.#vrrp === null) return "interface cannot be opened";
    return this.#link.primaryIpv4 === null ? "interface has no IPv4 address" : null;
  }

  get source(): IpText | null {
    return this.#link?.primaryIpv4 ?? null;
  }

  add(vrid: number, instance: VrrpInstance): void {
    this.#instances.set(vrid, instance);
  }

  remove(vrid: number): void {
    this.#instances.delete(vrid);
  }

  /**
   * Takes the interface's present state: opens sockets for a new device, closes those of a vanished one.
   * @throws DirectorError when the kernel refuses a socket; the interface has a fault until another try succeeds
   */
  setLink(link: InterfaceState | undefined): void {
    if (this.#link !== undefined && link?.index !== this.#link.index) this.#leaveDevice();
    this.#link = link;
    if (link?.isUp === true && this.#vrrp === null) this.#openSockets(link);
  }

  /** Whether sockets are missing on an interface that could be used. */
  get isDeaf(): boolean {
    return this.#link?.isUp === true && this.#vrrp === null;
  }

  /** The device went away, perhaps only under another name: nothing of ours may stay on it. */
  #leaveDevice(): void {
    for (const instance of this.#instances.values()) instance.conditionChanged("interface is missing", null);
    this.#closeSockets();
  }

  #openSockets(link: InterfaceState): void {
    const vrrp = this.#sockets.openVrrp(link, (packet) => this.#receive(packet));
    try {
      this.#frames = this.#sockets.openFrames(link);
    } catch (thrown) {
      vrrp.close();
      throw thrown;
    }
    this.#vrrp = vrrp;
  }

  /** Whether the interface has the address, by what was heard last. */
  has(address: Cidr): boolean {
    const key = formatCidr(address);
    return this.#link?.addresses.some((present) => formatCidr(present.address) === key) === true;
  }

  /** Tells every instance of the present state. */
  tellInstances(): void {
    for (const instance of this.#instances.values()) instance.conditionChanged(this.fault, this.source);
  }

  close(): void {
    this.#closeSockets();
  }

  /** What one instance may do here; `made` remembers what it put on the interface. */
  ioFor(): InstanceIo {
    /** Bounded by the addresses of the instance. */
    const made = new Map<string, Cidr>();
    const shadow = new AddressShadow(this.#shadowParts);
    let tap: AdvertTap | null = null;
    return {
      send: (message, source) => this.#vrrp?.send(message, source) ?? ENETDOWN,
      drain: () => this.#vrrp?.drain(),
      hold: (addresses) => this.#hold(addresses, made),
      release: () => this.#release(made),
      announce: (addresses) => this.#announce(addresses),
      shadow: (addresses) => {
        if (this.#link === undefined) return;
        tap ??= this.#sockets.openTap(this.#link);
        shadow.cast(this.name, addresses);
      },
      unshadow: () => {
        tap?.close();
        tap = null;
        return shadow.lift();
      },
      announceFor: (addresses, successor) => this.#announceFor(addresses, tap?.sourceMac(successor) ?? null),
    };
  }

  #hold(addresses: readonly Cidr[], made: Map<string, Cidr>): HoldReport {
    const wanted = new Set(addresses.map(formatCidr));
    const refused: string[] = [...this.#release(made, (key) => !wanted.has(key))];
    const held: string[] = [];
    const foreign: string[] = [];
    if (this.#link === undefined)
      return { held: [], foreign, refused: [...refused, `there is no interface ${this.name}`] };
    const outcomes = this.#addresses.add(this.#link, addresses);
    addresses.forEach((address, index) => {
      const outcome = outcomes[index];
      const key = formatCidr(address);
      if (outcome?.type === "foreign") {
        made.delete(key);
        foreign.push(key);
        return;
      }
      // Also one that failed: whether it is there and ours is looked up again when it is to be removed.
      made.set(key, address);
      if (outcome?.type === "failed") refused.push(`${outcome.error.message}; trying again`);
      else held.push(key);
    });
    return { held, foreign, refused };
  }

  /** Forgets what is gone, keeps what the kernel would not remove. */
  #release(made: Map<string, Cidr>, isGoing: (key: string) => boolean = () => true): readonly string[] {
    const going = [...made].filter(([key]) => isGoing(key));
    if (this.#link === undefined || going.length === 0) {
      for (const [key] of going) made.delete(key);
      return [];
    }
    const outcomes = this.#addresses.remove(
      this.#link,
      going.map(([, address]) => address),
    );
    return going.flatMap(([key], index) => {
      const outcome = outcomes[index];
      if (outcome?.type === "failed") return [`${outcome.error.message}; trying again`];
      made.delete(key);
      return [];
    });
  }

  /** Request-form gratuitous ARPs: the form that wins also within the neighbour's lock time. */
  #announce(addresses: readonly Cidr[]): void {
    const mac = this.#link?.mac;
    if (mac === null || mac === undefined || this.#link?.hasArp !== true || this.#frames === null) return;
    const frames = addresses
      .filter(({ address }) => familyOf(address) === 4)
      .map(({ address }) => encodeGratuitousArp(mac, address));
    for (let round = 0; round < ANNOUNCE_FRAMES; round += 1) {
      for (const frame of frames) this.#frames.send(frame);
    }
  }

  /** One frame for each address in the name of another host; the own MAC only as the sender of the frame. */
  #announceFor(addresses: readonly Cidr[], mac: string | null): void {
    const own = this.#link?.mac;
    if (mac === null || own === null || own === undefined || this.#link?.hasArp !== true) return;
    for (const { address } of addresses) {
      if (familyOf(address) === 4) this.#frames?.send(encodeGratuitousArp(mac, address, own));
    }
  }

  #receive(packet: ReceivedPacket): void {
    const vrid = claimedVrid(packet.message);
    const instance = vrid === undefined ? undefined : this.#instances.get(vrid);
    if (instance === undefined) this.#unknownVrids += 1;
    else instance.receive(packet);
  }

  #closeSockets(): void {
    for (const socket of [this.#vrrp, this.#frames]) {
      try {
        socket?.close();
      } catch (thrown) {
        const code = thrown instanceof DirectorError ? ` (${thrown.code})` : "";
        this.#logger.log({
          level: "warning",
          source: "vrrp",
          message: `a socket on ${this.name} could not be closed: ${messageOf(thrown)}${code}`,
        });
      }
    }
    this.#vrrp = null;
    this.#frames = null;
  }
}
