import type { DirectorStatus, InstanceStatus, SyncStatus } from "../control/status.ts";
import { type Cell, cell, columnWidths, few, row, table } from "./layout.ts";
import { agoOf, paragraph, type StatusViewOptions, shortMs } from "./status-parts.ts";
import { serviceLines } from "./status-services.ts";
import { printable } from "./terminal.ts";
import { localTime } from "./when.ts";

/** Problems that are told at most; there are as many as services and instances. */
const MAX_PROBLEMS = 10;
/** On a screen that does not scroll they take one part in so many of its lines: who is master stands below them. */
const PROBLEMS_SHARE = 3;

/**
 * `holdfast status` for people: whether it is fine, and if not what is wrong, since when and why. What is well takes a line,
 * so that ten thousand servers fit on a screen.
 */
export function renderStatus(status: DirectorStatus, options: StatusViewOptions): string {
  const { paint, service } = options;
  const asides = [...trialLines(status, options), ...missedLines(status, options)];
  const lines = [...headLines(status, options), ...asides, ...problemLines(status, options)];
  if (service === null) {
    if (status.instances.length > 0)
      lines.push("", paint.strong("INSTANCES"), ...instanceLines(status.instances, options));
    if (status.sync !== null) lines.push("", ...syncLines(status.sync, options));
  }
  const chosen = status.services.filter(({ name }) => service === null || name === service);
  if (chosen.length > 0) lines.push("", ...serviceLines(chosen, status.drift, options));
  return `${lines.join("\n")}\n`;
}

function headLines(status: DirectorStatus, options: StatusViewOptions): readonly string[] {
  const { paint, columns } = options;
  const age = (iso: string) => agoOf(iso, options);
  const { program, startedAt, config, processes } = status;
  const isHealthy = status.health === "healthy";
  const restarts = processes
    .filter((child) => child.restarts > 0)
    .map((child) => `${child.name} process restarted ${child.restarts === 1 ? "once" : `${child.restarts} times`}`);
  const facts = [
    `holdfast ${program}, up ${age(startedAt)}`,
    ...restarts,
    `${config.file} loaded ${age(config.loadedAt)} ago`,
  ];
  const cells = [
    cell(status.node, paint.strong),
    cell(status.health, isHealthy ? paint.good : paint.bad),
    cell(printable(facts.join(", ")), paint.dim),
  ];
  return table([cells], 0, columns);
}

/** What ends by itself unless somebody acts. */
function trialLines({ config }: DirectorStatus, { nowMs, paint, columns }: StatusViewOptions): readonly string[] {
  if (config.confirmBy === null) return [];
  const at = localTime(config.confirmBy, new Date(nowMs));
  const text = `the configuration undoes itself at ${at} unless you run \`holdfast confirm\``;
  return row([cell("?", paint.strong), cell(text)], [1], 2, columns);
}

/** Calendar work that nobody did: no problem of what is served, but somebody may count on it. */
function missedLines({ schedules }: DirectorStatus, { nowMs, paint, columns }: StatusViewOptions): readonly string[] {
  return schedules.flatMap(({ name, missed }) => {
    if (missed === null) return [];
    const runs = missed.count === 1 ? "a run was missed" : `${missed.count} runs were missed, the last`;
    const text = `schedule ${name}: ${runs} at ${localTime(missed.last, new Date(nowMs))}, because ${missed.why}`;
    return row([cell("?", paint.strong), cell(printable(text))], [1], 2, columns);
  });
}

function problemLines({ problems }: DirectorStatus, { paint, columns, rows }: StatusViewOptions): readonly string[] {
  const room = rows === null ? Number.POSITIVE_INFINITY : Math.floor(rows / PROBLEMS_SHARE);
  const lines: string[] = []; // bounded by MAX_PROBLEMS
  let told = 0;
  for (const problem of problems.slice(0, MAX_PROBLEMS)) {
    const next = row([cell("!", paint.bad), cell(printable(problem))], [1], 2, columns);
    if (told > 0 && lines.length + next.length > room) break;
    lines.push(...next);
    told += 1;
  }
  const rest = problems.length - told;
  return rest > 0 ? [...lines, `     and ${rest} more`] : lines;
}

