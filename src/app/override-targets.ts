import { formatEndpoint, parseEndpoint } from "../base/endpoint.ts";
import { parseIp } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ServiceConfig } from "../config/model.ts";
import { offerFor } from "../config/nearest.ts";
import { ALL } from "../control/overrides.ts";

/** A server in a service, by name and endpoint `10.0.0.11:80`. */
export interface Target {
  readonly service: string;
  readonly server: string;
}

/**
 * The servers that somebody means.
 * @param service name of a service, or `all`
 * @param server  `10.0.0.11:80`, `10.0.0.11` for each of its ports, or `all`
 * @returns at least one, in the order of the configuration; or a sentence with what was probably meant
 */
export function findTargets(
  candidates: readonly Target[],
  service: string,
  server: string,
): Result<readonly Target[], string> {
  const names = [...new Set(candidates.map((target) => target.service))];
  const inService =
    service === ALL && !names.includes(ALL) ? candidates : candidates.filter((target) => target.service === service);
  if (inService.length === 0) return err(`there is no service ${service}; ${offerFor(service, names)}`);
  if (server === ALL) return ok(inService);
  const wanted = parseServer(server);
  if (!wanted.ok) return wanted;
  const found = inService.filter((target) => wanted.value(target.server));
  if (found.length > 0) return ok(found);
  const where = service === ALL ? "no service has a" : `service ${service} has no`;
  return err(`${where} server ${server}; ${offerFor(server, [...new Set(inService.map((target) => target.server))])}`);
}

/** Every server of the configuration. */
export function configuredTargets(services: readonly ServiceConfig[]): readonly Target[] {
  return services.flatMap(({ name, servers }) =>
    servers.map((server) => ({ service: name, server: formatEndpoint(server) })),
  );
}

/** @returns what tells whether an endpoint is meant */
function parseServer(text: string): Result<(server: string) => boolean, string> {
  const endpoint = parseEndpoint(text);
  if (endpoint.ok) {
    const wanted = formatEndpoint(endpoint.value);
    return ok((server) => server === wanted);
  }
  const address = parseIp(text.replace(/^\[(.*)\]$/, "$1"));
  if (!address.ok) return err(`${text} is not a server: ${endpoint.error}`);
  return ok((server) => {
    const other = parseEndpoint(server);
    return other.ok && other.value.address === address.value;
  });
}
