import type { IpText } from "../base/ip.ts";

/** A VRRP message as it came off the wire of one interface. */
export interface ReceivedPacket {
  /** The bytes after the IP header; valid only during the callback. */
  readonly message: Buffer;
  readonly source: IpText;
  readonly destination: IpText;
  /** TTL or hop limit of the IP header; null = the transport does not tell it. */
  readonly ttl: number | null;
}

/** VRRP messages on one interface, by whichever transport. Sending and receiving never throw: failures are counted and returned. */
export interface VrrpSocket {
  /**
   * Sends one VRRP message to the group or to a peer.
   * @returns 0, or the errno of the failed call as a positive number
   */
  send(message: Buffer, source: IpText, destination: IpText): number;
  /**
   * Hands every packet that waits in the kernel's queue to the receiver (the second look before a takeover).
   * @returns undefined when that was done at once; otherwise a promise of the moment when it is done
   */
  drain(): Promise<void> | undefined;
  close(): void;
}

/** Tells from which MAC address the adverts of an interface come. */
export interface AdvertTap {
  /** The MAC address that the last advert of this router came from; null = none was heard since the tap was opened. */
  sourceMac(router: IpText): string | null;
  close(): void;
}

/** Gratuitous ARP and the like: whole Ethernet frames on one interface. */
export interface FrameSocket {
  /** @returns 0, or a positive errno */
  send(frame: Buffer): number;
  close(): void;
}
