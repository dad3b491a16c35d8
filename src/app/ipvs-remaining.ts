import { messageOf } from "../base/director-error.ts";
import type { ServiceConfig } from "../config/model.ts";
import { destinationKey, serviceKey } from "../ipvs/keys.ts";
import type { IpvsOperation } from "../ipvs/model.ts";
import { missingServers } from "../ipvs/serving.ts";
import { explainCause } from "./ipvs-refusal.ts";
import type { IpvsReport } from "./ipvs-table.ts";

/** Objects that are named at most: a kernel may refuse ten thousand. */
const MAX_NAMED = 5;

/** What a change of the table left undone. */
export interface TableTrouble {
  /** Objects that are not as wanted; null = not known, because the table could not be read or written. */
  readonly refused: number | null;
  /** Why, for the first of them, one sentence each. */
  readonly reasons: readonly string[];
}

/** A server that should be in the kernel's table. */
export interface MissingServer {
  readonly service: string;
  /** `10.0.0.11:80`. */
  readonly server: string;
  /** A clause: why it is not. */
  readonly why: string;
}

/** What is not as wanted after a change, one sentence each; empty if the kernel was read back and has all of it. */
export function describeRemaining({ error, remaining, failures }: IpvsReport): readonly string[] {
  if (error !== null) return [`the kernel's table could not be made as wanted: ${error.message}`];
  const reasons = new Map(failures.map(({ operation, reason }) => [operationName(operation), reason]));
  return remaining.map((operation) => {
    const name = operationName(operation);
    return reasons.get(name) ?? `the kernel differs after reading back: ${name.trim()}`;
  });
}

/**
 * The same for a person who reads it in five seconds. That a service that was refused lacks its servers goes without saying.
 * @param nameOf gives the name of a service in the configuration by its key
 */
export function troubleOf(report: IpvsReport, nameOf: (service: string) => string | null): TableTrouble {
  const { error } = report;
  if (error !== null)
    return {
      refused: null,
      reasons: [`the kernel's table could not be made as wanted: ${messageOf(error)}. ${error.remedy}`],
    };
  const { remaining } = report;
  const absent = new Set(
    remaining.filter(({ type }) => type === "addService").map(({ service }) => serviceKey(service)),
  );
  const telling = remaining.filter(
    ({ type, service }) => type !== "addDestination" || !absent.has(serviceKey(service)),
  );
  const named = telling.slice(0, MAX_NAMED);
  const reasons = describeRemaining({ ...report, remaining: named }).map((reason, i) => {
    const name = named[i] === undefined ? null : nameOf(serviceKey(named[i].service));
    return name === null ? reason : `service ${name}: ${reason}`;
  });
  return { refused: new Set(remaining.map(objectOf)).size, reasons };
}

/** The servers that no endpoint of their service has, by decisionKey. Not to be asked where the table could not be read. */
export function missingOf(
  { remaining, failures }: IpvsReport,
  services: readonly ServiceConfig[],
): ReadonlyMap<string, MissingServer> {
  const missing = new Map<string, MissingServer>(); // bounded by the configured servers
  if (remaining.length === 0) return missing;
  const causes = new Map(
    failures.map(({ operation, errno }) => [operationName(operation), explainCause(operation, errno)]),
  );
  for (const [key, { service, server, operation }] of missingServers(services, remaining)) {
    const why = causes.get(operationName(operation)) ?? "it was gone from the kernel's table after reading back";
    missing.set(key, { service, server, why });
  }
  return missing;
}

export function operationName(operation: IpvsOperation): string {
  return `${operation.type} ${objectOf(operation)}`;
}

/** Key of the service, and of its server; ends with a space where it is about the service itself. */
export function objectOf(operation: IpvsOperation): string {
  const server = "destination" in operation ? destinationKey(operation.destination) : "";
  return `${serviceKey(operation.service)} ${server}`;
}
