import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { DirectorError } from "../base/director-error.ts";
import { familyOf, type IpText } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import type { Asker, Question } from "../ports/asker.ts";
import { internetChecksum } from "../vrrp/checksum.ts";
import {
  AF_INET,
  AF_INET6,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_FILTER,
  ICMP6_ECHO_REPLY,
  ICMP6_ECHO_REQUEST,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  MSG_DONTWAIT,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_RAW,
} from "./constants.ts";
import { EAGAIN, errnoText } from "./errno.ts";
import { sockaddrIp } from "./sockaddr.ts";
import { type ReceiveFacts, Socket } from "./socket.ts";

const HEADER_BYTES = 8;
const TOKEN_BYTES = 8;
/** Header, token of this prober, number of the question: as long as those of ping. */
const PACKET_BYTES = 64;
const RECEIVE_BYTES = 2_048;
/** Answers read before other events get their turn. */
const PACKETS_PER_CALLBACK = 64;

/**
 * Asks by ICMP echo. Answers are told from those to others by a token in the payload, because a raw socket hears every answer
 * that comes to this machine. Where raw sockets are not granted, the kernel's ping socket does it.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +---------------+---------------+-------------------------------+
 * |  type         |  code 0       |  checksum                     |
 * +---------------+---------------+-------------------------------+
 * |  identifier                   |  sequence: low half of number |
 * +-------------------------------+-------------------------------+
 * |  token, 8 bytes                                               |
 * +---------------------------------------------------------------+
 * |  number of the question                                       |
 */
export class IcmpAsker implements Asker {
  readonly #socket: Socket;
  readonly #address: Buffer;
  readonly #isV4: boolean;
  /** A raw socket of IPv4 hands out the IP header as well. */
  readonly #hasHeader: boolean;
  readonly #packet = Buffer.alloc(PACKET_BYTES);
  readonly #token = randomBytes(TOKEN_BYTES);
  readonly #incoming = Buffer.alloc(RECEIVE_BYTES);
  readonly #facts: ReceiveFacts = { addressLength: 0, flags: 0 };
  /** By number; as many as the caller waits for. */
  readonly #waiting = new Map<number, (failure: string | null) => void>();

  private constructor(socket: Socket, address: IpText, isRaw: boolean) {
    this.#socket = socket;
    this.#isV4 = familyOf(address) === 4;
    this.#hasHeader = isRaw && this.#isV4;
    this.#address = sockaddrIp(address, 0);
    this.#packet.writeUInt8(this.#isV4 ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST, 0);
    this.#packet.set(randomBytes(2), 4);
    this.#packet.set(this.#token, HEADER_BYTES);
  }

  static open(address: IpText): Result<IcmpAsker, DirectorError> {
    const isV4 = familyOf(address) === 4;
    const domain = isV4 ? AF_INET : AF_INET6;
    const protocol = isV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    const raw = Socket.open(domain, SOCK_RAW, protocol, "raw ICMP socket");
    const opened = raw.ok ? raw : Socket.open(domain, SOCK_DGRAM, protocol, "ping socket");
    if (!opened.ok) return raw.ok ? opened : raw;
    const socket = opened.value;
    // A busy machine hears many other messages.
    if (raw.ok && isV4) socket.setOption(SOL_RAW, ICMP_FILTER, ~(1 << ICMP_ECHO_REPLY));
    const asker = new IcmpAsker(socket, address, raw.ok);
    const watched = socket.watch((status) => asker.#onReadable(status));
    if (!watched.ok) {
      socket.close();
      return watched;
    }
    // Whoever asks has timers of his own.
    socket.hold(false);
    return ok(asker);
  }

  ask(id: number, done: (failure: string | null) => void): Question {
    this.#waiting.set(id, done);
    const packet = this.#packet;
    packet.writeUInt16BE(id & 0xffff, 6);
    packet.writeUInt32BE(id, HEADER_BYTES + TOKEN_BYTES);
    packet.writeUInt16BE(0, 2);
    // For IPv6 the kernel writes it: it covers addresses that only the kernel knows.
    if (this.#isV4) packet.writeUInt16BE(internetChecksum(packet), 2);
    const sent = this.#socket.send(packet, this.#address, MSG_DONTWAIT);
    if (sent < 0) queueMicrotask(() => this.#settle(id, `not sent: ${errnoText(-sent)}`));
    return { forget: () => void this.#waiting.delete(id) };
  }

  close(): void {
    this.#waiting.clear();
    this.#socket.close();
  }

  #onReadable(status: number): void {
    for (let count = 0; count < PACKETS_PER_CALLBACK && this.#socket.isOpen; count += 1) {
      const length = this.#socket.receive(this.#incoming, null, this.#facts);
      if (length === -EAGAIN) break;
      if (length > 0) this.#read(this.#incoming.subarray(0, Math.min(length, RECEIVE_BYTES)));
    }
    // An error that the kernel reported on the socket stopped the watch; reading has fetched it.
    if (status < 0 && this.#socket.isOpen) this.#socket.rearm();
  }

  #read(bytes: Buffer): void {
    const message = this.#hasHeader ? bytes.subarray(((bytes[0] ?? 0) & 0x0f) * 4) : bytes;
    if (message.length < HEADER_BYTES + TOKEN_BYTES + 4) return;
    if (message[0] !== (this.#isV4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY)) return;
    if (!message.subarray(HEADER_BYTES, HEADER_BYTES + TOKEN_BYTES).equals(this.#token)) return;
    this.#settle(message.readUInt32BE(HEADER_BYTES + TOKEN_BYTES), null);
  }

  #settle(id: number, failure: string | null): void {
    const done = this.#waiting.get(id);
    if (!this.#waiting.delete(id)) return;
    done?.(failure);
  }
}
