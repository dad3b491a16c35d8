import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { eventJsonSchema, type JsonSchema, statusJsonSchema } from "../../src/control/schemas.ts";

/** Judges by a library that knows nothing of the one that made the schema. A field that the schema does not name is an error. */
function judge(schema: JsonSchema) {
  // The form of times is held by their pattern.
  const validate = new Ajv2020({
    strict: true,
    allowUnionTypes: true,
    validateFormats: false,
    allErrors: true,
  }).compile(schema);
  return (value: unknown): readonly string[] => {
    validate(value);
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}

export const statusErrors = judge(statusJsonSchema(true));
export const eventErrors = judge(eventJsonSchema(true));

export function assertIsStatus(status: unknown): void {
  assert.deepEqual(statusErrors(status), []);
}

export function assertIsEvent(event: unknown): void {
  assert.deepEqual(eventErrors(event), []);
}
