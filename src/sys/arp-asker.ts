import { Buffer } from "node:buffer";
import type { IpText } from "../base/ip.ts";
import { encodeDeleteNeighbour } from "../netlink/route.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import { AF_INET, IP_TTL, IPPROTO_IP, SO_BINDTODEVICE, SO_DONTROUTE, SOCK_DGRAM, SOL_SOCKET } from "./constants.ts";
import { EINVAL } from "./errno.ts";
import { sockaddrIp } from "./sockaddr.ts";
import { Socket } from "./socket.ts";

/** discard (RFC 863); the datagram is never delivered. */
const DISCARD_PORT = 9;
const NOTHING = Buffer.alloc(0);
/** Questions at once; frames get lost. */
const QUESTIONS = 5;
/** Addresses that are asked for: 192.0.0.11 to 192.0.0.160, of a block in which no host has one (RFC 6890). */
const NOBODY = { prefix: "192.0.0.", first: 11, count: 150 };

/**
 * Announces an address without a packet socket (CAP_NET_RAW): the kernel is made to ask for somebody who is not there, with the
 * address as the one who asks. Everybody who knows the address takes its new place from the question (RFC 826). It is not
 * gratuitous ARP: Linux neighbours whose entry changed within the last second keep it. But nobody answers, so the kernel asks
 * again after one second and after two.
 *
 * Rejected: to ask for a peer, whose answer ends the repeats, and for which adverts wait in the same queue; `arp_notify` and
 * setting the interface's own MAC address again, which sends gratuitous ARP but forgets every neighbour of the interface.
 */
export class ArpAsker {
  readonly #netlink: NetlinkSocket;

  /** @param collaborators.netlink a NETLINK_ROUTE socket */
  constructor(collaborators: { readonly netlink: NetlinkSocket }) {
    this.#netlink = collaborators.netlink;
  }

  /**
   * @param address an own address, present on the interface
   * @param number tells addresses apart that are announced together: each has its own repeats
   * @returns 0, or the errno of the step that the kernel refused
   */
  announce(link: { readonly name: string; readonly index: number }, address: IpText, number: number): number {
    const opened = Socket.open(AF_INET, SOCK_DGRAM, 0, `socket of ${address}`);
    if (!opened.ok) return EINVAL;
    const socket = opened.value;
    try {
      // Without a route of its own, and not by the default route either: as if it were on this very network.
      const refused = [
        socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${link.name}\0`)),
        socket.setOption(SOL_SOCKET, SO_DONTROUTE, 1),
        socket.setOption(IPPROTO_IP, IP_TTL, 1),
        socket.bind(sockaddrIp(address, 0)),
      ].find((status) => status < 0);
      if (refused !== undefined) return -refused;
      return this.#ask(socket, link.index, `${NOBODY.prefix}${NOBODY.first + (number % NOBODY.count)}`);
    } finally {
      socket.close();
    }
  }

  /** What waits for an answer is thrown away before each question, or the kernel would not ask. */
  #ask(socket: Socket, interfaceIndex: number, nobody: IpText): number {
    for (let question = 0; question < QUESTIONS; question += 1) {
      this.#netlink.execute([encodeDeleteNeighbour(interfaceIndex, nobody)]);
      const sent = socket.send(NOTHING, sockaddrIp(nobody, DISCARD_PORT));
      if (sent < 0) return -sent;
    }
    return 0;
  }
}
