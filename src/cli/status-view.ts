import { formatDurationUs } from "../base/duration.ts";
import type {
  CheckStatus,
  DirectorStatus,
  InstanceStatus,
  ServerStatus,
  ServiceStatus,
  SyncStatus,
} from "../control/status.ts";
import { printable, type WordPaint } from "./terminal.ts";

/**
 * `holdfast status` for people: instances, services, servers, each with the reason for its state.
 * @param nowMs wall clock, for "since"
 */
export function renderStatus(status: DirectorStatus, nowMs: number, paint: WordPaint): string {
  const age = (iso: string) => ago(nowMs - Date.parse(iso));
  const health = status.health === "healthy" ? paint.good("healthy") : paint.bad("degraded");
  const lines = [
    `${paint.strong(status.node)}  ${health}  ${paint.dim(`holdfast ${status.program}, up ${age(status.startedAt)}, ${status.config.file}`)}`,
  ];
  for (const problem of status.problems) lines.push(`  ${paint.bad("!")} ${printable(problem)}`);
  if (status.instances.length > 0)
    lines.push(
      "",
      paint.strong("INSTANCES"),
      ...table(status.instances.flatMap((instance) => instanceRows(instance, age, paint))),
    );
  if (status.sync !== null) lines.push("", ...syncLines(status.sync, paint));
  for (const service of status.services) lines.push("", ...serviceLines(service, age, paint));
  return `${lines.join("\n")}\n`;
}

function instanceRows(instance: InstanceStatus, age: (iso: string) => string, paint: WordPaint): string[][] {
  const { name, phase, since, reason, heard } = instance;
  const colour = phase === "fault" ? paint.bad : phase === "master" ? paint.good : paint.dim;
  const peer =
    heard === null ? "nobody heard" : `heard ${heard.address} (priority ${heard.priority}) ${age(heard.at)} ago`;
  const cast = `${instance.transport}${instance.isSigned ? " signed" : ""}`;
  const place = `${instance.interface} vrid ${instance.vrid} ${cast}`;
  const priority = `priority ${instance.priority}`;
  return [
    [`  ${name}`, colour(phase), `for ${age(since)}`, place, priority, instance.addresses.join(" ")],
    ["", paint.dim(`${printable(reason)}; ${peer}`)],
    ...standing(instance).map((text) => ["", paint.dim(text)]),
    ...latenessRows(instance).map((text) => ["", paint.dim(text)]),
  ];
}

/** What is out of the ordinary about an instance, or about where its priority comes from. */
function standing({ group, isHandingOver, isResting, priority, priorityText, track }: InstanceStatus): string[] {
  const words = [
    ...(group === null ? [] : [`group ${group}`]),
    ...(isHandingOver ? ["handing over"] : []),
    ...(isResting ? ["resting: leaves a living master alone"] : []),
  ];
  return [
    ...(words.length === 0 ? [] : [words.join("; ")]),
    ...(track.some(({ effect }) => effect !== 0) ? [printable(`priority ${priority} = ${priorityText}`)] : []),
  ];
}

/** What a role saves; a handshake under way is never saved, and what is told travels for up to 3 s. */
const SYNC_MEANING: Readonly<Record<SyncStatus["role"], string>> = {
  "master+backup": "tells its connections to the other director; those younger than 3 s would be lost if it died now",
  master: "tells its connections to the other director, but would not learn of those that its successor makes",
  backup: "knows the connections of the master that are older than 3 s",
  none: "connections would not survive a handover or a takeover",
};

function syncLines({ instance, interface: device, id, role, note }: SyncStatus, paint: WordPaint): string[] {
  const colour = note === "" ? paint.good : paint.bad;
  const head = `${paint.strong("CONNECTION SYNC")}  ${colour(role)}  follows ${instance} on ${device}, id ${id}`;
  return [head, paint.dim(`      ${note === "" ? SYNC_MEANING[role] : printable(note)}`)];
}

/** How punctual the timers are; nothing before the first one ran out. */
function latenessRows({ lateness }: InstanceStatus): string[] {
  const told = Object.entries(lateness)
    .filter(([, { count }]) => count > 0)
    .map(([kind, { p99Us, maxUs }]) => `${kind} ${shortMs(p99Us)} (${shortMs(maxUs)})`);
  return told.length === 0 ? [] : [`timers late by p99 (max): ${told.join(", ")}`];
}

function shortMs(us: number): string {
  return us < 1_000 ? `${us} µs` : `${(us / 1_000).toFixed(us < 10_000 ? 1 : 0)} ms`;
}

function serviceLines(service: ServiceStatus, age: (iso: string) => string, paint: WordPaint): string[] {
  const serving = service.servers.filter(({ present, weight }) => present && weight > 0).length;
  const total = service.servers.length;
  const count =
    serving === total ? paint.good(`${serving}/${total} serving`) : paint.bad(`${serving}/${total} serving`);
  const head = `${paint.strong(`SERVICE ${service.name}`)}  ${service.listen.join(" ")}  ${service.scheduler} ${service.forward}  ${count}`;
  return [head, ...table(service.servers.map((server) => serverRow(server, age, paint)))];
}

function serverRow(server: ServerStatus, age: (iso: string) => string, paint: WordPaint): string[] {
  const colour = server.verdict === "up" ? paint.good : server.verdict === "down" ? paint.bad : paint.dim;
  const weight = server.present ? `weight ${server.weight}` : "not in table";
  return [`  ${server.server}`, colour(server.verdict), `for ${age(server.since)}`, weight, paint.dim(explain(server))];
}

function explain(server: ServerStatus): string {
  const failing = server.checks.filter(({ verdict }) => verdict !== "up");
  const shown = failing.length > 0 ? failing : server.checks;
  return printable([server.why, ...shown.map(describeCheck)].filter((part) => part !== "").join("; "));
}

function describeCheck(check: CheckStatus): string {
  return `${check.name}: ${check.last ?? "no attempt yet"}`;
}

/** Whole numbers of the largest fitting unit: 3s, 5m, 2h, 4d. */
function ago(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 1) return formatDurationUs(Math.max(0, Math.round(ms)) * 1000);
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** Aligns cells by their visible width; a row whose first cell is empty runs on as text. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    if (row[0] === "") continue;
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, width(cell));
    });
  }
  return rows.map((row) => {
    if (row[0] === "") return `      ${row.slice(1).join("  ")}`;
    return row
      .map((cell, i) => (i === row.length - 1 ? cell : cell + " ".repeat((widths[i] ?? 0) - width(cell))))
      .join("  ")
      .trimEnd();
  });
}

function width(cell: string): number {
  return cell.replace(/\u001b\[\d+m/g, "").length;
}
