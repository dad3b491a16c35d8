import { type IpText, ipFromBytes } from "../../src/base/ip.ts";
import type { InstanceConfig } from "../../src/config/model.ts";
import type { ReceivedPacket } from "../../src/ports/packet-socket.ts";
import { VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import { VirtualDirector } from "./virtual-director.ts";
import type { VirtualTime } from "./virtual-time.ts";

const WIRE_DELAY_US = 100;

/** How the segment treats a frame; the host "client" only listens. */
export interface Wire {
  /**
   * Microseconds on the way, one entry for each copy that arrives: none = the frame is lost. Frames between two hosts keep
   * their order if this is constant.
   */
  carry(from: string, to: string): readonly number[];
}

const PERFECT: Wire = { carry: () => [WIRE_DELAY_US] };

/** A host that is no director, but speaks like one. */
export const STRANGER: IpText = "198.51.100.99";
const STRANGER_MAC = "02:00:00:00:00:63";

/** One broadcast domain on virtual time, with a client that learns from gratuitous ARPs who has an address. */
export class VirtualSegment {
  readonly #time: VirtualTime;
  /** Bounded by what a test joins. */
  readonly members: VirtualDirector[] = [];
  /** What the client's neighbour table says: address -> MAC. */
  readonly neighbours = new Map<IpText, string>();
  wire: Wire = PERFECT;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** @param lastByte of its address 198.51.100.x and of its MAC */
  join(name: string, lastByte: number): VirtualDirector {
    const director = new VirtualDirector(name, lastByte, this.#time, {
      advert: (message, source, destination, port) =>
        this.#advert(director, { message, source, destination, ttl: port === null ? 255 : null }, port),
      frame: (frame) => this.#frame(director, frame),
      macOf: (router) =>
        router === STRANGER ? STRANGER_MAC : (this.members.find(({ address }) => address === router)?.mac ?? null),
    });
    this.members.push(director);
    return director;
  }

  #advert(from: VirtualDirector, packet: ReceivedPacket, port: number | null): void {
    for (const to of this.members) {
      const isMeant = packet.destination === VRRP_GROUP_IPV4 || packet.destination === to.address;
      if (to === from || !from.cable || !isMeant) continue;
      for (const delayUs of this.wire.carry(from.name, to.name)) {
        this.#time.after(delayUs, () => {
          if (from.cable) to.arrive(packet, port);
        });
      }
    }
  }

  #frame(from: VirtualDirector, frame: Buffer): void {
    if (!from.cable) return;
    const mac = frame.subarray(22, 28).toString("hex");
    for (const delayUs of this.wire.carry(from.name, "client")) {
      this.#time.after(delayUs, () => this.neighbours.set(ipFromBytes(frame.subarray(28, 32)), mac));
    }
  }
}

export function instance(priority: number, change: Partial<InstanceConfig> = {}): InstanceConfig {
  return {
    name: "web4",
    interface: "eth0",
    vrid: 51,
    priority,
    advertIntervalUs: 1_000_000,
    preempt: { mode: "always" },
    checksum: "pseudo-header",
    transport: { type: "multicast" },
    hmac: null,
    track: { interfaces: [], scripts: [], services: [] },
    addresses: [{ address: "192.0.2.10", prefixLength: 24 }],
    ...change,
  };
}
