import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf, type GlobalOptions, globalsOf } from "./command.ts";

export interface ConfirmOptions extends GlobalOptions {
  /** Go back now instead. */
  readonly undo: boolean;
  readonly json: boolean;
}

export interface ConfirmHandler {
  confirm(options: ConfirmOptions): Promise<ExitCode>;
}

export function addConfirm({ program, handlers, finish }: CommandLine<ConfirmHandler>): void {
  addCommand(
    program,
    "confirm",
    "keep what was reloaded with --confirm, which otherwise undoes itself",
    "holdfast confirm",
    "holdfast confirm --undo",
  )
    .option("--undo", "go back to the configuration before at once")
    .option("--json", "print the result as JSON")
    .addHelpText("after", exitCodes("0 done, 1 nothing waits to be confirmed, 4 no daemon"))
    .action(async (_options: unknown, command: Command) => {
      finish(await handlers.confirm({ ...globalsOf(command), ...flagsOf(command, "undo", "json") }));
    });
}
