import { Buffer } from "node:buffer";
import { assert } from "../base/assert.ts";
import type { DirectorError } from "../base/director-error.ts";
import { type IpText, ipFromBytes, ipToBytes } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import type { ReceivedPacket, VrrpSocket } from "../ports/packet-socket.ts";
import {
  AF_INET,
  IP_ADD_MEMBERSHIP,
  IP_HDRINCL,
  IP_MULTICAST_ALL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IPPROTO_IP,
  IPPROTO_VRRP,
  MSG_TRUNC,
  SO_BINDTODEVICE,
  SO_PRIORITY,
  SOCK_RAW,
  SOL_SOCKET,
} from "./constants.ts";
import { EAGAIN } from "./errno.ts";
import { CONTROL_PRIORITY } from "./frame-socket.ts";
import { sockaddrIp } from "./sockaddr.ts";
import { type ReceiveFacts, Socket } from "./socket.ts";

/** The group of VRRP over IPv4, and the destination of what is sent unless another one is named. */
export const VRRP_GROUP: IpText = "224.0.0.18";

const IPV4_HEADER_BYTES = 20;
/** 255 addresses, v2's authentication data and a trailer fit many times. */
const MAX_MESSAGE_BYTES = 1480;
/** Beyond it, a flood on one interface would keep the event loop from everything else. */
const PACKETS_PER_CALLBACK = 64;
/** More than a full receive buffer of the default size holds. */
const PACKETS_PER_DRAIN = 1024;

/** Counts since the socket was opened. */
export interface VrrpSocketCounters {
  /** Sends that the kernel refused; a full queue (ENOBUFS) is repaired by the next advert. */
  readonly sendErrors: number;
  /** Errors reported on receiving: interface down, buffer overrun. */
  readonly receiveErrors: number;
  /** Packets without a usable IP header, or longer than any VRRP message. */
  readonly malformed: number;
}

/**
 * Raw protocol 112 on one interface: member of 224.0.0.18 there, own packets not looped back; what peers send to this host
 * alone arrives as well. The socket belongs to an interface index; when the interface is deleted and created again, open a new one.
 */
export class RawVrrpSocket implements VrrpSocket {
  readonly #socket: Socket;
  readonly #onPacket: (packet: ReceivedPacket) => void;
  readonly #outgoing = Buffer.alloc(IPV4_HEADER_BYTES + MAX_MESSAGE_BYTES);
  readonly #incoming = Buffer.alloc(IPV4_HEADER_BYTES + 40 + MAX_MESSAGE_BYTES);
  readonly #facts: ReceiveFacts = { addressLength: 0, flags: 0 };
  readonly #counters = { sendErrors: 0, receiveErrors: 0, malformed: 0 };
  #isReceiving = false;

  private constructor(socket: Socket, onPacket: (packet: ReceivedPacket) => void) {
    this.#socket = socket;
    this.#onPacket = onPacket;
    this.#writeHeader();
  }

