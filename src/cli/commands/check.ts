import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import type { CheckOptions } from "../check.ts";
import {
  addCommand,
  type CommandLine,
  DEFAULT_FILE,
  exitCodes,
  flagsOf,
  type GlobalOptions,
  globalsOf,
} from "./command.ts";

export interface CheckCommand extends GlobalOptions, Omit<CheckOptions, "nodeName"> {}

export interface CheckHandler {
  check(options: CheckCommand): Promise<ExitCode>;
}

export function addCheck({ program, handlers, finish }: CommandLine<CheckHandler>): void {
  addCommand(
    program,
    "check",
    "validate a configuration and print every problem",
    "holdfast check --strict --explain new.yaml",
  )
    .argument("[file]", "configuration", DEFAULT_FILE)
    .option("--strict", "exit with 1 when there are warnings")
    .option("--explain", "print the configuration with every default filled in")
    .option("--json", "print the result as JSON")
    .addHelpText("after", exitCodes("0 valid, 1 warnings with --strict, 78 errors"))
    .action(async (file: string, _options: unknown, command: Command) => {
      finish(await handlers.check({ file, ...globalsOf(command), ...flagsOf(command, "strict", "explain", "json") }));
    });
}
