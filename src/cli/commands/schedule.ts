import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf, type GlobalOptions, globalsOf } from "./command.ts";

export interface ScheduleListOptions extends GlobalOptions {
  readonly json: boolean;
}

export interface ScheduleHandler {
  scheduleList(options: ScheduleListOptions): Promise<ExitCode>;
}

export function addSchedule({ program, handlers, finish }: CommandLine<ScheduleHandler>): void {
  const schedule = addCommand(program, "schedule", "look into the calendar", "holdfast schedule list");
  addCommand(
    schedule,
    "list",
    "print what is scheduled: the next runs, what the last one came to, and runs that were missed",
    "holdfast schedule list",
  )
    .option("--json", "print the list as JSON")
    .addHelpText("after", exitCodes("0, 4 no daemon"))
    .action(async (_options: unknown, command: Command) => {
      finish(await handlers.scheduleList({ ...globalsOf(command), ...flagsOf(command, "json") }));
    });
}
