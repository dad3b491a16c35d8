import { Buffer } from "node:buffer";
import type { DirectorError } from "../base/director-error.ts";
import { ipFromBytes, ipToBytes } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import type { HeardPacket } from "../doctor/facts.ts";
import { advertFilter } from "./advert-tap.ts";
import {
  AF_INET,
  AF_PACKET,
  ETH_P_ALL,
  IP_ADD_MEMBERSHIP,
  IPPROTO_IP,
  PACKET_IGNORE_OUTGOING,
  SOCK_DGRAM,
  SOL_PACKET,
} from "./constants.ts";
import { macText, sockaddrLink } from "./sockaddr.ts";
import { type ReceiveFacts, Socket } from "./socket.ts";
import { VRRP_GROUP } from "./vrrp-socket.ts";

/** A second of a flood; a network with more routers than that has other troubles. */
const MAX_PACKETS = 4096;
/** sll_halen and sll_addr of struct sockaddr_ll. */
const SLL_HALEN = 11;
const SLL_ADDR = 12;
const UDP_HEADER_BYTES = 8;

/**
 * Hears the VRRP packets of one interface, whoever they are for, beside a daemon that does the same: a packet socket takes
 * nothing away from others.
 */
export class AdvertListener {
  readonly #socket: Socket;
  /** Keeps this machine in the group, so that the network delivers it; null = with UDP there is none. */
  readonly #member: Socket | null;
  readonly #interface: string;
  readonly #udpPort: number | null;
  readonly #packet = Buffer.alloc(2048);
  readonly #address = Buffer.alloc(20);
  readonly #facts: ReceiveFacts = { addressLength: 0, flags: 0 };

  private constructor(
    socket: Socket,
    member: Socket | null,
    options: { interfaceName: string; udpPort: number | null },
  ) {
    this.#socket = socket;
    this.#member = member;
    this.#interface = options.interfaceName;
    this.#udpPort = options.udpPort;
  }

  static open(options: {
    readonly interfaceName: string;
    readonly interfaceIndex: number;
    readonly udpPort: number | null;
  }): Result<AdvertListener, DirectorError> {
    const { interfaceName, interfaceIndex, udpPort } = options;
    const opened = Socket.open(AF_PACKET, SOCK_DGRAM, 0, `packet socket on ${interfaceName}`);
    if (!opened.ok) return opened;
    const socket = opened.value.configure([
      ["filtering", (it) => it.attachFilter(advertFilter(udpPort))],
      ["leaving out own packets", (it) => it.setOption(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)],
      ["binding", (it) => it.bind(sockaddrLink(interfaceIndex, ETH_P_ALL))],
    ]);
    if (!socket.ok) return socket;
    if (udpPort !== null) return ok(new AdvertListener(socket.value, null, options));
    const member = joinGroup(interfaceName, interfaceIndex);
    if (member.ok) return ok(new AdvertListener(socket.value, member.value, options));
    socket.value.close();
    return member;
  }

  /** Everything that was heard since it was opened, or asked last. */
  take(wallMs: number): HeardPacket[] {
    const heard: HeardPacket[] = [];
    for (let count = 0; count < MAX_PACKETS; count += 1) {
      const length = this.#socket.receive(this.#packet, this.#address, this.#facts);
      if (length < 0) break;
      const packet = this.#read(length, wallMs);
      if (packet !== null) heard.push(packet);
    }
    return heard;
  }

  close(): void {
    this.#socket.close();
    this.#member?.close();
  }

  #read(length: number, wallMs: number): HeardPacket | null {
    const bytes = this.#packet;
    const headerBytes = ((bytes[0] ?? 0) & 0x0f) * 4 + (this.#udpPort === null ? 0 : UDP_HEADER_BYTES);
    if (length > bytes.length || length < headerBytes || headerBytes < 20) return null;
    // A short packet is padded on its way; the header says where it ends.
    const end = Math.min(length, bytes.readUInt16BE(2));
    const hasMac = this.#address.readUInt8(SLL_HALEN) === 6;
    return {
      interface: this.#interface,
      udpPort: this.#udpPort,
      source: ipFromBytes(bytes.subarray(12, 16)),
      destination: ipFromBytes(bytes.subarray(16, 20)),
      ttl: this.#udpPort === null ? (bytes[8] ?? 0) : null,
      mac: hasMac ? macText(this.#address.subarray(SLL_ADDR, SLL_ADDR + 6)) : null,
      message: Buffer.from(bytes.subarray(headerBytes, Math.max(headerBytes, end))),
      wallMs,
    };
  }
}

function joinGroup(interfaceName: string, interfaceIndex: number): Result<Socket, DirectorError> {
  const opened = Socket.open(AF_INET, SOCK_DGRAM, 0, `socket in ${VRRP_GROUP} on ${interfaceName}`);
  if (!opened.ok) return opened;
  // struct ip_mreqn: group, local address (any), interface index.
  const request = Buffer.alloc(12);
  request.set(ipToBytes(VRRP_GROUP), 0);
  request.writeInt32LE(interfaceIndex, 8);
  return opened.value.configure([
    [`joining ${VRRP_GROUP}`, (it) => it.setOption(IPPROTO_IP, IP_ADD_MEMBERSHIP, request)],
  ]);
}
