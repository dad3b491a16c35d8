import type { Finding } from "../base/finding.ts";
import { bitsOf, familyOf } from "../base/ip.ts";
import type { Unmet } from "./converge.ts";
import type { HostInterface } from "./host.ts";
import { type Need, needCommand, needSubject } from "./needs.ts";
import type { Wanted } from "./wanted.ts";

/** What keeps a machine from being prepared at all, and has to be mended by hand. */
export function obstacles(wanted: readonly Wanted[], interfaces: readonly HostInterface[]): Finding[] {
  return [
    ...new Map(
      wanted
        .flatMap((each) => [...misplaced(each, interfaces), ...missing(each, interfaces)])
        .map((it) => [it.title, it]),
    ).values(),
  ];
}

function misplaced({ address }: Wanted, interfaces: readonly HostInterface[]): Finding[] {
  const full = bitsOf(familyOf(address));
  return interfaces.flatMap(({ name, isQuiet, addresses }) =>
    addresses
      .filter((held) => held.address === address && !(isQuiet && held.prefixLength === full))
      .map(({ prefixLength }) => ({
        id: "virtual-address-misplaced",
        severity: "error" as const,
        title: `the virtual address ${address} stands on ${name} as ${address}/${prefixLength}`,
        meaning: isQuiet
          ? `With a prefix shorter than /${full} the kernel takes the whole network for this machine and answers nobody in it.`
          : "This machine answers for it to the whole network, and takes connections that the director should get.",
        remedy: `ip address del ${address}/${prefixLength} dev ${name}`,
      })),
  );
}

function missing({ interfaces: chosen, arp, address }: Wanted, interfaces: readonly HostInterface[]): Finding[] {
  const unknown = chosen.filter((name) => !interfaces.some((each) => each.name === name));
  const findings = unknown.map(
    (name): Finding => ({
      id: "interface-missing",
      severity: "error",
      title: `there is no interface ${name}`,
      meaning: "Nothing can be set on it.",
      remedy: `correct --interface; there are ${interfaces.map((each) => each.name).join(", ")}`,
    }),
  );
  if (arp !== "nft" || familyOf(address) !== 4 || unknown.length > 0) return findings;
  const asks = interfaces.some(
    ({ name, isQuiet, addresses }) =>
      !isQuiet &&
      (chosen.length === 0 || chosen.includes(name)) &&
      addresses.some((own) => familyOf(own.address) === 4 && own.address !== address),
  );
  if (asks) return findings;
  return [
    ...findings,
    {
      id: "own-address-missing",
      severity: "error",
      title: `no interface has an IPv4 address of this machine's own beside ${address}`,
      meaning: "With nftables this machine asks for its neighbours by its own address instead of the virtual one.",
      remedy: "give the interface to the network an address, or use `--arp sysctl`",
    },
  ];
}

const MEANINGS: Readonly<Record<Need["type"], { readonly id: string; readonly meaning: string }>> = {
  device: { id: "tunnel-device-missing", meaning: "What the director tunnels to this machine is dropped, or refused." },
  module: { id: "gue-module-missing", meaning: "The kernel cannot take packets out of UDP." },
  sysctl: { id: "sysctl-unset", meaning: "" },
  up: { id: "tunnel-device-down", meaning: "What the director tunnels to this machine is dropped, or refused." },
  fou: { id: "gue-port-closed", meaning: "The director's packets arrive at a UDP port that nobody takes them from." },
  nft: {
    id: "arp-rules-missing",
    meaning: "This machine answers for the virtual address, or asks in its name, and takes the director's traffic.",
  },
  address: {
    id: "virtual-address-missing",
    meaning: "This machine drops what the director sends it, because it is not addressed to it.",
  },
};

const SYSCTL_MEANINGS: Readonly<Record<string, string>> = {
  arp_ignore:
    "This machine answers when a neighbour asks who has the virtual address, and takes the director's traffic.",
  arp_announce:
    "This machine asks for its neighbours in the virtual address's name, and they send it the director's traffic.",
  rp_filter: "The kernel drops what comes out of the tunnel, because clients are not reached through it.",
};

/** A finding for each need that is not met. */
export function unmetFindings(unmet: readonly Unmet[]): Finding[] {
  return unmet.map(({ need, current }) => {
    const { id, meaning } = MEANINGS[need.type];
    const setting = need.type === "sysctl" ? (need.name.at(-1) ?? "") : "";
    return {
      id: need.type === "sysctl" ? `${setting.replaceAll("_", "-")}-unset` : id,
      severity: "error",
      title: `${needSubject(need)} is ${stateText(need, current)}`,
      meaning: need.type === "sysctl" ? (SYSCTL_MEANINGS[setting] ?? "") : meaning,
      remedy: needCommand(need),
    };
  });
}

function stateText(need: Need, current: string | null): string {
  if (current === null) return need.type === "fou" ? "not taken" : "missing";
  if (need.type === "nft") return "not what the addresses need";
  return need.type === "sysctl" ? `${current}, not ${need.wanted}` : current;
}
