import type { CheckStatus, DriftStatus, ServerStatus, ServiceStatus } from "../control/status.ts";
import { type Cell, cell, columnWidths, few, row } from "./layout.ts";
import { agoOf, type StatusViewOptions } from "./status-parts.ts";
import { printable } from "./terminal.ts";
import { localTime } from "./when.ts";

/** Services of each kind, well and not well, that are shown without being asked for. */
const MAX_SERVICES = 20;
/** Servers that are not well, of one service … */
const MAX_SERVERS = 10;
/** … and of all: where many services are in trouble, each shows fewer of them, but one at least. */
const MAX_SERVERS_OF_ALL = 20;

/** A service with those of its servers that are shown, worst first unless all are. */
interface Shown {
  readonly service: ServiceStatus;
  readonly servers: readonly ServerStatus[];
  /** What is left out, in words; empty = nothing. */
  readonly rest: string;
}

/** Services, each in one line, with the servers that are not well below it. */
export function serviceLines(
  services: readonly ServiceStatus[],
  drift: DriftStatus | null,
  options: StatusViewOptions,
): readonly string[] {
  const { paint, columns } = options;
  const isFull = options.all || options.service !== null;
  const troubled = services.filter((service) => !isWell(service));
  const well = services.filter(isWell);
  const [first, room] = [troubled.slice(0, MAX_SERVICES), roomFor(troubled.length)];
  const shown: readonly Shown[] = isFull
    ? services.map((service) => ({ service, servers: service.servers, rest: "" }))
    : // What is wrong comes first: a screen may end before the last line.
      [...first.map((service) => withTrouble(service, room)), ...well.slice(0, MAX_SERVICES).map(quiet)];
  const heads = shown.map(({ service }) => serviceRow(service, options));
  const rows = shown.map(({ servers }) => servers.map((server) => serverRow(server, options)));
  const [headWidths, widths] = [columnWidths(heads), columnWidths(rows.flat())];
  return [
    `${paint.strong("SERVICES")}  ${paint.dim([...totals(services), ...repairs(drift)].join(", "))}`,
    ...shown.flatMap(({ rest }, i) => [
      ...row(heads[i] ?? [], headWidths, 2, columns),
      ...(rows[i] ?? []).flatMap((cells) => row(cells, widths, 4, columns)),
      ...(rest === "" ? [] : [`    ${rest}`]),
    ]),
    ...(isFull ? [] : leftOut(well.length, troubled.length).map((text) => `  ${text}`)),
  ];
}

function leftOut(well: number, troubled: number): readonly string[] {
  return [
    ...(troubled > MAX_SERVICES ? [`and ${troubled - MAX_SERVICES} more with servers that do not serve`] : []),
    ...(well > MAX_SERVICES ? [`and ${well - MAX_SERVICES} more with every server serving (--all shows them)`] : []),
  ];
}

function quiet(service: ServiceStatus): Shown {
  return { service, servers: [], rest: "" };
}

/** Servers that each of so many services in trouble may show. */
function roomFor(troubled: number): number {
  const each = Math.floor(MAX_SERVERS_OF_ALL / Math.max(1, Math.min(troubled, MAX_SERVICES)));
  return Math.min(MAX_SERVERS, Math.max(1, each));
}

function withTrouble(service: ServiceStatus, room: number): Shown {
  const trouble = service.servers.filter((server) => !isServing(server)).sort((a, b) => badness(b) - badness(a));
  const hidden = trouble.slice(room);
  const counted = [...new Set(hidden.map(stateOf))].map(
    (state) => `${grouped(hidden.filter((server) => stateOf(server) === state).length)} ${state}`,
  );
  const rest = hidden.length === 0 ? "" : `and ${counted.join(", ")} (--service ${service.name} shows all)`;
  return { service, servers: trouble.slice(0, room), rest };
}

function isWell({ servers }: ServiceStatus): boolean {
  return servers.every(isServing);
}

/** Whether there is nothing to say about it. */
function isServing({ verdict, present, weight, override }: ServerStatus): boolean {
  return verdict === "up" && present && weight > 0 && override === null;
}

function badness({ verdict, override }: ServerStatus): number {
  return verdict === "down" ? 3 : override !== null ? 2 : verdict === "up" ? 1 : 0;
}

function stateOf({ verdict, present, override }: ServerStatus): string {
  if (verdict === "down") return "down";
  if (override !== null) return override.state;
  if (verdict === "unknown") return "not judged yet";
  return present ? "up with weight 0" : "up and not in the table";
}

function totals(services: readonly ServiceStatus[]): readonly string[] {
  const servers = services.flatMap((service) => service.servers);
  const serving = servers.filter(takesConnections).length;
  return [
    `${grouped(serving)} of ${grouped(servers.length)} servers serving`,
    `${grouped(activeOf(servers))} active connections`,
  ];
}

/** What others changed in the kernel and holdfast changed back; what it leaves is a problem and stands among those. */
function repairs(drift: DriftStatus | null): readonly string[] {
  return drift === null || drift.repairs === 0 ? [] : [`drift repaired in ${grouped(drift.repairs)} objects`];
}

function takesConnections({ present, weight }: ServerStatus): boolean {
  return present && weight > 0;
}

function activeOf(servers: readonly ServerStatus[]): number {
  return servers.reduce((sum, { connections }) => sum + (connections?.active ?? 0), 0);
}

function serviceRow(service: ServiceStatus, { paint }: StatusViewOptions): readonly Cell[] {
  const { name, listen, scheduler, forward, servers } = service;
  const serving = servers.filter(takesConnections).length;
  const isBad = servers.some(({ verdict }) => verdict === "down") || (servers.length > 0 && serving === 0);
  return [
    cell(name, paint.strong),
    cell(few(listen, 2)),
    cell(`${scheduler} ${forward}`),
    cell(`${serving}/${servers.length} serving`, isBad ? paint.bad : isWell(service) ? paint.good : undefined),
    cell(`${grouped(activeOf(servers))} active`),
  ];
}

/** One server: where it stands, since when, and why. */
function serverRow(server: ServerStatus, options: StatusViewOptions): readonly Cell[] {
  const { paint } = options;
  const { verdict, since, present, weight, connections, override } = server;
  const colour = verdict === "up" ? paint.good : verdict === "down" ? paint.bad : paint.dim;
  // What a person ordered is the state of a server that would serve; a server that is down is down.
  const isOrdered = override !== null && override.type !== "weight" && verdict !== "down";
  return [
    cell(server.server),
    isOrdered ? cell(override.state, paint.strong) : cell(verdict, colour),
    cell(`for ${agoOf(isOrdered ? override.since : since, options)}`),
    cell(present ? `weight ${weight}` : "not in table"),
    cell(connections === null ? "" : `${grouped(connections.active)} active`),
    cell(explain(server, options), paint.dim),
  ];
}

function explain({ why, checks, override }: ServerStatus, { nowMs }: StatusViewOptions): string {
  const failing = checks.filter(({ verdict }) => verdict !== "up");
  // What the reason says already is not said again.
  const shown = (failing.length > 0 ? failing : checks).filter(({ last }) => last === null || !why.includes(last));
  const until =
    override === null || override.until === null ? "" : `until ${localTime(override.until, new Date(nowMs))}`;
  return printable([why, until, ...shown.map(describeCheck)].filter((part) => part !== "").join("; "));
}

function describeCheck(check: CheckStatus): string {
  return `${check.name}: ${check.last ?? "no attempt yet"}`;
}

/** 12,345 */
function grouped(count: number): string {
  return count.toLocaleString("en");
}
