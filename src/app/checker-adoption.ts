import { formatEndpoint } from "../base/endpoint.ts";
import type { ServiceConfig } from "../config/model.ts";
import { decisionKey } from "../ipvs/desired.ts";
import { destinationKey, serviceKey } from "../ipvs/keys.ts";
import type { CurrentTable } from "../ipvs/observed.ts";

/**
 * Which configured servers the kernel sends new connections to at this moment, as decision keys: present with a weight
 * above 0 in any of their service's endpoints.
 */
export function servingServers(services: readonly ServiceConfig[], current: CurrentTable): ReadonlySet<string> {
  const table = new Map(
    current.map((service) => [
      serviceKey(service),
      new Set(service.destinations.filter(({ weight }) => weight > 0).map(destinationKey)),
    ]),
  );
  const serving = new Set<string>(); // bounded by the configured servers
  for (const service of services) {
    for (const endpoint of service.listen) {
      const present = table.get(serviceKey({ ...endpoint, family: endpoint.address.includes(":") ? 6 : 4 }));
      if (present === undefined) continue;
      for (const server of service.servers) {
        const port = service.forward === "nat" ? server.port : endpoint.port;
        if (present.has(formatEndpoint({ address: server.address, port })))
          serving.add(decisionKey(service.name, server));
      }
    }
  }
  return serving;
}
