import { familyOf, formatCidr, isInNetwork } from "../../base/ip.ts";
import type { InstanceConfig, ServerConfig } from "../model.ts";
import type { Placed } from "../placed.ts";
import type { ConfigProblem, Finding, Location } from "../problem.ts";
import { networkEdges } from "./instances.ts";
import { familyName, unreachableEndpoint } from "./reachable.ts";
import { listenPath, type PlacedService, serverName } from "./services.ts";

/** Rules about the servers of one service. */
export function serverProblems(service: PlacedService, instances: readonly Placed<InstanceConfig>[]): ConfigProblem[] {
  const { servers } = service.value;
  if (servers.length === 0) {
    const finding: Finding = {
      severity: "warning",
      code: "suspicious",
      message: `service \`${service.value.name}\` has no servers, so its clients are refused`,
      hint: "list at least one ADDRESS:PORT under servers",
    };
    return [service.problemAtKey(["servers"], finding)];
  }
  const problems = sameServer(service);
  for (const [index, server] of servers.entries()) {
    const finding = wrongServer(service, server, instances);
    if (finding !== null) problems.push(service.problem(["servers", index, "address"], finding));
    problems.push(...portProblems(service, server, index));
  }
  return problems;
}

function sameServer(service: PlacedService): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const first = new Map<string, Location>();
  for (const [index, server] of service.value.servers.entries()) {
    const name = serverName(server);
    const location = service.locate("servers", index, "address");
    const other = first.get(name);
    if (other === undefined) {
      first.set(name, location);
      continue;
    }
    const message = `server ${name} stands twice in service \`${service.value.name}\``;
    const hint = "remove one of the two; a larger share of the connections is a larger weight";
    problems.push(
      service.problem(
        ["servers", index, "address"],
        { code: "conflict", message, hint },
        { message: "first defined", location: other },
      ),
    );
  }
  return problems;
}

function wrongServer(
  service: PlacedService,
  server: ServerConfig,
  instances: readonly Placed<InstanceConfig>[],
): Finding | null {
  const { listen, forward } = service.value;
  const unreachable = unreachableEndpoint(server.address, forward);
  if (unreachable !== null) return unreachable;
  const [first] = listen;
  if (first !== undefined && familyOf(first.address) !== familyOf(server.address)) {
    return {
      code: "impossible",
      message: `${serverName(server)} is an ${familyName(server.address)} server in a service that listens on ${familyName(first.address)}`,
      expected: `an ${familyName(first.address)} address`,
      hint:
        forward === "tun"
          ? "the kernel could tunnel across families, but this version of holdfast does not support it"
          : `${forward} cannot translate between families`,
    };
  }
  if (listen.some(({ address }) => address === server.address)) {
    return {
      code: "impossible",
      message: `${server.address} is the address that the service itself listens on`,
      expected: "the real server's own address",
      hint:
        forward === "nat"
          ? null
          : `with ${forward} the server has the virtual address on its loopback, but is listed by its own`,
    };
  }
  return networkEdge(server, instances);
}

function networkEdge(server: ServerConfig, instances: readonly Placed<InstanceConfig>[]): Finding | null {
  for (const { value } of instances) {
    for (const cidr of value.addresses) {
      const edges = networkEdges(cidr);
      if (edges === null || !isInNetwork(server.address, cidr)) continue;
      if (server.address !== edges.network && server.address !== edges.broadcast) continue;
      const what = server.address === edges.network ? "the address of the network itself" : "the broadcast address";
      return {
        code: "impossible",
        message: `${server.address} is ${what} in ${formatCidr({ address: edges.network, prefixLength: cidr.prefixLength })}, the network of instance \`${value.name}\``,
        expected: "the address of a machine",
      };
    }
  }
  return null;
}

/** dr and tun leave the packet's port as the client wrote it. */
function portProblems(service: PlacedService, server: ServerConfig, index: number): ConfigProblem[] {
  const { forward, listen } = service.value;
  if (forward === "nat") return [];
  const other = listen.findIndex(({ port }) => port !== server.port);
  const endpoint = listen[other];
  if (endpoint === undefined) return [];
  const ports = [...new Set(listen.map(({ port }) => port))];
  const finding: Finding = {
    code: "impossible",
    message: `${forward} does not rewrite ports: connections to port ${endpoint.port} would reach ${server.address} at port ${endpoint.port}, not ${server.port}`,
    expected: ports.length === 1 ? `${serverName({ ...server, port: endpoint.port })}` : "services with one port each",
    hint:
      ports.length === 1
        ? `write the port ${endpoint.port}, or use \`forward: nat\``
        : `with ${forward} make one service per port`,
  };
  const related = { message: "listens", location: service.locate(...listenPath(service, other)) };
  return [service.problem(["servers", index, "address"], finding, related)];
}
