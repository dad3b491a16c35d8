import * as z from "zod";
import {
  innerOfSchema,
  type JsonSchema,
  keyDocOf,
  NOTHING,
  ruleJsonOf,
  type Shape,
  shapesOfSchema,
  valueDocOf,
} from "./schema/kit.ts";
import { rootSchema } from "./schema/root.ts";

/** What JSON Schema calls the shapes of the kit. */
const JSON_TYPES: Readonly<Record<Shape, readonly string[]>> = {
  text: ["string"],
  number: ["number", "integer"],
  boolean: ["boolean"],
  list: ["array"],
  map: ["object"],
  nothing: ["null"],
};

/**
 * The main file as a JSON Schema, draft 2020-12, for editors: it takes every file that is accepted, and refuses what one of
 * its kind can refuse. What joins distant parts of the file is for `holdfast check`.
 */
export function configJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "configuration of a holdfast director",
    ...jsonOf(rootSchema),
  };
}

function jsonOf(schema: z.ZodType): JsonSchema {
  if (schema instanceof z.ZodOptional) return jsonOf(schema.unwrap() as z.ZodType);
  const inner = innerOfSchema(schema);
  if (inner !== undefined) return { ...jsonOf(inner), ...ruleJsonOf(schema) };
  const doc = valueDocOf(schema);
  const own = doc?.json ?? {};
  if (schema instanceof z.ZodObject) return { ...mapJson(schema), ...own };
  if (schema instanceof z.ZodArray) return { type: "array", items: jsonOf(schema.element as z.ZodType), ...own };
  if (schema instanceof z.ZodRecord)
    return { type: "object", additionalProperties: jsonOf(schema.valueType as z.ZodType), ...own };
  const shapes = shapesOfSchema(schema);
  return shapes === undefined ? own : { ...shapesJson(shapes), ...own };
}

function mapJson(schema: z.ZodObject): JsonSchema {
  const entries = Object.entries(schema.shape as Readonly<Record<string, z.ZodType>>);
  const required = entries.filter(([, value]) => !(value instanceof z.ZodOptional)).map(([key]) => key);
  return {
    type: "object",
    properties: Object.fromEntries(entries.map(([key, value]) => [key, keyJson(value)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

/** A key with what an editor shows about it. */
function keyJson(value: z.ZodType): JsonSchema {
  const { description, default: shownDefault } = keyDocOf(value) ?? {};
  const accepts = valueDocOf(value)?.accepts ?? valueDocOf(peeled(value))?.accepts;
  const told = [
    ...(description === undefined ? [] : [description]),
    ...(accepts === undefined ? [] : [`Takes ${accepts}.`]),
    ...(shownDefault === undefined ? [] : [`Default: ${shownDefault}.`]),
  ];
  return { ...jsonOf(value), description: told.join(" ") };
}

function peeled(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return peeled(schema.unwrap() as z.ZodType);
  const inner = innerOfSchema(schema);
  return inner === undefined ? schema : peeled(inner);
}

/** One of several shapes. Some are there only to be refused with a good reason: they are no alternative. */
function shapesJson(shapes: Readonly<Partial<Record<Shape, z.ZodType>>>): JsonSchema {
  const alternatives = (Object.entries(shapes) as [Shape, z.ZodType][]).flatMap(([shape, schema]) => {
    const json = jsonOf(schema);
    const each = Array.isArray(json.anyOf) ? (json.anyOf as JsonSchema[]) : [json];
    return each.filter(({ type }) => JSON_TYPES[shape].some((name) => name === type));
  });
  const [only, ...more] = alternatives;
  return more.length === 0 ? (only ?? NOTHING) : { anyOf: alternatives };
}
