import { assert } from "../base/assert.ts";
import { bitsOf, familyOf, type IpFamily, type IpText } from "../base/ip.ts";
import type { HostInterface } from "./host.ts";
import type { Wanted } from "./wanted.ts";

/** One thing that must be so on a real server. Plain data, because it is remembered until it is undone. */
export type Need =
  /** The kernel's own device of a tunnel, which comes with its module. */
  | { readonly type: "device"; readonly name: string; readonly module: string }
  | { readonly type: "module"; readonly name: string }
  | {
      readonly type: "sysctl";
      readonly name: readonly string[];
      readonly wanted: string;
      /** Values that do as well. */
      readonly accepts: readonly string[];
      /** The same setting for all interfaces: the kernel goes by the larger of the two. null = this is that one. */
      readonly over: readonly string[] | null;
    }
  | { readonly type: "up"; readonly device: string }
  /** A UDP port whose datagrams are taken for GUE. */
  | { readonly type: "fou"; readonly family: IpFamily; readonly port: number }
  /** The table `arp holdfast_realserver`, as nft lists it. */
  | { readonly type: "nft"; readonly text: string }
  /** With its full prefix length, on `lo` or on the device of a tunnel. */
  | { readonly type: "address"; readonly address: IpText; readonly device: string };

/** The tunnel devices that the kernel makes itself: by tunnel and family. They take packets from any sender. */
const DEVICES = {
  ipip: { 4: { name: "tunl0", module: "ipip" }, 6: { name: "ip6tnl0", module: "ip6_tunnel" } },
  gre: { 4: { name: "gre0", module: "ip_gre" }, 6: { name: "ip6gre0", module: "ip6_gre" } },
  // What GUE brings is IP in IP again.
  gue: { 4: { name: "tunl0", module: "ipip" }, 6: { name: "ip6tnl0", module: "ip6_tunnel" } },
} as const;

export const NFT_TABLE = "holdfast_realserver";

/**
 * What the addresses need, each thing once, in the order in which it must be made: whatever keeps this machine from answering
 * for an address stands before the address, because one ARP answer steals the traffic of a network.
 */
export function needsOf(wanted: readonly Wanted[], interfaces: readonly HostInterface[]): Need[] {
  const needs = new Map<string, Need>(); // bounded by `wanted`
  const add = (need: Need) => needs.set(needKey(need), need);
  const mute = wanted.filter(({ address }) => familyOf(address) === 4);
  for (const { interfaces: chosen } of mute.filter(({ arp }) => arp === "sysctl")) {
    for (const scope of chosen.length === 0 ? ["all"] : chosen) {
      add(arpSysctl(scope, "arp_ignore", "1", ["1", "2", "8"]));
      add(arpSysctl(scope, "arp_announce", "2", ["2"]));
    }
  }
  const filtered = mute.filter(({ arp }) => arp === "nft");
  if (filtered.length > 0) add({ type: "nft", text: nftTable(filtered, interfaces) });
  for (const { address, tunnel } of wanted)
    if (tunnel !== null) for (const need of tunnelNeeds(address, tunnel)) add(need);
  for (const { address, tunnel } of wanted) add({ type: "address", address, device: homeOf(address, tunnel) });
  return [...needs.values()];
}

/** Where an address stands: IPv4 on the device that its packets come out of, for the sake of rp_filter. */
function homeOf(address: IpText, tunnel: Wanted["tunnel"]): string {
  return tunnel === null || familyOf(address) === 6 ? "lo" : DEVICES[tunnel.type][4].name;
}

function arpSysctl(scope: string, setting: string, value: string, accepts: readonly string[]): Need {
  return {
    type: "sysctl",
    name: ["net", "ipv4", "conf", scope, setting],
    wanted: value,
    accepts,
    over: scope === "all" ? null : ["net", "ipv4", "conf", "all", setting],
  };
}

function tunnelNeeds(address: IpText, tunnel: NonNullable<Wanted["tunnel"]>): Need[] {
  const family = familyOf(address);
  const { name, module } = DEVICES[tunnel.type][family];
  const needs: Need[] = [{ type: "device", name, module }];
  if (tunnel.type === "gue") {
    needs.push({ type: "module", name: "fou" }, { type: "fou", family, port: tunnel.port });
  }
  if (family === 4) {
    // Clients do not live behind the tunnel, so a strict filter drops all that comes out of it. The loose one needs only some
    // route to the client, without which no answer would leave either, and an address on the device (fib_validate_source); and
    // it outweighs a strict setting for all interfaces.
    const over = ["net", "ipv4", "conf", "all", "rp_filter"];
    const own = ["net", "ipv4", "conf", name, "rp_filter"];
    needs.push({ type: "sysctl", name: own, wanted: "2", accepts: ["0", "2"], over });
  }
  needs.push({ type: "up", device: name });
  return needs;
}

