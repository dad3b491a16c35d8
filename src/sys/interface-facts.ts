import type { DirectorError } from "../base/director-error.ts";
import { isInNetwork } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import type { FactInterface } from "../doctor/facts.ts";
import {
  decodeRouteMessage,
  encodeDumpAddresses,
  encodeDumpLinks,
  type InterfaceAddress,
  isLinkUsable,
  type Link,
} from "../netlink/route.ts";
import { NETLINK_ROUTE } from "./constants.ts";
import { primaryIpv4 } from "./link-monitor.ts";
import { KernelNetlinkSocket } from "./netlink-socket.ts";

/** It stands on every interface and says nothing. */
const LINK_LOCAL = { address: "fe80::", prefixLength: 10 };

/** All interfaces of this machine with their addresses, once. */
export function readInterfaces(): Result<readonly FactInterface[], DirectorError> {
  const socket = KernelNetlinkSocket.open(NETLINK_ROUTE, "socket for reading interfaces");
  if (!socket.ok) return socket;
  const links: Link[] = [];
  const addresses: InterfaceAddress[] = [];
  for (const request of [encodeDumpLinks(), encodeDumpAddresses()]) {
    const replies = socket.value.dump(request);
    if (!replies.ok) {
      socket.value.close();
      return replies;
    }
    for (const reply of replies.value) {
      const message = decodeRouteMessage(reply);
      if (message.ok && message.value.type === "link") links.push(message.value.link);
      else if (message.ok && message.value.type === "address") addresses.push(message.value.address);
    }
  }
  socket.value.close();
  return ok(links.map((link) => factOf(link, addresses)));
}

function factOf(link: Link, addresses: readonly InterfaceAddress[]): FactInterface {
  const own = addresses.filter(({ interfaceIndex }) => interfaceIndex === link.index);
  return {
    name: link.name,
    index: link.index,
    isUp: isLinkUsable(link),
    mac: link.mac,
    mtu: link.mtu,
    addresses: own.map(({ address }) => address).filter(({ address }) => !isInNetwork(address, LINK_LOCAL)),
    primaryIpv4: primaryIpv4(own),
  };
}
