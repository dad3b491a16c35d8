import { DirectorError, messageOf } from "../base/director-error.ts";
import { type Cidr, familyOf, formatCidr, type IpText } from "../base/ip.ts";
import type { TransportConfig } from "../config/model.ts";
import type { RefusedAddress } from "../control/status.ts";
import type { Logger } from "../ports/logger.ts";
import type { AdvertTap, FrameSocket, ReceivedPacket, VrrpSocket } from "../ports/packet-socket.ts";
import type { AddOutcome, AddressHolder, RemoveOutcome } from "../sys/addresses.ts";
import type { InterfaceState } from "../sys/link-monitor.ts";
import { claimedVrid } from "../vrrp/accept.ts";
import { VRRP_GROUP_IPV4 } from "../vrrp/advert.ts";
import { encodeGratuitousArp } from "../vrrp/garp.ts";
import type { InterfaceFault } from "../vrrp/instance-model.ts";
import { AddressShadow, type ShadowCollaborators } from "./address-shadow.ts";
import type { HoldReport, InstanceIo } from "./instance-io.ts";
import type { VrrpInstance } from "./vrrp-instance.ts";

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
  /**
   * @param address the interface's own, which peers send to
   * @throws DirectorError when the kernel refuses
   */
  openUdp(address: IpText, port: number, onPacket: (packet: ReceivedPacket) => void): VrrpSocket;
  /** @throws DirectorError when the kernel refuses */
  openFrames(link: InterfaceState): FrameSocket;
  /**
   * @param udpPort null = protocol 112
   * @returns null when the kernel refuses: a handover works without, only less smoothly
   */
  openTap(link: InterfaceState, udpPort: number | null): AdvertTap | null;
  /**
   * Announces an IPv4 address, which is on the interface, where frames are not allowed.
   * @returns 0, or a positive errno
   */
  announceUnframed(link: InterfaceState, address: Cidr): number;
}

/** An instance, and by which transport it speaks now. */
interface Speaker {
  readonly instance: VrrpInstance;
  readonly transport: TransportConfig;
}

interface UdpEnd {
  readonly address: IpText;
  readonly socket: VrrpSocket;
}

export interface InterfaceCollaborators extends ShadowCollaborators {
  readonly sockets: InterfaceSockets;
  readonly logger: Logger;
}

/**
 * One network interface with its sockets and the instances on it. One raw socket serves every VRID that speaks protocol 112,
 * one UDP socket every VRID of its port.
 */
export class VrrpInterface {
  readonly name: string;
  readonly #sockets: InterfaceSockets;
  readonly #addresses: AddressTable;
  readonly #logger: Logger;
  readonly #shadowParts: ShadowCollaborators;
  #link: InterfaceState | undefined;
  #raw: VrrpSocket | null = null;
  /** By port; bounded by the configuration. */
  readonly #udp = new Map<number, UdpEnd>();
  #frames: FrameSocket | null = null;
  /** By VRID; bounded by the configuration. */
  readonly #speakers = new Map<number, Speaker>();
  /** For VRIDs that nobody here speaks by the transport: normal on a shared segment. */
  #strayPackets = 0;
  /** Why an address could not be announced, as said last. */
  #announceErrno = 0;
  #isClosed = false;

  constructor(name: string, collaborators: InterfaceCollaborators) {
    this.name = name;
    this.#sockets = collaborators.sockets;
    this.#addresses = collaborators.addresses;
    this.#logger = collaborators.logger;
    this.#shadowParts = collaborators;
  }

  get isEmpty(): boolean {
    return this.#speakers.size === 0;
  }

