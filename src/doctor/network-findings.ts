import { familyOf, formatCidr, type IpText } from "../base/ip.ts";
import type { DirectorConfig, InstanceConfig, ServiceConfig, TunnelConfig } from "../config/model.ts";
import { type DoctorFinding, finding } from "./catalogue.ts";
import type { DoctorFacts, NeighbourLimits } from "./facts.ts";
import { listed, roundUp } from "./machine-findings.ts";
import { egressMtu, interfaceFor } from "./survey.ts";

const IPV6_MIN_MTU = 1280;
/** What a tunnel over IPv6 adds to a packet of a client. */
const OVERHEAD_IPV6: Readonly<Record<TunnelConfig["type"], number>> = { ipip: 40, gre: 44, gue: 52 };

/** Findings about interfaces, routes and the way to the servers. */
export function networkFindings(config: DirectorConfig, facts: DoctorFacts): DoctorFinding[] {
  return [
    ...config.instances.flatMap((instance) => interfaceFindings(instance, facts)),
    ...filterFindings(config, facts),
    ...config.instances.flatMap((instance) => heldFindings(instance, facts)),
    ...config.services.flatMap((service) => serverFindings(service, facts)),
    ...pathFindings(config, facts),
    ...facts.neighbours.flatMap((limits) => neighbourFindings(config, facts, limits)),
  ];
}

function interfaceFindings({ name, interface: device }: InstanceConfig, { interfaces }: DoctorFacts): DoctorFinding[] {
  // Where nothing could be read, nothing is missing.
  if (interfaces.length === 0) return [];
  const found = interfaces.find((each) => each.name === device);
  if (found === undefined) {
    const names = listed(interfaces.filter((each) => each.name !== "lo").map((each) => each.name));
    const remedy = `correct \`interface:\` of ${name}; this machine has ${names || "none"}`;
    return [finding("interface-missing", `instance ${name} is on ${device}, which does not exist`, remedy)];
  }
  if (!found.isUp) {
    const title = `instance ${name} is on ${device}, which is down or has no carrier`;
    return [finding("interface-down", title, `ip link set ${device} up   # and look at the cable`)];
  }
  if (found.primaryIpv4 !== null) return [];
  const title = `instance ${name} is on ${device}, which has no IPv4 address of this node's own`;
  return [finding("interface-without-address", title, `ip address add ADDRESS/PREFIX dev ${device}`)];
}

/**
 * Only where clients arrive: the inside interface of nat hears servers, which are reached through it.
 * The kernel goes by the larger of the setting for all interfaces and the interface's own; 1 is strict.
 */
function filterFindings({ instances, services }: DirectorConfig, facts: DoctorFacts): DoctorFinding[] {
  const { sysctls, defaultRoutes } = facts;
  const listens = new Set(services.flatMap(({ listen }) => listen.map(({ address }) => address)));
  const clientSide = instances.filter(({ addresses }) => addresses.some(({ address }) => listens.has(address)));
  const all = Number(sysctls.get("net/ipv4/conf/all/rp_filter") ?? 0);
  return [...new Set(clientSide.map((instance) => instance.interface))].flatMap((device) => {
    const own = sysctls.get(`net/ipv4/conf/${device}/rp_filter`);
    const other = defaultRoutes.find((each) => each !== device);
    const isAsymmetric = defaultRoutes.length > 0 && !defaultRoutes.includes(device) && other !== undefined;
    if (own === undefined || Math.max(all, Number(own)) !== 1 || !isAsymmetric) return [];
    const title = `rp_filter is strict on ${device}, which has virtual addresses, and the default route leaves by ${other}`;
    const name = ["net", "ipv4", "conf", device, "rp_filter"];
    return [
      finding("rp-filter-strict", title, `sysctl -w net.ipv4.conf.${device.replaceAll(".", "/")}.rp_filter=2`, [
        { name, value: "2" },
      ]),
    ];
  });
}

