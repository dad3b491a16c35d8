import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import {
  addCommand,
  type CommandLine,
  DEFAULT_FILE,
  exitCodes,
  flagsOf,
  type GlobalOptions,
  globalsOf,
} from "./command.ts";

export interface DoctorOptions extends GlobalOptions {
  readonly file: string;
  /** Mend what is safe to mend. */
  readonly fix: boolean;
  /** With `fix`: only say what it would do. */
  readonly dryRun: boolean;
  readonly json: boolean;
}

export interface DoctorHandler {
  doctor(options: DoctorOptions): Promise<ExitCode>;
}

export function addDoctor({ program, handlers, finish }: CommandLine<DoctorHandler>): void {
  addCommand(
    program,
    "doctor",
    "look for what keeps this director from working, in the kernel, on its networks and at its peers",
    "holdfast doctor",
    "holdfast doctor --fix --dry-run new.yaml",
  )
    .argument("[file]", "configuration", DEFAULT_FILE)
    .option("--fix", "set the kernel settings that findings ask for; everything else is left to you")
    .option("--dry-run", "with --fix: say what would be set, and set nothing")
    .option("--json", "print the result as JSON")
    .addHelpText("after", exitCodes("0 no findings, 1 findings, 78 the configuration has errors"))
    .action(async (file: string, _options: unknown, command: Command) => {
      finish(await handlers.doctor({ file, ...globalsOf(command), ...flagsOf(command, "fix", "dryRun", "json") }));
    });
}
