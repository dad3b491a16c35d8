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

export interface PlanCommand extends GlobalOptions {
  readonly file: string;
  readonly json: boolean;
}

export interface PlanHandler {
  plan(options: PlanCommand): Promise<ExitCode>;
}

export function addPlan({ program, handlers, finish }: CommandLine<PlanHandler>): void {
  addCommand(
    program,
    "plan",
    "print what making the kernel as configured would change, and the connections that it would cut; needs no daemon",
    "holdfast plan",
    "holdfast plan --json new.yaml",
  )
    .argument("[file]", "configuration", DEFAULT_FILE)
    .option("--json", "print the plan as JSON")
    .addHelpText("after", exitCodes("0 nothing to do, 2 changes, 1 no plan"))
    .action(async (file: string, _options: unknown, command: Command) => {
      finish(await handlers.plan({ file, ...globalsOf(command), ...flagsOf(command, "json") }));
    });
}
