import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf, type GlobalOptions, globalsOf } from "./command.ts";

export interface HandoverOptions extends GlobalOptions {
  readonly instance: string;
  readonly json: boolean;
}

export interface HandoverHandler {
  handover(options: HandoverOptions): Promise<ExitCode>;
}

export function addHandover({ program, handlers, finish }: CommandLine<HandoverHandler>): void {
  addCommand(
    program,
    "handover",
    "let a peer serve the addresses of an instance, with clients served throughout; this node rests until it is needed",
    "holdfast handover web4",
  )
    .argument("<instance>", "name of the instance; the others of its group move with it")
    .option("--json", "print the result as JSON")
    .addHelpText("after", exitCodes("0 when the peer has it; 1 otherwise, and this node serves on; 4 no daemon"))
    .action(async (instance: string, _options: unknown, command: Command) => {
      finish(await handlers.handover({ instance, ...globalsOf(command), ...flagsOf(command, "json") }));
    });
}
