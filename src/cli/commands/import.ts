import { type Command, Option } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { IMPORT_FORMATS, type ImportFormat } from "../../config/import/formats.ts";
import type { ImportOptions } from "../import.ts";
import { addCommand, type CommandLine, exitCodes, type GlobalOptions, globalsOf } from "./command.ts";

export interface ImportCommand extends GlobalOptions, Omit<ImportOptions, "nodeName"> {}

export interface ImportHandler {
  import(options: ImportCommand): Promise<ExitCode>;
}

export function addImport({ program, handlers, finish }: CommandLine<ImportHandler>): void {
  addCommand(
    program,
    "import",
    "print another program's configuration as one of holdfast, and every line that is not carried over",
    "holdfast import /etc/keepalived/keepalived.conf > holdfast.yaml",
    "ipvsadm -S -n > table && holdfast import table",
  )
    .argument("<file>", "keepalived.conf, ldirectord.cf, or what `ipvsadm -S -n` printed")
    .addOption(new Option("--format <format>", "what the file is, where it is not recognised").choices(IMPORT_FORMATS))
    .addHelpText(
      "after",
      exitCodes("0 all of it is carried over and passes check, 1 otherwise: read what is said on stderr"),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { format = null } = command.opts<{ readonly format?: ImportFormat }>();
      finish(await handlers.import({ file, format, ...globalsOf(command) }));
    });
}