function heldFindings({ name, addresses }: InstanceConfig, { interfaces, daemon }: DoctorFacts): DoctorFinding[] {
  const status = daemon?.instances.find((each) => each.name === name);
  if (status?.phase === "master") return [];
  return addresses.flatMap(({ address }) => {
    // On the loopback it is quiet: a copy around a handover, or a director that is a real server as well.
    const holder = interfaces.find(
      (each) => each.name !== "lo" && each.addresses.some((held) => held.address === address),
    );
    const held = holder?.addresses.find((each) => each.address === address);
    if (holder === undefined || held === undefined) return [];
    const why =
      status === undefined
        ? "and no daemon of this configuration runs here"
        : `and instance ${name} is ${status.phase}`;
    const title = `${formatCidr(held)} stands on ${holder.name}, ${why}`;
    return [finding("address-already-here", title, `ip address del ${formatCidr(held)} dev ${holder.name}`)];
  });
}

function serverFindings(
  { name, forward, servers, listen, tunnel }: ServiceConfig,
  facts: DoctorFacts,
): DoctorFinding[] {
  const { interfaces, defaultRoutes } = facts;
  if (interfaces.length === 0) return [];
  if (forward === "dr") {
    const far = servers
      .map(({ address }) => address)
      .filter((address) => interfaceFor(address, interfaces) === undefined);
    if (far.length === 0) return [];
    const title = `service ${name} forwards by dr to ${listed(far)}, which is in no network of this machine`;
    return [finding("dr-server-off-link", title, `write \`forward: tun\` for ${name}, or move the server`)];
  }
  if (forward !== "tun" || tunnel === null || familyOf(listen[0]?.address ?? "0.0.0.0") === 4) return [];
  return servers.flatMap(({ address }) => {
    const mtu = egressMtu(address, interfaces, defaultRoutes);
    const left = mtu === null ? IPV6_MIN_MTU : mtu - OVERHEAD_IPV6[tunnel.type];
    if (left >= IPV6_MIN_MTU) return [];
    const device = interfaceFor(address, interfaces)?.name ?? defaultRoutes[0] ?? "";
    const wanted = IPV6_MIN_MTU + OVERHEAD_IPV6[tunnel.type];
    const title = `service ${name} tunnels to ${address} through ${device} with MTU ${mtu}: ${left} bytes are left for IPv6`;
    return [
      finding(
        "tunnel-mtu-ipv6",
        title,
        `ip link set ${device} mtu ${wanted}   # at least; on all machines of the network`,
      ),
    ];
  });
}

function pathFindings({ services }: DirectorConfig, { paths }: DoctorFacts): DoctorFinding[] {
  return paths
    .filter(({ isHole }) => isHole)
    .map(({ address, bytes }) => {
      const user = services.find(({ servers }) => servers.some((server) => server.address === address))?.name ?? "";
      const title = `packets of ${bytes} bytes to ${address} (service ${user}) vanish, small ones arrive`;
      return finding(
        "path-mtu-hole",
        title,
        `ping -M do -s ${bytes - 28} ${address}   # find where it ends; make the MTU of that link ${bytes}, or let its ICMP pass`,
      );
    });
}

function neighbourFindings(
  { services }: DirectorConfig,
  { interfaces }: DoctorFacts,
  { family, thresholds }: NeighbourLimits,
): DoctorFinding[] {
  const onLink = new Set<IpText>(); // bounded by the configuration
  for (const { servers } of services) {
    for (const { address } of servers) {
      if (familyOf(address) === family && interfaceFor(address, interfaces) !== undefined) onLink.add(address);
    }
  }
  const [, second, third] = thresholds;
  const count = onLink.size;
  if (count <= second) return [];
  const wanted = roundUp(count * 4);
  const values = [wanted / 4, wanted / 2, wanted];
  const prefix = `net.ipv${family}.neigh.default.gc_thresh`;
  const remedy = `sysctl -w ${values.map((value, index) => `${prefix}${index + 1}=${value}`).join(" ")}`;
  const fix = values.map((value, index) => ({ name: `${prefix}${index + 1}`.split("."), value: String(value) }));
  const isOver = count > third;
  const title = `${count} servers over IPv${family} are on networks of this machine, and ${prefix}${isOver ? 3 : 2} is ${isOver ? third : second}`;
  return [finding(isOver ? "neighbour-table-small" : "neighbour-table-tight", title, remedy, fix)];
}
