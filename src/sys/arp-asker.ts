import type { Cidr, IpText } from "../base/ip.ts";
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from "../netlink/message.ts";
import {
  encodeAddAddress,
  encodeAskForNeighbour,
  encodeDeleteAddress,
  encodeDeleteNeighbour,
  RT_SCOPE_LINK,
} from "../netlink/route.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import { OWN_ADDRESS_PROTOCOL } from "./addresses.ts";
import { EINVAL } from "./errno.ts";

/** Questions at once; frames get lost. */
const QUESTIONS = 5;
/** Of the second entry: prefixes that bring no broadcast address. */
const FULL_PREFIX = 32;
const HALF_PREFIX = 31;
const FLAGS_OFFSET = 6;

/**
 * Announces an address without a packet socket (CAP_NET_RAW): the kernel is made to ask for the address itself. As the one who
 * asks it names the first address of the interface whose network covers the one that it asks for, and addresses of link scope come
 * before global ones. So the address stands there a second time meanwhile, with another prefix and of link scope: it asks
 * for itself. That is a gratuitous ARP request (RFC 5227 section 3), which neighbours believe also within their lock time; and
 * no setting of arp_announce puts another address in its place.
 *
 * Rejected: to ask for somebody who is not there in the name of the address, which a neighbour whose entry changed within the last
 * second does not believe; `arp_notify` and setting the interface's own MAC address again, which forgets every neighbour of the
 * interface.
 */
export class ArpAsker {
  readonly #netlink: NetlinkSocket;

  /** @param collaborators.netlink a NETLINK_ROUTE socket */
  constructor(collaborators: { readonly netlink: NetlinkSocket }) {
    this.#netlink = collaborators.netlink;
  }

  /**
   * @param held an own IPv4 address, as it is on the interface
   * @returns 0, or the errno of the step that the kernel refused
   */
  announce(interfaceIndex: number, held: Cidr): number {
    const { address } = held;
    const twin = { address, prefixLength: held.prefixLength === FULL_PREFIX ? HALF_PREFIX : FULL_PREFIX };
    // Alone: where that entry exists already it is somebody else's, and is not to be removed below.
    const [refused = EINVAL] = this.#execute([encodeTwin(interfaceIndex, twin)]);
    if (refused !== 0) return refused;
    const outcomes = this.#execute([
      ...Array.from({ length: QUESTIONS }, () => ask(interfaceIndex, address)).flat(),
      encodeDeleteAddress(interfaceIndex, twin),
    ]);
    return outcomes.find((errno) => errno !== 0) ?? 0;
  }

  #execute(requests: readonly Buffer[]): readonly number[] {
    const executed = this.#netlink.execute(requests);
    return executed.ok ? executed.value : [EINVAL];
  }
}

/** One question, and no repeats of it: each would be in the name of another address. */
function ask(interfaceIndex: number, address: IpText): readonly Buffer[] {
  return [encodeAskForNeighbour(interfaceIndex, address), encodeDeleteNeighbour(interfaceIndex, address)];
}

/** The codec's request replaces; this one must fail where the entry exists. */
function encodeTwin(interfaceIndex: number, address: Cidr): Buffer {
  const request = encodeAddAddress({
    interfaceIndex,
    address,
    noPrefixRoute: true,
    deprecated: false,
    protocol: OWN_ADDRESS_PROTOCOL,
    scope: RT_SCOPE_LINK,
  });
  request.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, FLAGS_OFFSET);
  return request;
}
