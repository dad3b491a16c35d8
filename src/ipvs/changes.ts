import { groupedBy, listed, MANY_ALIKE } from "../base/listed.ts";
import { destinationKey, serviceKey } from "./keys.ts";
import type { IpvsOperation, ServiceIdentity, ServiceSettings, Tunnel } from "./model.ts";
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
  const subjects = new Map<string, Subject>(); // bounded by the operations, like the next one
  const changes: MutableChange[] = [];
  let subject: Subject | undefined;
  for (const operation of operations) {
    // Operations on one service follow each other and share its identity object.
    if (subject?.identity !== operation.service) {
      const service = serviceKey(operation.service);
      subject = subjects.get(service);
      subject ??= { identity: operation.service, service, existing: services.get(service), changed: new Map() };
      subjects.set(service, subject);
    }
    const server = "destination" in operation ? destinationKey(operation.destination) : null;
    let change = subject.changed.get(server);
    if (change === undefined) {
      const isIndexed = operations.length > FEW;
      change = { service: subject.service, server, from: formerText(subject, operation, isIndexed), to: null };
      subject.changed.set(server, change);
      changes.push(change);
    }
    change.to = textAfter(operation);
  }
  return changes.filter(({ from, to }) => from !== to);
}

/** A few operations, as of a verdict, are not worth an index of thousands of destinations. */
const FEW = 16;

type MutableChange = { -readonly [K in keyof IpvsChange]: IpvsChange[K] };

/** A service that operations name. */
interface Subject {
  readonly identity: ServiceIdentity;
  readonly service: string;
  readonly existing: CurrentService | undefined;
  /** By the key of the server, null for the service itself; bounded by the operations. */
  readonly changed: Map<string | null, MutableChange>;
  /** Its destinations before, once they are looked up by the dozen; bounded by the table. */
  index?: ReadonlyMap<string, CurrentDestination>;
}

/** How the object of an operation was; null = absent. */
function formerText(subject: Subject, operation: IpvsOperation, isIndexed: boolean): string | null {
  const { existing } = subject;
  if (existing === undefined) return null;
  if (!("destination" in operation)) return serviceText(existing);
  const { address, port } = operation.destination;
  if (!isIndexed) {
    const found = existing.destinations.find((was) => was.port === port && was.address === address);
    return found === undefined ? null : destinationText(found);
  }
  subject.index ??= new Map(existing.destinations.map((destination) => [destinationKey(destination), destination]));
  const found = subject.index.get(destinationKey(operation.destination));
  return found === undefined ? null : destinationText(found);
}

function textAfter(operation: IpvsOperation): string | null {
  switch (operation.type) {
    case "addService":
    case "setService":
      return settingsText(operation.settings);
    case "addDestination":
    case "setDestination":
      return destinationText(operation.destination);
    case "deleteService":
    case "deleteDestination":
      return null;
  }
}

/**
 * The sentence of a log line.
 * @param name of the service in the configuration; null = it does not stand there, or not any more
 */
export function describeChange(change: IpvsChange, name: string | null): string {
  return sentence(change, name, change.server === null ? "" : ` server ${change.server}`);
}

/**
 * The same for a log: where many servers of a service change alike, as when a table is loaded, one line says so.
 * @param nameOf gives the name of a service in the configuration
 */
export function summarizeChanges(
  changes: readonly IpvsChange[],
  nameOf: (service: string) => string | null,
): readonly string[] {
  const groups = groupedBy(
    changes,
    ({ service, server, from, to }) => `${service} ${server === null} ${from} -> ${to}`,
  );
  return groups.flatMap((alike) => {
    const [first] = alike;
    if (first === undefined || alike.length <= MANY_ALIKE)
      return alike.map((change) => describeChange(change, nameOf(change.service)));
    const servers = alike.map(({ server }) => server ?? "");
    return [sentence(first, nameOf(first.service), ` ${listed("server", servers)}`)];
  });
}

function sentence({ service, from, to }: IpvsChange, name: string | null, whose: string): string {
  const subject = `${name === null ? `service ${service}` : `service ${name} (${service})`}${whose}`;
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

function destinationText({ method, weight, extras, tunnel }: CurrentDestination): string {
  return withExtras(`${method ?? "foreign"}${tunnelText(tunnel)} weight ${weight}`, extras);
}

function tunnelText(tunnel: Tunnel | undefined): string {
  if (tunnel === undefined) return "";
  return tunnel.type === "gue" ? ` gue port ${tunnel.port}` : ` ${tunnel.type}`;
}

function withExtras(text: string, extras: readonly string[] = []): string {
  return extras.length === 0 ? text : `${text} (${extras.join(", ")})`;
}