/** In the words of `nft list table`, with a rule for each address: a set would be listed in an order of nft's own. */
function nftTable(wanted: readonly Wanted[], interfaces: readonly HostInterface[]): string {
  const addresses = [...new Set(wanted.map(({ address }) => address))].sort();
  const asked = addresses.map((address) => `\t\tarp daddr ip ${address} drop`);
  const virtual = new Set(addresses);
  const asking = addresses.flatMap((address) =>
    asksIn(
      wanted.filter((each) => each.address === address),
      interfaces,
      virtual,
    ).map(({ name, own }) => `\t\toifname "${name}" arp saddr ip ${address} arp saddr ip set ${own}`),
  );
  const chain = (hook: string, rules: readonly string[]) =>
    `\tchain ${hook} {\n\t\ttype filter hook ${hook} priority filter; policy accept;\n${rules.map((rule) => `${rule}\n`).join("")}\t}\n`;
  return `table arp ${NFT_TABLE} {\n${chain("input", asked)}\n${chain("output", asking)}}\n`;
}

/** The interfaces on which this machine asks for others' MAC addresses, each with the address that it shall ask by. */
function asksIn(
  wanted: readonly Wanted[],
  interfaces: readonly HostInterface[],
  virtual: ReadonlySet<IpText>,
): { readonly name: string; readonly own: IpText }[] {
  const chosen = new Set(
    wanted.some((each) => each.interfaces.length === 0) ? [] : wanted.flatMap((each) => each.interfaces),
  );
  return interfaces.flatMap(({ name, isQuiet, addresses }) => {
    if (isQuiet || (chosen.size > 0 && !chosen.has(name))) return [];
    const own = addresses.find(({ address }) => familyOf(address) === 4 && !virtual.has(address));
    return own === undefined ? [] : [{ name, own: own.address }];
  });
}

/** Text that is equal for needs about the same thing, whatever they want of it. */
export function needKey(need: Need): string {
  switch (need.type) {
    case "device":
    case "module":
      return `${need.type} ${need.name}`;
    case "sysctl":
      return `sysctl ${need.name.join("/")}`;
    case "up":
      return `up ${need.device}`;
    case "fou":
      return `fou ${need.family} ${need.port}`;
    case "nft":
      return "nft";
    case "address":
      return `address ${need.address} ${need.device}`;
  }
}

/**
 * @param current how it is, as the host reads it
 * @param over    for a sysctl with `over`: how that one is
 */
export function isMet(need: Need, current: string | null, over: string | null = null): boolean {
  switch (need.type) {
    case "device":
    case "module":
      return current !== null;
    case "address":
      return need.device === "lo" ? current !== null : current === need.device;
    case "up":
      return current === "up";
    case "fou":
      return current === "gue";
    case "nft":
      return current === need.text;
    case "sysctl": {
      if (current === null) return false;
      const effective = over === null ? current : String(Math.max(Number(current), Number(over)));
      return need.accepts.includes(effective);
    }
  }
}

/** What a person would run to make it so. */
export function needCommand(need: Need): string {
  switch (need.type) {
    case "device":
      return `modprobe ${need.module}`;
    case "module":
      return `modprobe ${need.name}`;
    case "sysctl":
      return `sysctl -w ${sysctlText(need.name)}=${need.wanted}`;
    case "up":
      return `ip link set ${need.device} up`;
    case "fou":
      return `ip ${need.family === 6 ? "-6 " : ""}fou add port ${need.port} gue`;
    case "nft":
      return `nft -f - <<'END'\n${need.text}END`;
    case "address":
      return `ip address add ${needAddress(need)}`;
  }
}

/** The arguments of `ip address add`. IPv6: usable at once, and never the source of a connection that this machine opens. */
export function needAddress({ address, device }: Need & { readonly type: "address" }): string {
  const family = familyOf(address);
  return `${address}/${bitsOf(family)} dev ${device}${family === 6 ? " nodad preferred_lft 0" : ""}`;
}

/** What stands in a sentence: `net.ipv4.conf.all.arp_ignore`. */
export function needSubject(need: Need): string {
  switch (need.type) {
    case "device":
      return `device ${need.name}`;
    case "module":
      return `module ${need.name}`;
    case "sysctl":
      return sysctlText(need.name);
    case "up":
      return `device ${need.device}`;
    case "fou":
      return `GUE on UDP port ${need.port}${need.family === 6 ? " (IPv6)" : ""}`;
    case "nft":
      return `nftables table arp ${NFT_TABLE}`;
    case "address":
      return `address ${need.address}/${bitsOf(familyOf(need.address))}`;
  }
}

/** As sysctl(8) writes it: a slash for a dot within a part. */
function sysctlText(name: readonly string[]): string {
  assert(name.length > 0, "a sysctl has a name");
  return name.map((part) => part.replaceAll(".", "/")).join(".");
}
