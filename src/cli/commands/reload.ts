import { type Command, InvalidArgumentError } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { parseConfirmTime } from "../../control/confirm-time.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf, type GlobalOptions, globalsOf } from "./command.ts";

export interface ReloadOptions extends GlobalOptions {
  /** As typed: how long it waits to be confirmed; null = it stays. */
  readonly confirm: string | null;
  readonly json: boolean;
}

export interface ReloadHandler {
  reload(options: ReloadOptions): Promise<ExitCode>;
}

export function addReload({ program, handlers, finish }: CommandLine<ReloadHandler>): void {
  addCommand(
    program,
    "reload",
    "validate the daemon's configuration again and apply what changed",
    "holdfast reload",
    "holdfast reload --confirm 5m",
  )
    .option("--confirm <time>", "undo it after this time, 5m for example, unless the command confirm is run", confirmOf)
    .option("--json", "print the result as JSON")
    .addHelpText("after", exitCodes("0 applied, 1 failed, 4 no daemon, 78 refused and nothing changed"))
    .action(async (_options: unknown, command: Command) => {
      const { confirm = null } = command.opts<{ readonly confirm?: string }>();
      finish(await handlers.reload({ ...globalsOf(command), confirm, ...flagsOf(command, "json") }));
    });
}

function confirmOf(text: string): string {
  const time = parseConfirmTime(text);
  if (!time.ok) throw new InvalidArgumentError(time.error);
  return text.trim();
}
