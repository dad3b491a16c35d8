import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import { familyOf } from "../base/ip.ts";
import type { ServiceConfig } from "../config/model.ts";
import { decisionKey, destinationPort } from "./desired.ts";
import { destinationKey, serviceKey } from "./keys.ts";
import type { IpvsOperation } from "./model.ts";
import type { CurrentTable } from "./observed.ts";

/**
 * Which configured servers clients depend on at this moment, as decision keys: present with a weight above 0 in any of their
 * service's endpoints, or with 0 while an override lets their connections end.
 * @param isEnding whether a server, by its decision key, has such an override
 */
export function servingServers(
  services: readonly ServiceConfig[],
  current: CurrentTable,
  isEnding: (key: string) => boolean = () => false,
): ReadonlySet<string> {
  const table = new Map(
    current.map((service) => [
      serviceKey(service),
      new Map(service.destinations.map((destination) => [destinationKey(destination), destination.weight])),
    ]),
  );
  const serving = new Set<string>(); // bounded by the configured servers
  for (const service of services) {
    for (const endpoint of service.listen) {
      const present = table.get(serviceKey({ ...endpoint, family: familyOf(endpoint.address) }));
      if (present === undefined) continue;
      for (const server of service.servers) {
        const port = destinationPort(service, server, endpoint.port);
        const weight = present.get(formatEndpoint({ address: server.address, port })) ?? -1;
        const key = decisionKey(service.name, server);
        if (weight > 0 || (weight === 0 && isEnding(key))) serving.add(key);
      }
    }
  }
  return serving;
}

/** A configured server, and what putting it into the table takes. */
export interface UnservedServer {
  readonly service: string;
  /** `10.0.0.11:80`. */
  readonly server: string;
  readonly operation: IpvsOperation;
}

/**
 * Which configured servers the table lacks in every one of their service's endpoints, by decision key. One that some endpoint
 * has serves, if not everybody.
 * @param operations what is still to be done
 */
export function missingServers(
  services: readonly ServiceConfig[],
  operations: readonly IpvsOperation[],
): ReadonlyMap<string, UnservedServer> {
  const lacking = new Map<string, Map<string, IpvsOperation>>(); // bounded by the operations
  for (const operation of operations) {
    if (operation.type !== "addDestination") continue;
    const service = serviceKey(operation.service);
    const destinations = lacking.get(service) ?? new Map<string, IpvsOperation>();
    lacking.set(service, destinations.set(destinationKey(operation.destination), operation));
  }
  const missing = new Map<string, UnservedServer>(); // bounded by the configured servers
  if (lacking.size === 0) return missing;
  for (const service of services) {
    const endpoints = service.listen.map((listen) => ({
      listen,
      lacks: lacking.get(serviceKey({ ...listen, family: familyOf(listen.address) })),
    }));
    const operationFor = (server: Endpoint, { listen, lacks }: (typeof endpoints)[number]) =>
      lacks?.get(formatEndpoint({ address: server.address, port: destinationPort(service, server, listen.port) }));
    if (endpoints.some(({ lacks }) => lacks === undefined)) continue;
    for (const server of service.servers) {
      const [operation, ...others] = endpoints.map((endpoint) => operationFor(server, endpoint));
      if (operation === undefined || others.includes(undefined)) continue;
      missing.set(decisionKey(service.name, server), {
        service: service.name,
        server: formatEndpoint(server),
        operation,
      });
    }
  }
  return missing;
}
