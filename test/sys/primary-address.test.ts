import assert from "node:assert/strict";
import { IFA_F_SECONDARY, type InterfaceAddress } from "../../src/netlink/route.ts";
import { OWN_ADDRESS_PROTOCOL } from "../../src/sys/addresses.ts";
import { primaryIpv4 } from "../../src/sys/link-monitor.ts";

const SCOPE_LINK = 253;

function address(text: string, part: Partial<InterfaceAddress> = {}): InterfaceAddress {
  const cidr = { address: text, prefixLength: 24 };
  return { interfaceIndex: 2, address: cidr, flags: 0, scope: 0, protocol: 0, label: null, ...part };
}

const vip = address("192.0.2.10", { protocol: OWN_ADDRESS_PROTOCOL });
const secondary = { flags: IFA_F_SECONDARY };

describe("the address that adverts come from", () => {
  const CASES: readonly (readonly [string, readonly InterfaceAddress[], string | null])[] = [
    ["none", [], null],
    ["only virtual ones", [vip], null],
    ["only IPv6", [address("fe80::1")], null],
    ["the first of several", [address("192.0.2.2"), address("198.51.100.2")], "192.0.2.2"],
    ["never a virtual one", [vip, address("192.0.2.2")], "192.0.2.2"],
    [
      "a global one before one of the link",
      [address("169.254.1.1", { scope: SCOPE_LINK }), address("192.0.2.2")],
      "192.0.2.2",
    ],
    ["one of the link, where there is nothing else", [address("169.254.1.1", { scope: SCOPE_LINK })], "169.254.1.1"],
    ["a primary before a secondary", [address("192.0.2.3", secondary), address("192.0.2.2")], "192.0.2.2"],
    ["a secondary below a virtual primary", [vip, address("192.0.2.2", secondary)], "192.0.2.2"],
  ];
  for (const [name, addresses, expected] of CASES) it(name, () => assert.equal(primaryIpv4(addresses), expected));
});
