import { assert } from "../base/assert.ts";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import { familyOf } from "../base/ip.ts";
import type { ServiceConfig } from "../config/model.ts";
import { serviceKey } from "./keys.ts";
import type { Destination, IpvsTable, Tunnel, VirtualService } from "./model.ts";

/** What the checks, and the people who override them, say about one server of one service. */
export interface ServerDecision {
  /** Whether it stands in the table at all. */
  readonly present: boolean;
  /** 0–65535; 0 = no new connections. */
  readonly weight: number;
}

/** By `decisionKey`. A server without a decision is not in the table: nothing has been found out about it yet. */
export type ServerDecisions = ReadonlyMap<string, ServerDecision>;

const MAX_WEIGHT = 65535;

/**
 * @param service name of a service in the configuration
 * @param server  where the server serves
 */
export function decisionKey(service: string, server: Endpoint): string {
  return `${service} ${formatEndpoint(server)}`;
}

/** Which service is configured for what stands in the kernel's table, by serviceKey. As in the table, the first counts. */
export function servicesByKey(services: readonly ServiceConfig[]): ReadonlyMap<string, ServiceConfig> {
  const found = new Map<string, ServiceConfig>(); // bounded by the configuration
  for (const service of services)
    for (const listen of service.listen) {
      const key = serviceKey({ ...listen, family: familyOf(listen.address) });
      if (!found.has(key)) found.set(key, service);
    }
  return found;
}

/**
 * The table that the configuration and the decisions ask for: one virtual service per listen endpoint.
 *
 * In dr and tun packets reach the server with the service's own port, so that is the destination's port. Services and
 * destinations come in the order of the configuration. Validation has refused the same thing twice; should it slip
 * through, the first counts, because a table with doubles could never be reached.
 */
export function desiredTable(services: readonly ServiceConfig[], decisions: ServerDecisions): IpvsTable {
  return join(services.map((service) => virtualServicesOf(service, decisions)));
}

/**
 * The same, kept between calls: a verdict concerns one service, so only what was touched since is built anew. The rest are
 * the same objects as before, which a comparison of tables recognises.
 */
export class DesiredTable {
  /** Gone with the configuration that they belong to. */
  readonly #built = new WeakMap<ServiceConfig, readonly VirtualService[]>();
  /** Names of services whose decisions have changed; bounded by the configuration. */
  readonly #touched = new Set<string>();

  touch(service: string): void {
    this.#touched.add(service);
  }

  /** @param decisions as they were for the last call, but for services that were touched */
  build(services: readonly ServiceConfig[], decisions: ServerDecisions): IpvsTable {
    const parts = services.map((service) => {
      const known = this.#touched.has(service.name) ? undefined : this.#built.get(service);
      if (known !== undefined) return known;
      const built = virtualServicesOf(service, decisions);
      this.#built.set(service, built);
      return built;
    });
    this.#touched.clear();
    return join(parts);
  }
}

function join(parts: readonly (readonly VirtualService[])[]): IpvsTable {
  const table = new Map<string, VirtualService>(); // bounded by the configuration
  for (const part of parts) {
    for (const service of part) {
      const key = serviceKey(service);
      if (!table.has(key)) table.set(key, service);
    }
  }
  return [...table.values()];
}

function virtualServicesOf(service: ServiceConfig, decisions: ServerDecisions): readonly VirtualService[] {
  const { scheduler, persistence } = service;
  const settings = { scheduler, flags: { fallback: service.hashFallback, port: service.hashPort }, persistence };
  return service.listen.map(({ protocol, address, port }) => ({
    family: familyOf(address),
    protocol,
    address,
    port,
    ...settings,
    destinations: destinationsOf(service, port, decisions),
  }));
}

/**
 * The port of a server's destination. In dr and tun packets reach the server with the service's own port.
 * @param listenPort of the endpoint whose destination it is
 */
export function destinationPort(
  { forward }: Pick<ServiceConfig, "forward">,
  server: Pick<Endpoint, "port">,
  listenPort: number,
): number {
  return forward === "nat" ? server.port : listenPort;
}

function destinationsOf(service: ServiceConfig, listenPort: number, decisions: ServerDecisions): Destination[] {
  const destinations = new Map<string, Destination>(); // bounded by the configuration
  const tunnel = tunnelOf(service);
  for (const server of service.servers) {
    const decision = decisions.get(decisionKey(service.name, server));
    if (decision === undefined || !decision.present) continue;
    const { weight } = decision;
    assert(Number.isInteger(weight) && weight >= 0 && weight <= MAX_WEIGHT, `weight ${weight} of ${service.name}`);
    const isNat = service.forward === "nat";
    // With the port the same for all, the address alone tells destinations apart.
    const key = isNat ? `${server.address} ${server.port}` : server.address;
    if (destinations.has(key)) continue;
    const port = destinationPort(service, server, listenPort);
    destinations.set(key, { address: server.address, port, method: service.forward, weight, ...tunnel });
  }
  return [...destinations.values()];
}

/** What a destination says of its tunnel: nothing where that is plain IP-in-IP, as the kernel takes it. */
function tunnelOf({ tunnel }: ServiceConfig): { readonly tunnel?: Tunnel } {
  return tunnel === null || tunnel.type === "ipip" ? {} : { tunnel };
}
