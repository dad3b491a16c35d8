import { Argument, type Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, type GlobalOptions, globalsOf } from "./command.ts";

/** What there is a JSON Schema of. */
export const SCHEMA_NAMES = ["config", "status", "event"] as const;
export type SchemaName = (typeof SCHEMA_NAMES)[number];

export interface SchemaOptions extends GlobalOptions {
  readonly of: SchemaName;
}

export interface SchemaHandler {
  schema(options: SchemaOptions): Promise<ExitCode>;
}

export function addSchema({ program, handlers, finish }: CommandLine<SchemaHandler>): void {
  addCommand(
    program,
    "schema",
    "print the JSON Schema of the configuration, for editors, or of what status and events print as JSON",
    "holdfast schema > /usr/local/share/holdfast.schema.json",
    "holdfast schema status",
  )
    .addArgument(new Argument("[of]", "schema of what").choices(SCHEMA_NAMES).default("config"))
    .action(async (of: SchemaName, _options: unknown, command: Command) => {
      finish(await handlers.schema({ of, ...globalsOf(command) }));
    });
}
