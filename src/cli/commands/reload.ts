import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, exitCodes, type GlobalOptions, globalsOf, isOn } from "./command.ts";

export interface ReloadOptions extends GlobalOptions {
  readonly json: boolean;
}

export interface ReloadHandler {
  reload(options: ReloadOptions): Promise<ExitCode>;
}

export function addReload({ program, handlers, finish }: CommandLine<ReloadHandler>): void {
  addCommand(program, "reload", "validate the daemon's configuration again and apply what changed", "holdfast reload")
    .option("--json", "print the result as JSON")
    .addHelpText("after", exitCodes("0 applied, 1 failed, 4 no daemon, 78 refused and nothing changed"))
    .action(async (_options: unknown, command: Command) => {
      finish(await handlers.reload({ ...globalsOf(command), json: isOn(command, "json") }));
    });
}
