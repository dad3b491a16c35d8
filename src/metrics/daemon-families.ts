import { EVENT_TYPES } from "../control/events.ts";
import { type Family, family, secondsOf, truth } from "./family.ts";
import type { ProcessUsage } from "./snapshot.ts";

/** The daemon itself, its processes and what it was told to do. */
export const DAEMON_FAMILIES: readonly Family[] = [
  family(
    "gauge",
    "holdfast_build_info",
    ["version", "node_version"],
    "Always 1: the version of holdfast and of Node.js.",
    ({ status }) => [[status.program, process.versions.node, 1]],
  ),
  family("gauge", "holdfast_start_time_seconds", [], "When the daemon started, seconds since 1970.", ({ status }) => [
    [secondsOf(status.startedAt)],
  ]),
  family(
    "gauge",
    "holdfast_healthy",
    [],
    "1 if everything is as it should be; what is not stands in `holdfast status`.",
    ({ status }) => [[truth(status.health === "healthy")]],
  ),
  family(
    "gauge",
    "holdfast_problems",
    [],
    "How many things are not as they should be; `holdfast status` has a sentence for each.",
    ({ status }) => [[status.problems.length]],
  ),
  family(
    "gauge",
    "holdfast_config_loaded_timestamp_seconds",
    [],
    "When the configuration in force was read, seconds since 1970.",
    ({ status }) => [[secondsOf(status.config.loadedAt)]],
  ),
  family(
    "counter",
    "holdfast_reloads_total",
    ["result"],
    "Reloads since the daemon started: applied, incomplete (something differs still), unchanged, refused (the file has errors), failed; on trial, confirmed and undone with `--confirm`.",
    ({ events }) => events.outcomes("reload").map(({ outcome, count }) => [outcome, count]),
  ),
  family(
    "gauge",
    "holdfast_last_reload_successful",
    [],
    "0 if the last reload was incomplete, refused, undone or failed, so that what is in force is not what the file says; 1 otherwise.",
    ({ events, status }) => {
      const outcome = events.last("reload")?.outcome ?? "";
      const isGood = !["incomplete", "refused", "undone", "failed"].includes(outcome);
      return [[truth(isGood && !status.config.isReverted)]];
    },
  ),
  family(
    "counter",
    "holdfast_drift_repairs_total",
    [],
    "Objects of the kernel's table that somebody else had changed and that were repaired; begins at 0 with the checker process.",
    ({ status: { drift } }) => (drift === null ? [] : [[drift.repairs]]),
  ),
  family(
    "gauge",
    "holdfast_drift_differences",
    [],
    "Objects of the kernel's table that are not as wanted and are left so (`ipvs.drift: report`).",
    ({ status: { drift } }) => (drift === null ? [] : [[drift.differences]]),
  ),
  family(
    "gauge",
    "holdfast_table_refused",
    [],
    "1 while the kernel refuses a part of its table, or the table cannot be read or written.",
    ({ status: { kernel } }) => (kernel === null ? [] : [[truth(kernel.refused !== 0)]]),
  ),
  family(
    "gauge",
    "holdfast_sysctls_missing",
    [],
    "Kernel settings that services need and that are otherwise.",
    ({ status: { kernel } }) => (kernel === null ? [] : [[kernel.sysctls.length]]),
  ),
  family(
    "counter",
    "holdfast_drills_total",
    ["result"],
    "Drills that ended since the daemon started: passed, failed, refused (what they need was not given).",
    ({ events }) => events.outcomes("drill").map(({ outcome, count }) => [outcome, count]),
  ),
  family(
    "gauge",
    "holdfast_drill_last_timestamp_seconds",
    ["result"],
    "When a drill last ended so, seconds since 1970; absent if none did as far as `holdfast events` reaches.",
    ({ events }) =>
      events.outcomes("drill").flatMap(({ outcome, lastAt }) => (lastAt === null ? [] : [[outcome, lastAt] as const])),
  ),
  family(
    "counter",
    "holdfast_scheduled_runs_total",
    ["result"],
    "Entries of `schedules:` whose time came since the daemon started: started, done, failed, missed.",
    ({ events }) => events.outcomes("schedule").map(({ outcome, count }) => [outcome, count]),
  ),
  family(
    "gauge",
    "holdfast_schedule_next_run_timestamp_seconds",
    ["schedule"],
    "When the entry of `schedules:` comes next, seconds since 1970; absent if never.",
    ({ status }) =>
      status.schedules.flatMap(({ name, next: [first] }) =>
        first === undefined ? [] : [[name, secondsOf(first)] as const],
      ),
  ),
  family(
    "gauge",
    "holdfast_schedule_last_run_successful",
    ["schedule"],
    "1 if its last run was good, 0 if it failed; absent if there was none since the daemon started.",
    ({ status }) =>
      status.schedules.flatMap(({ name, lastRun }) =>
        lastRun === null ? [] : [[name, truth(lastRun.isGood)] as const],
      ),
  ),
  family(
    "gauge",
    "holdfast_schedule_missed_runs",
    ["schedule"],
    "Runs that nobody made since the last good one, because no daemon ran, the machine slept or the run before still went on.",
    ({ status }) => status.schedules.map(({ name, missed }) => [name, missed?.count ?? 0]),
  ),
  family(
    "counter",
    "holdfast_events_total",
    ["type"],
    "Changes of state that `holdfast events` tells, by what they are about.",
    ({ events }) => EVENT_TYPES.map((type) => [type, events.count(type)]),
  ),
  family("gauge", "holdfast_process_up", ["process"], "1 if the process runs and answers.", ({ status }) =>
    status.processes.map(({ name, state }) => [name, truth(state === "running")]),
  ),
  family(
    "counter",
    "holdfast_process_restarts_total",
    ["process"],
    "Unexpected ends of the process since the daemon started.",
    ({ status }) => status.processes.map(({ name, restarts }) => [name, restarts]),
  ),
  family(
    "gauge",
    "holdfast_process_start_time_seconds",
    ["process"],
    "When the process started, seconds since 1970. What it counts begins at 0 then.",
    ({ processes }) => eachUsage(processes, ({ startTime }) => startTime),
  ),
  family(
    "counter",
    "holdfast_process_cpu_seconds_total",
    ["process"],
    "Processor time that the process has used, user and system together.",
    ({ processes }) => eachUsage(processes, ({ cpuSeconds }) => cpuSeconds),
  ),
  family(
    "gauge",
    "holdfast_process_resident_memory_bytes",
    ["process"],
    "Memory of the process that is in RAM.",
    ({ processes }) => eachUsage(processes, ({ residentBytes }) => residentBytes),
  ),
  family("gauge", "holdfast_process_open_fds", ["process"], "Descriptors that the process has open.", ({ processes }) =>
    eachUsage(processes, ({ openFiles }) => openFiles),
  ),
  family(
    "counter",
    "holdfast_process_messages_total",
    ["process", "direction"],
    "Messages between the supervisor and the process: sent to it, received from it. A scrape sends none.",
    ({ processes }) =>
      processes.flatMap(({ name, messages }) =>
        messages === null
          ? []
          : [[name, "sent", messages.sent] as const, [name, "received", messages.received] as const],
      ),
  ),
];

type Usage = NonNullable<ProcessUsage["usage"]>;

function eachUsage(
  processes: readonly ProcessUsage[],
  read: (usage: Usage) => number | null,
): (readonly [string, number])[] {
  return processes.flatMap(({ name, usage }) => {
    const value = usage === null ? null : read(usage);
    return value === null ? [] : [[name, value] as const];
  });
}