function instanceLines(instances: readonly InstanceStatus[], options: StatusViewOptions): readonly string[] {
  const { columns } = options;
  const rows = instances.map((instance) => instanceRow(instance, options));
  const widths = columnWidths(rows);
  return instances.flatMap((instance, i) => [
    ...row(rows[i] ?? [], widths, 2, columns),
    ...instanceTexts(instance, options).flatMap((text) => paragraph(text, options)),
  ]);
}

function instanceRow(instance: InstanceStatus, options: StatusViewOptions): readonly Cell[] {
  const { paint } = options;
  const { name, phase, since, addresses, priority, transport, isSigned, vrid, interface: device } = instance;
  const colour = phase === "fault" ? paint.bad : phase === "master" ? paint.good : undefined;
  const cast = `${transport}${isSigned ? " signed" : ""}`;
  return [
    cell(name),
    cell(phase, colour),
    cell(`for ${agoOf(since, options)}`),
    cell(few(addresses, 2)),
    cell(`priority ${priority}`),
    cell(`${device} vrid ${vrid} ${cast}`, paint.dim),
  ];
}

function instanceTexts(instance: InstanceStatus, options: StatusViewOptions): readonly string[] {
  const { reason, heard } = instance;
  const peer =
    heard === null
      ? "no peer heard"
      : `peer ${heard.address} (priority ${heard.priority}) heard ${agoOf(heard.at, options)} ago`;
  return [`${reason}; ${peer}`, ...standing(instance), ...lateness(instance)];
}

/** What is out of the ordinary about an instance, or about where its priority comes from. */
function standing(instance: InstanceStatus): readonly string[] {
  const { group, isHandingOver, isResting, isSilent, priority, priorityText, track } = instance;
  const words = [
    ...(group === null ? [] : [`group ${group}`]),
    ...(isHandingOver ? ["handing over"] : []),
    ...(isResting ? ["resting: leaves a living master alone"] : []),
    ...(isSilent ? ["silent: it plays dead for a drill"] : []),
  ];
  return [
    ...(words.length === 0 ? [] : [words.join("; ")]),
    ...(track.some(({ effect }) => effect !== 0) ? [`priority ${priority} = ${priorityText}`] : []),
  ];
}

/** How punctual the timers are; nothing before the first one ran out. */
function lateness({ lateness: kinds }: InstanceStatus): readonly string[] {
  const told = Object.entries(kinds)
    .filter(([, { count }]) => count > 0)
    .map(([kind, { p99Us, maxUs }]) => `${kind} ${shortMs(p99Us)} (${shortMs(maxUs)})`);
  return told.length === 0 ? [] : [`timers late by p99 (max): ${told.join(", ")}`];
}

/** What a role saves; a handshake under way is never saved, and what is told travels for up to 3 s. */
const SYNC_MEANING: Readonly<Record<SyncStatus["role"], string>> = {
  "master+backup": "tells its connections to the other director; those younger than 3 s would be lost if it died now",
  master: "tells its connections to the other director, but would not learn of those that its successor makes",
  backup: "knows the connections of the master that are older than 3 s",
  none: "connections would not survive a handover or a takeover",
};

function syncLines(sync: SyncStatus, options: StatusViewOptions): readonly string[] {
  const { paint } = options;
  const { instance, interface: device, id, role, note } = sync;
  const colour = note === "" ? paint.good : paint.bad;
  const head = `${paint.strong("CONNECTION SYNC")}  ${colour(role)}  follows ${instance} on ${device}, id ${id}`;
  return [head, ...paragraph(note === "" ? SYNC_MEANING[role] : note, options)];
}
