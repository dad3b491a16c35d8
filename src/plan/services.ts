import { formatEndpoint, formatListenEndpoint } from "../base/endpoint.ts";
import type { ServiceConfig } from "../config/model.ts";
import type { Decision } from "../health/weights.ts";
import { changesOf, type IpvsChange } from "../ipvs/changes.ts";
import { decisionKey, desiredTable, servicesByKey } from "../ipvs/desired.ts";
import { diff } from "../ipvs/diff.ts";
import { destinationKey, serviceKey } from "../ipvs/keys.ts";
import type { ObservedDestination, ObservedService, ObservedTable } from "../ipvs/observed.ts";
import type { Decisions } from "./decisions.ts";
import { addConnections, type Connections, NO_CONNECTIONS, type PlanGroup, type PlanStep, stepOf } from "./model.ts";

export interface ServicesNow {
  readonly observed: ObservedTable;
  /** Keys of the services in the kernel that holdfast made. */
  readonly owned: ReadonlySet<string>;
}

/** Services of others that are named; the rest are counted. */
const MAX_FOREIGN = 20;

/** What would become of the kernel's table: a group for each service, and what is left alone. */
export function planServices(
  services: readonly ServiceConfig[],
  decisions: Decisions,
  { observed, owned }: ServicesNow,
): readonly PlanGroup[] {
  const table = desiredTable(services, decisions);
  const changes = byService(changesOf(observed.services, diff(observed.services, table, owned)));
  const found = new Map(observed.services.map((service) => [serviceKey(service), new Found(service)])); // bounded by the table
  const wanted = servicesByKey(services);
  const groups: PlanGroup[] = [];
  for (const [key, service] of wanted) {
    const existing = found.get(key);
    groups.push({
      section: "services",
      title: `service ${service.name}, ${key}`,
      steps: (changes.get(key) ?? []).map((change) => stepFor(change, existing)),
      notes: notesOn(service, key, decisions, existing !== undefined && !owned.has(key)),
    });
  }
  for (const [key, own] of changes) {
    if (wanted.has(key)) continue;
    const steps = own.map((change) => stepFor(change, found.get(key)));
    groups.push({ section: "services", title: `${key}, not configured any more`, steps, notes: [] });
  }
  const foreign = observed.services.filter(
    (service) => !wanted.has(serviceKey(service)) && !changes.has(serviceKey(service)),
  );
  return [...groups, foreignGroup(foreign, observed.foreignServices)];
}

function byService(changes: readonly IpvsChange[]): ReadonlyMap<string, readonly IpvsChange[]> {
  const grouped = new Map<string, IpvsChange[]>(); // bounded by the changes
  for (const change of changes) {
    const group = grouped.get(change.service);
    if (group === undefined) grouped.set(change.service, [change]);
    else group.push(change);
  }
  return grouped;
}

/** A service in the kernel, with the connections of its servers. */
class Found {
  readonly #service: ObservedService;
  /** By server, once one is asked for; bounded by the table. */
  #byServer: ReadonlyMap<string, Connections> | undefined;

  constructor(service: ObservedService) {
    this.#service = service;
  }

  /** @param server null = all of them */
  connections(server: string | null): Connections {
    const { destinations } = this.#service;
    if (server === null) return destinations.map(connectionsOf).reduce(addConnections, NO_CONNECTIONS);
    this.#byServer ??= new Map(destinations.map((one) => [destinationKey(one), connectionsOf(one)]));
    return this.#byServer.get(server) ?? NO_CONNECTIONS;
  }
}

function stepFor({ server, from, to }: IpvsChange, existing: Found | undefined): PlanStep {
  const subject = server === null ? "service" : `server ${server}`;
  if (from === null) return stepOf(subject, from, to);
  const connections = existing?.connections(server) ?? NO_CONNECTIONS;
  if (to === null) return stepOf(subject, from, to, { cuts: connections });
  const isQuiesced = server !== null && / weight 0\b/.test(to);
  return stepOf(subject, from, to, {
    remark: isQuiesced ? `takes no new connections; ${connections.established} established go on` : "",
  });
}

function connectionsOf({ counters }: ObservedDestination): Connections {
  return { established: counters.activeConnections, other: counters.inactiveConnections };
}

function notesOn(service: ServiceConfig, key: string, decisions: Decisions, isAdopted: boolean): string[] {
  const notes: string[] = [];
  if (isAdopted) notes.push("is in the kernel already, put there by somebody else; holdfast keeps it from now on");
  // A service with several endpoints says it once.
  const [first] = service.listen;
  if (first === undefined || formatListenEndpoint(first) !== key) return notes;
  for (const server of service.servers) {
    const decision = decisions.get(decisionKey(service.name, server));
    if (decision === undefined) continue;
    const isHeldBack = decision.verdict === "up" && decision.weight === 0 && server.weight > 0;
    if (isHeldBack) notes.push(`server ${formatEndpoint(server)} gets no new connections: ${decision.why}`);
    else if (decision.verdict !== "up") notes.push(`server ${formatEndpoint(server)} ${whyOut(decision)}`);
  }
  return notes;
}

function whyOut({ verdict, present, why }: Decision): string {
  const place = present ? "keeps weight 0" : "stays out of the table";
  return verdict === "unknown" ? `is checked first and ${place} until it passes` : `is down and ${place}: ${why}`;
}

function foreignGroup(services: readonly ObservedService[], others: number): PlanGroup {
  const named = services.slice(0, MAX_FOREIGN).map((service) => `${serviceKey(service)} is left alone`);
  const rest = services.length - named.length;
  if (rest > 0) named.push(`${rest} more are left alone`);
  if (others > 0) named.push(`${others} by firewall mark or SCTP ${others === 1 ? "is" : "are"} left alone`);
  return { section: "services", title: "services of others", steps: [], notes: named };
}
