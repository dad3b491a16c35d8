import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, DEFAULT_FILE, type GlobalOptions, globalsOf } from "./command.ts";

export interface RunOptions extends GlobalOptions {
  readonly file: string;
}

export interface RunHandler {
  run(options: RunOptions): Promise<ExitCode>;
}

export function addRun({ program, handlers, finish }: CommandLine<RunHandler>): void {
  addCommand(
    program,
    "run",
    "run the director in the foreground, as systemd does",
    "holdfast run /etc/holdfast/holdfast.yaml",
  )
    .argument("[file]", "configuration", DEFAULT_FILE)
    .action(async (file: string, _options: unknown, command: Command) => {
      finish(await handlers.run({ file, ...globalsOf(command) }));
    });
}
