import { formatEndpoint } from "../base/endpoint.ts";
import type { ServiceConfig } from "../config/model.ts";
import { decisionKey, destinationPort } from "./desired.ts";
import { destinationKey, serviceKey } from "./keys.ts";
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
      const present = table.get(serviceKey({ ...endpoint, family: endpoint.address.includes(":") ? 6 : 4 }));
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
