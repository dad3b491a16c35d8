import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { configJsonSchema } from "../config/json-schema.ts";
import { eventJsonSchema, statusJsonSchema } from "../control/schemas.ts";
import type { SchemaName } from "./commands/schema.ts";
import type { Terminal } from "./terminal.ts";

/** `holdfast schema`: a JSON Schema, draft 2020-12. */
export function schemaCommand({ of }: { readonly of: SchemaName }, terminal: Terminal): ExitCode {
  terminal.out.write(`${JSON.stringify(jsonSchemaOf(of), null, 2)}\n`);
  return EXIT.OK;
}

export function jsonSchemaOf(of: SchemaName): unknown {
  switch (of) {
    case "config":
      return configJsonSchema();
    case "status":
      return statusJsonSchema();
    case "event":
      return eventJsonSchema();
  }
}
