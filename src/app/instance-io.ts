import type { Cidr, IpText } from "../base/ip.ts";
import type { RefusedAddress } from "../control/status.ts";

/** What an instance can do to its interface. Nothing here throws. */
export interface InstanceIo {
  /**
   * Sends one advert to everybody whom the transport names.
   * @param encode the bytes for a destination: some checksums cover it
   * @returns 0 or a positive errno
   */
  send(encode: (destination: IpText) => Buffer, source: IpText): number;
  /** Feeds packets that already wait in the kernel. @returns undefined when that is done, or a promise of it */
  drain(): Promise<void> | undefined;
  /** Packets on the interface so far that no instance was meant by. */
  strayPackets(): number;
  /** Makes exactly these addresses present. */
  hold(addresses: readonly Cidr[]): HoldReport;
  /** Removes every address that this instance made. @returns those that could not be removed */
  release(): readonly RefusedAddress[];
  /** A burst of gratuitous ARPs for each address. */
  announce(addresses: readonly Cidr[]): void;
  /** Keeps copies of these addresses where they answer no ARP, and remembers from where adverts come. Idempotent. */
  shadow(addresses: readonly Cidr[]): void;
  /** Undoes it. Idempotent. @returns sentences about what could not be removed */
  unshadow(): readonly string[];
  /** One gratuitous ARP for each address in the name of another router, where its MAC address is known. */
  announceFor(addresses: readonly Cidr[], successor: IpText): void;
}

/** How a resignation ended. */
export interface HandoverReport {
  /** Who serves now; null = nobody was found, as `reason` says. */
  readonly successor: IpText | null;
  /** From the first priority 0 to the end, microseconds. */
  readonly tookUs: number;
  readonly reason: string;
}

export interface HoldReport {
  /** Present and made by holdfast. */
  readonly held: readonly string[];
  /** Present before, made by somebody else. */
  readonly foreign: readonly string[];
  /** What the kernel would not add, or remove because it is not wanted any more. */
  readonly refused: readonly RefusedAddress[];
}
