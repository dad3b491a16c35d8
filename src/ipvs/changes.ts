import { destinationKey, serviceKey } from "./keys.ts";
import type { DestinationIdentity, IpvsOperation, ServiceSettings } from "./model.ts";
import type { CurrentDestination, CurrentService, CurrentTable } from "./observed.ts";

/** One thing that became different in the kernel's table: the facts of one log line. */
export interface IpvsChange {
  /** Key of the service. */
  readonly service: string;
  /** Key of the destination; null = the service itself. */
  readonly server: string | null;
  /** How it was, `dr weight 3`; null = absent. */
  readonly from: string | null;
  /** How it is now; null = absent. */
  readonly to: string | null;
}

/**
 * What operations changed. Several operations on one object are one change, from before the first to after the last;
 * one that changed nothing is none.
 * @param before     the table before the operations; only services that they name are looked at
 * @param operations those that succeeded, in their order
 */
export function changesOf(before: CurrentTable, operations: readonly IpvsOperation[]): IpvsChange[] {
  const services = new Map(before.map((service) => [serviceKey(service), service])); // bounded by the table
  const indexes = new Map<string, ReadonlyMap<string, CurrentDestination>>(); // as well
  const changes = new Map<string, IpvsChange>(); // bounded by the operations
  // Operations on one service follow each other and share its identity object: its key is made once.
  let lastIdentity: unknown;
  let service = "";
  for (const operation of operations) {
    if (operation.service !== lastIdentity) {
      lastIdentity = operation.service;
      service = serviceKey(operation.service);
    }
    const existing = services.get(service);
    if ("destination" in operation) {
      const server = destinationKey(operation.destination);
      const was =
        operations.length <= FEW
          ? find(existing, operation.destination)
          : indexOf(indexes, service, existing).get(server);
      changes.set(`${service} ${server}`, {
        service,
        server,
        from: was === undefined ? null : destinationText(was),
        to: operation.type === "deleteDestination" ? null : destinationText(operation.destination),
      });
    } else {
      changes.set(service, {
        service,
        server: null,
        from: existing === undefined ? null : serviceText(existing),
        to: operation.type === "deleteService" ? null : settingsText(operation.settings),
      });
    }
  }
  return [...changes.values()].filter(({ from, to }) => from !== to);
}

/** A few operations, as of a verdict, are not worth an index of thousands of destinations. */
const FEW = 16;

function find(
  service: CurrentService | undefined,
  { address, port }: DestinationIdentity,
): CurrentDestination | undefined {
  return service?.destinations.find((destination) => destination.port === port && destination.address === address);
}

function indexOf(
  indexes: Map<string, ReadonlyMap<string, CurrentDestination>>,
  key: string,
  service: CurrentService | undefined,
): ReadonlyMap<string, CurrentDestination> {
  let index = indexes.get(key);
  if (index === undefined) {
    index = new Map(service?.destinations.map((destination) => [destinationKey(destination), destination]));
    indexes.set(key, index);
  }
  return index;
}

/** The sentence of a log line. */
export function describeChange({ service, server, from, to }: IpvsChange): string {
  const subject = server === null ? `service ${service}` : `service ${service} server ${server}`;
  if (from === null) return `${subject} added: ${to}`;
  if (to === null) return `${subject} removed, was: ${from}`;
  return `${subject} changed: ${from} -> ${to}`;
}

function serviceText(service: CurrentService): string {
  return withExtras(settingsText(service), service.extras);
}

function settingsText({ scheduler, flags, persistence }: ServiceSettings): string {
  const parts = [scheduler];
  if (flags.fallback) parts.push("fallback");
  if (flags.port) parts.push("port");
  if (persistence !== null) parts.push(`persistent ${persistence.timeoutS}s/${persistence.prefixLength}`);
  return parts.join(" ");
}

function destinationText({ method, weight, extras }: CurrentDestination): string {
  return withExtras(`${method ?? "foreign"} weight ${weight}`, extras);
}

function withExtras(text: string, extras: readonly string[] = []): string {
  return extras.length === 0 ? text : `${text} (${extras.join(", ")})`;
}
