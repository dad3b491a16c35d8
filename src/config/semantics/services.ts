import { formatEndpoint, formatListenEndpoint } from "../../base/endpoint.ts";
import { bitsOf, familyOf } from "../../base/ip.ts";
import type { InstanceConfig, ServiceConfig } from "../model.ts";
import type { Placed } from "../placed.ts";
import type { ConfigProblem, Finding, Location } from "../problem.ts";
import type { RawService } from "../schema/services.ts";
import { checkProblems, type DefaultsProblem } from "./checks.ts";
import { unreachableEndpoint } from "./reachable.ts";
import { serverProblems } from "./servers.ts";

export type PlacedService = Placed<ServiceConfig, RawService>;

/** What rules about services need to know of the rest of the file. */
export interface Surroundings {
  readonly instances: readonly Placed<InstanceConfig>[];
  /** False where an instance holds a mistake: then nobody knows which addresses there are. */
  readonly areInstancesComplete: boolean;
  /** null where defaults.check holds a mistake: then nobody knows which times a check has. */
  readonly defaultsProblem: DefaultsProblem | null;
}

/** Rules that join services with each other and with the instances, or parts of a service with each other. */
export function serviceProblems(services: readonly PlacedService[], surroundings: Surroundings): ConfigProblem[] {
  return [...sameListen(services), ...services.flatMap((service) => problemsOf(service, surroundings))];
}

/** A rule that needs a key which holds a mistake would misjudge the service. */
function problemsOf(
  service: PlacedService,
  { instances, areInstancesComplete, defaultsProblem }: Surroundings,
): ConfigProblem[] {
  const hasKnownTimes = service.isSound("servers", "checks");
  return [
    ...listenProblems(service),
    ...(service.isSound("scheduler", "hash", "persistence") ? schedulerProblems(service) : []),
    ...(service.isSound("forward", "servers") ? serverProblems(service, instances) : []),
    ...(hasKnownTimes && defaultsProblem !== null ? checkProblems(service, defaultsProblem) : []),
    ...(areInstancesComplete ? homelessListen(service, instances) : []),
  ];
}

/** Where the n-th listen endpoint stands: `listen` may be one value or a list. */
export function listenPath(service: PlacedService, index: number): readonly (string | number)[] {
  return service.has("listen", index) ? ["listen", index] : ["listen"];
}

function sameListen(services: readonly PlacedService[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const first = new Map<string, { readonly service: PlacedService; readonly location: Location }>();
  for (const service of services) {
    for (const [index, endpoint] of service.value.listen.entries()) {
      const text = formatListenEndpoint(endpoint);
      const path = listenPath(service, index);
      const other = first.get(text);
      if (other === undefined) {
        first.set(text, { service, location: service.locate(...path) });
        continue;
      }
      const isOwn = other.service === service;
      const message = isOwn
        ? `${text} stands twice in service \`${service.value.name}\``
        : `${text} is served twice, by \`${other.service.value.name}\` and \`${service.value.name}\``;
      const hint = isOwn
        ? "remove one of the two"
        : "give one of them another address or port, or join their servers in one service";
      problems.push(
        service.problem(
          path,
          { code: "conflict", message, hint },
          { message: "first defined", location: other.location },
        ),
      );
    }
  }
  return problems;
}

function listenProblems(service: PlacedService): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const [first] = service.value.listen;
  for (const [index, endpoint] of service.value.listen.entries()) {
    const path = listenPath(service, index);
    const finding = unreachableEndpoint(endpoint.address, "listen");
    if (finding !== null) problems.push(service.problem(path, finding));
    if (first === undefined || familyOf(endpoint.address) === familyOf(first.address)) continue;
    const mixed: Finding = {
      code: "conflict",
      message: `service \`${service.value.name}\` listens on IPv4 and IPv6 addresses`,
      expected: "addresses of one family in a service",
      hint: "make a second service for the other family, with its own servers; YAML anchors can share the checks",
    };
    problems.push(
      service.problem(path, mixed, {
        message: `IPv${familyOf(first.address)} here`,
        location: service.locate(...listenPath(service, 0)),
      }),
    );
  }
  return problems;
}

function schedulerProblems(service: PlacedService): ConfigProblem[] {
  const { scheduler, persistence, listen } = service.value;
  const problems: ConfigProblem[] = [];
  if (service.has("hash") && scheduler !== "sh" && scheduler !== "mh") {
    problems.push(
      service.problemAtKey(["hash"], {
        code: "conflict",
        message: `\`hash\` has no meaning for the scheduler ${scheduler}`,
        hint: "write `scheduler: sh` or `scheduler: mh`, or remove hash",
      }),
    );
  }
  const bits = bitsOf(familyOf(listen[0]?.address ?? "0.0.0.0"));
  if (persistence !== null && persistence.prefixLength > bits) {
    problems.push(
      service.problem(["persistence", "prefix"], {
        code: "bad-value",
        message: `\`prefix\` is above ${bits}, and the service listens on IPv4`,
        expected: `a whole number from 1 to ${bits}`,
      }),
    );
  }
  return problems;
}

/** Nobody brings the address to the machine, unless something outside holdfast does. */
function homelessListen(service: PlacedService, instances: readonly Placed<InstanceConfig>[]): ConfigProblem[] {
  const addresses = new Set(instances.flatMap(({ value }) => value.addresses.map(({ address }) => address)));
  const seen = new Set<string>();
  return service.value.listen.flatMap((endpoint, index) => {
    if (
      addresses.has(endpoint.address) ||
      seen.has(endpoint.address) ||
      unreachableEndpoint(endpoint.address, "listen") !== null
    )
      return [];
    seen.add(endpoint.address);
    const isIpv6 = familyOf(endpoint.address) === 6;
    const finding: Finding = {
      severity: "warning",
      code: "suspicious",
      message: `no instance has the address ${endpoint.address} that service \`${service.value.name}\` listens on`,
      hint: isIpv6
        ? "instances have IPv4 addresses in this version of holdfast; something else must keep this address on the serving node"
        : "add it to the addresses of an instance, or correct it; it will not move between the directors",
    };
    return [service.problem(listenPath(service, index), finding)];
  });
}

/** How messages call a server. */
export function serverName(server: { readonly address: string; readonly port: number }): string {
  return formatEndpoint(server);
}
