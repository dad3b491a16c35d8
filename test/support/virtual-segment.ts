import { VrrpRouter } from "../../src/app/vrrp-router.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import { type Cidr, formatCidr, type IpText } from "../../src/base/ip.ts";
import type { InstanceConfig } from "../../src/config/model.ts";
import type { InstanceStatus } from "../../src/control/status.ts";
import type { LogEntry } from "../../src/ports/logger.ts";
import type { ReceivedPacket } from "../../src/ports/packet-socket.ts";
import type { AddOutcome, AddressHolder, RemoveOutcome } from "../../src/sys/addresses.ts";
import type { InterfaceState } from "../../src/sys/link-monitor.ts";
import { VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import type { VirtualTime } from "./virtual-time.ts";

const WIRE_DELAY_US = 100;

/** A director with the real router and instances, on a virtual interface. */
export interface VirtualDirector {
  readonly name: string;
  readonly router: VrrpRouter;
  readonly log: LogEntry[];
  readonly addresses: Set<string>;
  readonly announced: Buffer[];
  readonly sent: Buffer[];
  readonly states: Map<string, InstanceStatus>;
  setLink(change: Partial<InterfaceState> | null): void;
  /** Whether frames of this director pass, in and out. */
  cable: boolean;
  refuseAddresses: boolean;
}

/** One broadcast domain on virtual time. */
export class VirtualSegment {
  readonly #time: VirtualTime;
  readonly #members: { readonly director: VirtualDirector; readonly deliver: (packet: ReceivedPacket) => void }[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** @param lastByte of its address 198.51.100.x and of its MAC */
  join(name: string, lastByte: number): VirtualDirector {
    const time = this.#time;
    const fresh: InterfaceState = {
      name: "eth0",
      index: 2,
      isUp: true,
      mac: `02:00:00:00:00:${lastByte.toString(16).padStart(2, "0")}`,
      hasArp: true,
      addresses: [],
      primaryIpv4: `198.51.100.${lastByte}`,
    };
    let link: InterfaceState | undefined = fresh;
    let receive: (packet: ReceivedPacket) => void = () => undefined;
    const addresses = new Set<string>();
    const states = new Map<string, InstanceStatus>();
    const director: VirtualDirector = {
      name,
      log: [],
      addresses,
      announced: [],
      sent: [],
      states,
      cable: true,
      refuseAddresses: false,
      setLink: (change) => {
        link = change === null ? undefined : { ...(link ?? fresh), ...change };
        director.router.linkChanged("eth0");
      },
      router: new VrrpRouter({
        clock: time,
        alarms: time,
        logger: { log: (entry) => director.log.push(entry) },
        link: () => (link === undefined ? undefined : { ...link, addresses: [...addresses].map(asPresent) }),
        publish: (key, state) => {
          if (state === null) states.delete(key);
          else states.set(key, state);
        },
        addresses: {
          add: (_holder: AddressHolder, wanted: readonly Cidr[]) =>
            wanted.map((cidr): AddOutcome => {
              const error = new DirectorError(
                "NETLINK_REFUSED",
                `adding ${formatCidr(cidr)} on eth0 was refused: ENOMEM`,
              );
              if (director.refuseAddresses) return { type: "failed", error };
              const isKnown = addresses.has(formatCidr(cidr));
              addresses.add(formatCidr(cidr));
              return { type: isKnown ? "already-there" : "added" };
            }),
          remove: (_holder: AddressHolder, going: readonly Cidr[]) =>
            going.map((cidr): RemoveOutcome => ({ type: addresses.delete(formatCidr(cidr)) ? "removed" : "absent" })),
        },
        sockets: {
          openVrrp: (_link, onPacket) => {
            receive = onPacket;
            return {
              send: (message, source) => this.#send(director, Buffer.from(message), source),
              drain: () => undefined,
              close: () => {
                receive = () => undefined;
              },
            };
          },
          openFrames: () => ({
            send: (frame) => {
              director.announced.push(Buffer.from(frame));
              return 0;
            },
            close: () => undefined,
          }),
        },
      }),
    };
    this.#members.push({ director, deliver: (packet) => receive(packet) });
    return director;
  }

  #send(from: VirtualDirector, message: Buffer, source: IpText): number {
    from.sent.push(message);
    for (const { director, deliver } of this.#members) {
      if (director === from) continue;
      this.#time.after(WIRE_DELAY_US, () => {
        if (from.cable && director.cable) deliver({ message, source, destination: VRRP_GROUP_IPV4, ttl: 255 });
      });
    }
    return 0;
  }
}

function asPresent(text: string): InterfaceState["addresses"][number] {
  const [address = "", prefix = "32"] = text.split("/");
  return {
    interfaceIndex: 2,
    address: { address, prefixLength: Number(prefix) },
    flags: 0,
    scope: 0,
    protocol: 112,
    label: null,
  };
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
    addresses: [{ address: "192.0.2.10", prefixLength: 24 }],
    ...change,
  };
}
