import { Buffer } from "node:buffer";
import type { IpText } from "../base/ip.ts";
import { encodeDeleteNeighbour } from "../netlink/route.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import { AF_INET, IP_TTL, IPPROTO_IP, SO_DONTROUTE, SOCK_DGRAM, SOL_SOCKET } from "./constants.ts";
import { sockaddrIp } from "./sockaddr.ts";
import { Socket } from "./socket.ts";

/** discard (RFC 863): nobody listens there, and nobody minds. */
const DISCARD_PORT = 9;
const NOTHING = Buffer.alloc(0);

/**
 * Announces an address without a packet socket (CAP_NET_RAW): the kernel is made to ask for the MAC address of somebody on
 * the network, with the address as the one who asks. Everybody there who knows the address takes its new place from the
 * question (RFC 826). Not gratuitous ARP: neighbours within their lock time of a second keep what they have, but the kernel
 * asks up to three times, a second apart, while nobody answers.
 *
 * Rejected: `arp_notify` and setting the interface's own MAC address again, which sends gratuitous ARP for every address,
 * but also forgets the whole neighbour table of the interface.
 */
export class ArpAsker {
  readonly #netlink: NetlinkSocket;

  /** @param collaborators.netlink a NETLINK_ROUTE socket */
  constructor(collaborators: { readonly netlink: NetlinkSocket }) {
    this.#netlink = collaborators.netlink;
  }

  /**
   * @param from an own address, present on the interface
   * @param target anybody else on the network of the interface, whether there or not
   * @param times questions, 1–10
   * @returns 0, or the errno of the step that the kernel refused
   */
  ask(interfaceIndex: number, from: IpText, target: IpText, times: number): number {
    const opened = Socket.open(AF_INET, SOCK_DGRAM, 0, `socket of ${from}`);
    if (!opened.ok) return -1;
    const socket = opened.value;
    try {
      const bound = socket.bind(sockaddrIp(from, 0));
      if (bound < 0) return -bound;
      socket.setOption(SOL_SOCKET, SO_DONTROUTE, 1);
      socket.setOption(IPPROTO_IP, IP_TTL, 1);
      for (let question = 0; question < times; question += 1) {
        this.#netlink.execute([encodeDeleteNeighbour(interfaceIndex, target)]);
        const sent = socket.send(NOTHING, sockaddrIp(target, DISCARD_PORT));
        if (sent < 0) return -sent;
      }
      return 0;
    } finally {
      socket.close();
    }
  }
}
