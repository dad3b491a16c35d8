import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, exitCodes, type GlobalOptions, globalsOf, isOn } from "./command.ts";

export interface StatusOptions extends GlobalOptions {
  readonly json: boolean;
}

export interface StatusHandler {
  status(options: StatusOptions): Promise<ExitCode>;
}

export function addStatus({ program, handlers, finish }: CommandLine<StatusHandler>): void {
  addCommand(
    program,
    "status",
    "print instances, services and servers, with the reason for each state",
    "holdfast status --json",
  )
    .option("--json", "print the state as JSON")
    .addHelpText("after", exitCodes("0 healthy, 3 degraded, 4 no daemon"))
    .action(async (_options: unknown, command: Command) => {
      finish(await handlers.status({ ...globalsOf(command), json: isOn(command, "json") }));
    });
}
