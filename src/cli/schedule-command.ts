import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { ControlClient } from "../control/client.ts";
import type { ScheduleStatus } from "../control/status.ts";
import { withDaemon } from "./daemon-commands.ts";
import { paintsFor, type Terminal, type WordPaint } from "./terminal.ts";

const TIMEOUT_MS = 5_000;

/** `holdfast schedule list`: 0, 4 no daemon. */
export function scheduleListCommand(
  { controlSocket: path, json }: { readonly controlSocket: string; readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  return withDaemon(terminal, async () => {
    const { schedules } = await new ControlClient({ path, timeoutMs: TIMEOUT_MS }).status();
    if (json) terminal.out.write(`${JSON.stringify({ schedules }, null, 2)}\n`);
    else terminal.out.write(renderSchedules(schedules, paintsFor(terminal)));
    return EXIT.OK;
  });
}

export function renderSchedules(schedules: readonly ScheduleStatus[], paint: WordPaint): string {
  if (schedules.length === 0) return "nothing is scheduled\n";
  return `${schedules.flatMap((schedule) => scheduleLines(schedule, paint)).join("\n")}\n`;
}

function scheduleLines({ name, cron, timezone, action, next, lastRun, missed }: ScheduleStatus, paint: WordPaint) {
  const times = next.map((iso) => localTime(iso, timezone));
  const lines = [
    `${paint.strong(name)}  ${action}  ${paint.dim(`${cron} ${timezone}`)}`,
    `  next: ${times.length === 0 ? paint.bad("never") : times.join(", ")}`,
  ];
  if (lastRun !== null) {
    const told = `${lastRun.isGood ? "done" : "failed"}: ${lastRun.cause}`;
    lines.push(`  last: ${localTime(lastRun.at, timezone)} ${lastRun.isGood ? told : paint.bad(told)}`);
  }
  if (missed !== null) {
    const runs = missed.count === 1 ? "1 run" : `${missed.count} runs`;
    lines.push(`  ${paint.bad(`missed: ${runs}, the last at ${localTime(missed.last, timezone)}: ${missed.why}`)}`);
  }
  return lines;
}

/** `2026-10-25 04:00 +01:00`: as the clock on the wall of that zone shows it. */
export function localTime(iso: string, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    hourCycle: "h23",
    ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" },
    timeZoneName: "longOffset",
  }).formatToParts(new Date(iso));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((each) => each.type === type)?.value ?? "";
  const offset = part("timeZoneName").replace("GMT", "") || "+00:00";
  return `${part("year")}-${part("month")}-${part("day")} ${part("hour")}:${part("minute")} ${offset}`;
}
