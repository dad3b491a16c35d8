import { Buffer } from "node:buffer";
import type { DirectorError } from "../base/director-error.ts";
import { type IpText, ipFromBytes } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import type { AdvertTap } from "../ports/packet-socket.ts";
import {
  AF_PACKET,
  ETH_P_ALL,
  ETH_P_IP,
  IPPROTO_UDP,
  IPPROTO_VRRP,
  PACKET_IGNORE_OUTGOING,
  SOCK_DGRAM,
  SOL_PACKET,
} from "./constants.ts";
import { macText, sockaddrLink } from "./sockaddr.ts";
import { type ReceiveFacts, Socket } from "./socket.ts";

/** More than a full receive buffer holds. */
const PACKETS_PER_LOOK = 1024;
/** Routers whose address is remembered; one virtual router has a handful. */
const MAX_ROUTERS = 256;
/** The source address of an IPv4 header. */
const SOURCE = { from: 12, to: 16 };
/** sll_halen and sll_addr of struct sockaddr_ll. */
const SLL_HALEN = 11;
const SLL_ADDR = 12;

/** Operation codes of classic BPF (linux/bpf_common.h) that are used here. */
const LD_WORD = 0x20;
const LD_HALF_INDEXED = 0x48;
const LD_BYTE = 0x30;
const LDX_HEADER = 0xb1;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** Instead of the packet: the protocol of the frame (SKF_AD_OFF + SKF_AD_PROTOCOL). */
const FRAME_PROTOCOL = 0xfffff000;

/** An instruction: operation, jumps if true and if false, and a constant. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, constant: number];

function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(8 * program.length);
  program.forEach(([code, ifTrue, ifFalse, constant], index) => {
    bytes.writeUInt16LE(code, 8 * index);
    bytes.writeUInt8(ifTrue, 8 * index + 2);
    bytes.writeUInt8(ifFalse, 8 * index + 3);
    bytes.writeUInt32LE(constant, 8 * index + 4);
  });
  return bytes;
}

/** Passes IPv4 packets of protocol 112; or, with a port, UDP datagrams to it. All else never wakes this process. */
export function advertFilter(udpPort: number | null): Buffer {
  if (udpPort === null) {
    return assemble([
      [LD_WORD, 0, 0, FRAME_PROTOCOL],
      [JUMP_IF_EQUAL, 0, 3, ETH_P_IP],
      [LD_BYTE, 0, 0, 9],
      [JUMP_IF_EQUAL, 0, 1, IPPROTO_VRRP],
      [RETURN, 0, 0, 0xffff],
      [RETURN, 0, 0, 0],
    ]);
  }
  return assemble([
    [LD_WORD, 0, 0, FRAME_PROTOCOL],
    [JUMP_IF_EQUAL, 0, 6, ETH_P_IP],
    [LD_BYTE, 0, 0, 9],
    [JUMP_IF_EQUAL, 0, 4, IPPROTO_UDP],
    [LDX_HEADER, 0, 0, 0],
    [LD_HALF_INDEXED, 0, 0, 2],
    [JUMP_IF_EQUAL, 0, 1, udpPort],
    [RETURN, 0, 0, 0xffff],
    [RETURN, 0, 0, 0],
  ]);
}

/**
 * Opens a packet socket that sees the adverts on one interface with their link-layer source. It is bound to every protocol, so
 * that the kernel hands it a packet before the packet's own socket: whoever asks after reading that one finds the answer here.
 * @param options.udpPort of the transport `udp`; null = protocol 112
 */
export function openAdvertTap(options: {
  readonly interfaceName: string;
  readonly interfaceIndex: number;
  readonly udpPort: number | null;
}): Result<AdvertTap, DirectorError> {
  // Protocol 0 until the filter stands: nothing else may get in.
  const opened = Socket.open(AF_PACKET, SOCK_DGRAM, 0, `packet socket on ${options.interfaceName}`);
  if (!opened.ok) return opened;
  const configured = opened.value.configure([
    ["filtering", (it) => it.attachFilter(advertFilter(options.udpPort))],
    ["leaving out own packets", (it) => it.setOption(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)],
    ["binding", (it) => it.bind(sockaddrLink(options.interfaceIndex, ETH_P_ALL))],
  ]);
  if (!configured.ok) return configured;
  return ok(new KernelAdvertTap(configured.value));
}

class KernelAdvertTap implements AdvertTap {
  readonly #socket: Socket;
  readonly #packet = Buffer.alloc(64);
  readonly #address = Buffer.alloc(20);
  readonly #facts: ReceiveFacts = { addressLength: 0, flags: 0 };
  /** By router; bounded by MAX_ROUTERS. */
  readonly #macs = new Map<IpText, string>();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  sourceMac(router: IpText): string | null {
    for (let count = 0; count < PACKETS_PER_LOOK; count += 1) {
      const length = this.#socket.receive(this.#packet, this.#address, this.#facts);
      if (length < 0) break;
      this.#learn(length);
    }
    return this.#macs.get(router) ?? null;
  }

  close(): void {
    this.#socket.close();
  }

  #learn(length: number): void {
    if (length < SOURCE.to || this.#address.readUInt8(SLL_HALEN) !== 6) return;
    const router = ipFromBytes(this.#packet.subarray(SOURCE.from, SOURCE.to));
    if (this.#macs.size >= MAX_ROUTERS && !this.#macs.has(router)) return;
    this.#macs.set(router, macText(this.#address.subarray(SLL_ADDR, SLL_ADDR + 6)));
  }
}