  static open(
    options: { readonly interfaceName: string; readonly interfaceIndex: number },
    collaborators: { readonly onPacket: (packet: ReceivedPacket) => void },
  ): Result<RawVrrpSocket, DirectorError> {
    const { interfaceName, interfaceIndex } = options;
    const opened = Socket.open(AF_INET, SOCK_RAW, IPPROTO_VRRP, `VRRP socket on ${interfaceName}`);
    if (!opened.ok) return opened;
    const member = membership(interfaceIndex);
    const configured = opened.value.configure([
      [
        "binding to the interface",
        (it) => it.setOption(SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${interfaceName}\0`)),
      ],
      ["setting the priority", (it) => it.setOption(SOL_SOCKET, SO_PRIORITY, CONTROL_PRIORITY)],
      ["taking over the IP header", (it) => it.setOption(IPPROTO_IP, IP_HDRINCL, 1)],
      ["choosing the multicast interface", (it) => it.setOption(IPPROTO_IP, IP_MULTICAST_IF, member)],
      ["ending the multicast loop", (it) => it.setOption(IPPROTO_IP, IP_MULTICAST_LOOP, 0)],
      ["limiting multicast to own groups", (it) => it.setOption(IPPROTO_IP, IP_MULTICAST_ALL, 0)],
      [`joining ${VRRP_GROUP}`, (it) => it.setOption(IPPROTO_IP, IP_ADD_MEMBERSHIP, member)],
    ]);
    if (!configured.ok) return configured;
    const socket = new RawVrrpSocket(configured.value, collaborators.onPacket);
    const watched = configured.value.watch((status) => socket.#onReadable(status));
    if (!watched.ok) {
      configured.value.close();
      return watched;
    }
    return ok(socket);
  }

  get counters(): VrrpSocketCounters {
    return { ...this.#counters };
  }

  send(message: Buffer, source: IpText, destination: IpText = VRRP_GROUP): number {
    assert(message.length <= MAX_MESSAGE_BYTES, `VRRP message of ${message.length} bytes`);
    this.#outgoing.set(ipToBytes(source), 12);
    this.#outgoing.set(ipToBytes(destination), 16);
    message.copy(this.#outgoing, IPV4_HEADER_BYTES);
    const packet = this.#outgoing.subarray(0, IPV4_HEADER_BYTES + message.length);
    const sent = this.#socket.send(packet, sockaddrIp(destination, 0));
    if (sent >= 0) return 0;
    this.#counters.sendErrors += 1;
    return -sent;
  }

  drain(): undefined {
    this.#receive(PACKETS_PER_DRAIN);
  }

  close(): void {
    this.#socket.close();
  }

  /*
   *  0                   1                   2                   3
   * +-------+-------+---------------+-------------------------------+
   * |   4   |   5   |  TOS 0xc0     |  total length: the kernel's   |
   * +-------+-------+---------------+-------------------------------+
   * |  identification: the kernel's |  0: may be fragmented         |
   * +---------------+---------------+-------------------------------+
   * |  TTL 255      | protocol 112  |  checksum: the kernel's       |
   * +---------------+---------------+-------------------------------+
   * |  source, destination                                          |
   */
  #writeHeader(): void {
    const header = this.#outgoing;
    header[0] = 0x45;
    header[1] = 0xc0;
    header[8] = 255;
    header[9] = IPPROTO_VRRP;
  }

  #onReadable(status: number): void {
    this.#receive(PACKETS_PER_CALLBACK);
    // An error on the socket stopped the watch; reading has fetched and cleared it.
    if (status < 0 && this.#socket.isOpen) this.#socket.rearm();
  }

  /** Reads until the queue is empty or `limit` is reached. */
  #receive(limit: number): void {
    assert(!this.#isReceiving, "a receiver must not drain the socket that called it: it would lose its packet");
    this.#isReceiving = true;
    try {
      this.#receiveSome(limit);
    } finally {
      this.#isReceiving = false;
    }
  }

  #receiveSome(limit: number): void {
    for (let count = 0; count < limit; count += 1) {
      // The receiver may close this socket.
      if (!this.#socket.isOpen) return;
      const length = this.#socket.receive(this.#incoming, null, this.#facts);
      if (length === -EAGAIN) return;
      if (length < 0) this.#counters.receiveErrors += 1;
      else this.#deliver(length);
    }
  }

  #deliver(length: number): void {
    const bytes = this.#incoming;
    const headerLength = (bytes.readUInt8(0) & 0x0f) * 4;
    const isTruncated = (this.#facts.flags & MSG_TRUNC) !== 0;
    if (length < IPV4_HEADER_BYTES || headerLength < IPV4_HEADER_BYTES || headerLength > length || isTruncated) {
      this.#counters.malformed += 1;
      return;
    }
    this.#onPacket({
      message: bytes.subarray(headerLength, length),
      source: ipFromBytes(bytes.subarray(12, 16)),
      destination: ipFromBytes(bytes.subarray(16, 20)),
      ttl: bytes.readUInt8(8),
    });
  }
}

/** struct ip_mreqn: group, local address (any), interface index. */
function membership(interfaceIndex: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.set(ipToBytes(VRRP_GROUP), 0);
  bytes.writeInt32LE(interfaceIndex, 8);
  return bytes;
}
