import { Buffer } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectorError } from "../base/director-error.ts";
import { type IpText, ipFromBytes } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import { encodeArpProbe } from "../vrrp/garp.ts";
import { AF_PACKET, ETH_P_ARP, PACKET_IGNORE_OUTGOING, SOCK_RAW, SOL_PACKET } from "./constants.ts";
import { macText, sockaddrLink } from "./sockaddr.ts";
import { type ReceiveFacts, Socket } from "./socket.ts";

/** One may be lost. */
const ROUNDS = 2;
const ROUND_MS = 400;
/** Broadcasts at a time, with a pause behind them: a thousand questions at once are a storm. */
const BURST = 32;
const BURST_PAUSE_MS = 10;
const ARP_REPLY = 2;
/** Offsets in an Ethernet frame that carries ARP. */
const OPERATION_AT = 20;
const SENDER_MAC_AT = 22;
const SENDER_IP_AT = 28;
const ARP_END = 42;
const MAX_FRAMES = 8192;

/**
 * Asks one network who has addresses, without saying one of its own: nobody's neighbour table changes by it.
 * @param mac of the interface
 * @returns the MAC addresses that answered, by address; an address without an answer is absent
 * @see RFC 5227 section 2.1.1: a probe has the sender address 0.0.0.0
 */
export async function whoHas(
  { interfaceIndex, interfaceName, mac }: { interfaceIndex: number; interfaceName: string; mac: string },
  addresses: readonly IpText[],
): Promise<Result<ReadonlyMap<IpText, readonly string[]>, DirectorError>> {
  const opened = Socket.open(AF_PACKET, SOCK_RAW, 0, `packet socket on ${interfaceName}`);
  if (!opened.ok) return opened;
  const socket = opened.value.configure([
    ["leaving out own packets", (it) => it.setOption(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)],
    ["binding", (it) => it.bind(sockaddrLink(interfaceIndex, ETH_P_ARP))],
  ]);
  if (!socket.ok) return socket;
  const asked = new Set(addresses);
  const answers = new Map<IpText, Set<string>>(); // bounded by `addresses`
  const to = sockaddrLink(interfaceIndex, ETH_P_ARP);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let at = 0; at < addresses.length; at += BURST) {
      for (const address of addresses.slice(at, at + BURST)) socket.value.send(encodeArpProbe(mac, address), to);
      await sleep(BURST_PAUSE_MS);
      collect(socket.value, asked, answers);
    }
    await sleep(ROUND_MS);
    collect(socket.value, asked, answers);
  }
  socket.value.close();
  return ok(new Map([...answers].map(([address, macs]) => [address, [...macs]])));
}

function collect(socket: Socket, asked: ReadonlySet<IpText>, answers: Map<IpText, Set<string>>): void {
  const frame = Buffer.alloc(64);
  const facts: ReceiveFacts = { addressLength: 0, flags: 0 };
  for (let count = 0; count < MAX_FRAMES; count += 1) {
    const length = socket.receive(frame, null, facts);
    if (length < 0) return;
    if (length < ARP_END || frame.readUInt16BE(OPERATION_AT) !== ARP_REPLY) continue;
    const address = ipFromBytes(frame.subarray(SENDER_IP_AT, SENDER_IP_AT + 4));
    if (!asked.has(address)) continue;
    const macs = answers.get(address) ?? new Set();
    answers.set(address, macs.add(macText(frame.subarray(SENDER_MAC_AT, SENDER_MAC_AT + 6))));
  }
}