  /** Why an instance cannot speak here by its transport. */
  faultOf(transport: TransportConfig): InterfaceFault | null {
    if (this.#link === undefined) return "interface is missing";
    if (!this.#link.isUp) return "interface is down";
    // Deaf, it would take itself for the only router.
    if (transport.type !== "udp" && this.#raw === null) return "interface cannot be opened";
    if (this.#link.primaryIpv4 === null) return "interface has no IPv4 address";
    return this.#socketOf(transport) === null ? "interface cannot be opened" : null;
  }

  get source(): IpText | null {
    return this.#link?.primaryIpv4 ?? null;
  }

  /** Also when its transport changed; `setLink` opens what it needs. */
  add(vrid: number, instance: VrrpInstance, transport: TransportConfig): void {
    this.#speakers.set(vrid, { instance, transport });
  }

  remove(vrid: number): void {
    this.#speakers.delete(vrid);
    this.#closeUnused();
  }

  /**
   * Takes the interface's present state: opens the sockets that are needed, closes those of a vanished device or address.
   * @throws DirectorError when the kernel refuses a socket; the interface has a fault until another try succeeds
   */
  setLink(link: InterfaceState | undefined): void {
    if (this.#link !== undefined && link?.index !== this.#link.index) this.#leaveDevice();
    // The last instance was about to stop and has ended with the device; another may follow it on an interface of its own.
    if (this.#isClosed) return;
    this.#link = link;
    this.#closeUnused();
    if (link?.isUp === true) this.#openMissing(link);
  }

  /** Whether sockets are missing on an interface that could be used. */
  get isDeaf(): boolean {
    return this.#link?.isUp === true && (this.#isRawMissing || this.#missingPorts().length > 0);
  }

  get #isRawMissing(): boolean {
    return this.#raw === null && this.#transports().some(({ type }) => type !== "udp");
  }

  /** Ports that are to be bound and can be. */
  #missingPorts(): readonly number[] {
    if (this.#link?.primaryIpv4 === null) return [];
    const ports = this.#transports().flatMap((transport) => (transport.type === "udp" ? [transport.port] : []));
    return [...new Set(ports)].filter((port) => !this.#udp.has(port));
  }

  #transports(): readonly TransportConfig[] {
    return [...this.#speakers.values()].map(({ transport }) => transport);
  }

  #socketOf(transport: TransportConfig): VrrpSocket | null {
    return transport.type === "udp" ? (this.#udp.get(transport.port)?.socket ?? null) : this.#raw;
  }

  /** The device went away, perhaps only under another name: nothing of ours may stay on it. */
  #leaveDevice(): void {
    for (const { instance } of this.#speakers.values()) instance.conditionChanged("interface is missing", null);
    this.#closeSockets();
  }

  #openMissing(link: InterfaceState): void {
    const failures: unknown[] = [];
    const attempt = (open: () => void): void => {
      try {
        open();
      } catch (thrown) {
        failures.push(thrown);
      }
    };
    if (this.#isRawMissing) attempt(() => this.#openRaw(link));
    for (const port of this.#missingPorts()) attempt(() => this.#openUdp(link, port));
    if (failures.length > 0) throw failures[0];
  }

  #openRaw(link: InterfaceState): void {
    const raw = this.#sockets.openVrrp(link, (packet) => this.#receive(packet, null));
    try {
      this.#frames ??= this.#sockets.openFrames(link);
    } catch (thrown) {
      raw.close();
      throw thrown;
    }
    this.#raw = raw;
  }

  #openUdp(link: InterfaceState, port: number): void {
    const address = link.primaryIpv4;
    if (address === null) return;
    const socket = this.#sockets.openUdp(address, port, (packet) => this.#receive(packet, port));
    this.#udp.set(port, { address, socket });
    try {
      this.#frames ??= this.#sockets.openFrames(link);
    } catch (thrown) {
      // Without the privilege for it addresses are announced in another way.
      if (!(thrown instanceof DirectorError)) throw thrown;
    }
  }

  /** What no instance speaks by any more, or what is bound to an address that is no longer the primary one. */
  #closeUnused(): void {
    const transports = this.#transports();
    if (this.#raw !== null && !transports.some(({ type }) => type !== "udp")) {
      this.#close(this.#raw);
      this.#raw = null;
    }
    for (const [port, { address, socket }] of this.#udp) {
      const isUsed = transports.some((transport) => transport.type === "udp" && transport.port === port);
      if (isUsed && address === this.#link?.primaryIpv4) continue;
      this.#close(socket);
      this.#udp.delete(port);
    }
  }

  /** Whether the interface has the address, by what was heard last. */
  has(address: Cidr): boolean {
    const key = formatCidr(address);
    return this.#link?.addresses.some((present) => formatCidr(present.address) === key) === true;
  }

  /** Tells every instance of the present state. */
  tellInstances(): void {
    for (const { instance, transport } of this.#speakers.values())
      instance.conditionChanged(this.faultOf(transport), this.source);
  }

  close(): void {
    this.#isClosed = true;
    this.#closeSockets();
  }

  /** What one instance may do here; `made` remembers what it put on the interface. */
  ioFor(vrid: number): InstanceIo {
    const transport = (): TransportConfig => this.#speakers.get(vrid)?.transport ?? { type: "multicast" };
    /** Bounded by the addresses of the instance. */
    const made = new Map<string, Cidr>();
    const shadow = new AddressShadow(this.#shadowParts);
    let tap: AdvertTap | null = null;
    return {
      send: (encode, source) => this.#send(transport(), encode, source),
      drain: () => this.#socketOf(transport())?.drain(),
      strayPackets: () => this.#strayPackets,
      hold: (addresses) => this.#hold(addresses, made),
      release: () => this.#release(made),
      announce: (addresses) => this.#announce(addresses),
      shadow: (addresses) => {
        if (this.#link === undefined) return;
        const spoken = transport();
        tap ??= this.#sockets.openTap(this.#link, spoken.type === "udp" ? spoken.port : null);
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

  /** @returns 0, or the errno of the last copy that was refused */
  #send(transport: TransportConfig, encode: (destination: IpText) => Buffer, source: IpText): number {
    const socket = this.#socketOf(transport);
    // Without a carrier the kernel would take it and keep it for the peer's ARP answer: a goodbye heard seconds later.
    if (socket === null || this.#link?.isUp !== true) return ENETDOWN;
    if (transport.type === "multicast") return socket.send(encode(VRRP_GROUP_IPV4), source, VRRP_GROUP_IPV4);
    let failed = 0;
    for (const { address } of transport.peers) failed = socket.send(encode(address), source, address) || failed;
    return failed;
  }

  #hold(addresses: readonly Cidr[], made: Map<string, Cidr>): HoldReport {
    const wanted = new Set(addresses.map(formatCidr));
    const refused: RefusedAddress[] = [...this.#release(made, (key) => !wanted.has(key))];
    const held: string[] = [];
    const foreign: string[] = [];
    if (this.#link === undefined) {
      const why = `there is no interface ${this.name}`;
      const missing = [...wanted].map((address) => ({ address, change: "add", why }) as const);
      return { held: [], foreign, refused: [...refused, ...missing] };
    }
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
      if (outcome?.type === "failed") refused.push({ address: key, change: "add", why: outcome.error.message });
      else held.push(key);
    });
    return { held, foreign, refused };
  }

  /** Forgets what is gone, keeps what the kernel would not remove. */
  #release(made: Map<string, Cidr>, isGoing: (key: string) => boolean = () => true): readonly RefusedAddress[] {
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
      if (outcome?.type === "failed") return [{ address: key, change: "remove", why: outcome.error.message } as const];
      made.delete(key);
      return [];
    });
  }

  /** Request-form gratuitous ARPs: the form that wins also within the neighbour's lock time. */
  #announce(addresses: readonly Cidr[]): void {
    const mac = this.#link?.mac;
    if (mac === null || mac === undefined || this.#link?.hasArp !== true) return;
    if (this.#frames === null) {
      this.#announceByAsking(this.#link, addresses);
      return;
    }
    const frames = addresses
      .filter(({ address }) => familyOf(address) === 4)
      .map(({ address }) => encodeGratuitousArp(mac, address));
    for (let round = 0; round < ANNOUNCE_FRAMES; round += 1) {
      for (const frame of frames) this.#frames.send(frame);
    }
  }

  #announceByAsking(link: InterfaceState, addresses: readonly Cidr[]): void {
    for (const address of addresses.filter((each) => familyOf(each.address) === 4)) {
      const errno = this.#sockets.announceUnframed(link, address);
      if (errno === 0 || errno === this.#announceErrno) continue;
      this.#announceErrno = errno;
      const message = `${address.address} could not be announced on ${this.name} (errno ${errno}); neighbours find it when they ask anew`;
      this.#logger.log({ level: "warning", source: "vrrp", message });
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

  /** @param port that it came to; null = protocol 112. Another door than its own would lead around the rules of a transport. */
  #receive(packet: ReceivedPacket, port: number | null): void {
    const vrid = claimedVrid(packet.message);
    const speaker = vrid === undefined ? undefined : this.#speakers.get(vrid);
    const expected = speaker?.transport.type === "udp" ? speaker.transport.port : null;
    if (speaker === undefined || expected !== port) this.#strayPackets += 1;
    else speaker.instance.receive(packet);
  }

  #closeSockets(): void {
    for (const socket of [this.#raw, this.#frames, ...[...this.#udp.values()].map((end) => end.socket)])
      this.#close(socket);
    this.#raw = null;
    this.#frames = null;
    this.#udp.clear();
  }

  #close(socket: { close(): void } | null): void {
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
}
