import type { DirectorError } from "../base/director-error.ts";
import type { Cidr } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import { decodeRouteMessage, encodeDumpAddresses, encodeDumpLinks } from "../netlink/route.ts";
import { OWN_ADDRESS_PROTOCOL } from "./addresses.ts";
import { NETLINK_ROUTE } from "./constants.ts";
import { KernelNetlinkSocket } from "./netlink-socket.ts";

export interface ListedAddress {
  readonly interface: string;
  readonly address: Cidr;
  /** It carries holdfast's mark; kernels before 5.18 do not keep that. */
  readonly isOwn: boolean;
}

export interface AddressList {
  /** Names of all interfaces. */
  readonly interfaces: ReadonlySet<string>;
  readonly addresses: readonly ListedAddress[];
}

/** Reads the interfaces and addresses of this network namespace once. Needs no privilege. */
export function listAddresses(): Result<AddressList, DirectorError> {
  const socket = KernelNetlinkSocket.open(NETLINK_ROUTE, "socket for reading addresses");
  if (!socket.ok) return socket;
  try {
    const links = socket.value.dump(encodeDumpLinks());
    if (!links.ok) return links;
    const names = new Map<number, string>(); // as many as the kernel has interfaces
    for (const message of links.value) {
      const decoded = decodeRouteMessage(message);
      if (decoded.ok && decoded.value.type === "link") names.set(decoded.value.link.index, decoded.value.link.name);
    }
    const dumped = socket.value.dump(encodeDumpAddresses());
    if (!dumped.ok) return dumped;
    const addresses = dumped.value.flatMap((message): ListedAddress[] => {
      const decoded = decodeRouteMessage(message);
      if (!decoded.ok || decoded.value.type !== "address") return [];
      const { interfaceIndex, address, protocol } = decoded.value.address;
      const name = names.get(interfaceIndex);
      return name === undefined ? [] : [{ interface: name, address, isOwn: protocol === OWN_ADDRESS_PROTOCOL }];
    });
    return ok({ interfaces: new Set(names.values()), addresses });
  } finally {
    socket.value.close();
  }
}
