import * as z from "zod";
import { err, type Result } from "../../base/result.ts";
import type { KeyPath, ProblemCode } from "../problem.ts";

/** Keywords of a JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** For what is refused whatever it is. */
export const NOTHING: JsonSchema = { not: {} };

/** What the reference page says about a value; errors quote `accepts`. */
export interface ValueDoc {
  /** What may be written, as a noun phrase with its range: "a whole number from 1 to 255". */
  readonly accepts: string;
  /** As much of it as JSON Schema can say: it takes everything that is accepted here. */
  readonly json: JsonSchema;
}

/** What the reference page says about a key of a map. */
export interface KeyDoc {
  readonly description: string;
  /** The default as it would be written; absent for keys that must be given. */
  readonly default?: string;
}

const valueDocs = z.registry<ValueDoc>();
const keyDocs = z.registry<KeyDoc>();
/** Schemas that a value of each shape is read by, for values that may have several. */
const shapesOf = new WeakMap<z.ZodType, Readonly<Partial<Record<Shape, z.ZodType>>>>();

/** Schemas inside those of `ruled`. */
const innerOf = new WeakMap<z.ZodType, z.ZodType>();
/** What JSON Schema can say of their rules. */
const ruleJson = new WeakMap<z.ZodType, JsonSchema>();

/** Why a value is refused. */
export interface Refusal {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly code?: ProblemCode;
}

/** What a schema of this kit puts into an issue, for the translation into a ConfigProblem. */
export interface IssueParams {
  readonly code: ProblemCode;
  readonly expected: string | null;
  readonly hint: string | null;
  /** The message is a whole clause; otherwise a predicate such as "has no unit", which gets its subject later. */
  readonly isClause?: boolean;
  /** The key is wrong, not its value. */
  readonly isAtKey?: boolean;
}

/** What a rule about a value as a whole finds. */
export interface RuleFinding {
  /** From the value to what is wrong. */
  readonly path: KeyPath;
  readonly isAtKey?: boolean;
  readonly code: ProblemCode;
  readonly message: string;
  readonly expected?: string;
  readonly hint?: string | undefined;
}

export function refuse(message: string, hint?: string): { readonly ok: false; readonly error: Refusal } {
  return err({ message, hint });
}

/** For what product documents promise but this release does not do. */
export function notSupported(message: string, hint?: string): { readonly ok: false; readonly error: Refusal } {
  return err({ message, hint, code: "not-supported" });
}

/**
 * A value that is read by one function. The reader never guesses: another type is refused with what was expected.
 * @param json for editors; an empty one takes everything
 * @param read gets the YAML value, never undefined; its messages do not repeat the value, the caret shows it
 */
export function scalar<T>(accepts: string, json: JsonSchema, read: (input: unknown) => Result<T, Refusal>) {
  const schema = z.unknown().transform((input, context): T => {
    const result: Result<T, Refusal> =
      input === undefined ? err({ message: "is missing", code: "missing-key" }) : read(input);
    if (result.ok) return result.value;
    const { message, hint, code } = result.error;
    const params: IssueParams = { code: code ?? "bad-value", expected: accepts, hint: hint ?? null };
    context.issues.push({ code: "custom", message, input: null, params: { ...params } });
    return z.NEVER;
  });
  schema.register(valueDocs, { accepts, json });
  return schema;
}

export type Shape = "text" | "number" | "boolean" | "list" | "map" | "nothing";

export function shapeOf(input: unknown): Shape {
  if (input === null || input === undefined) return "nothing";
  if (Array.isArray(input)) return "list";
  if (typeof input === "string") return "text";
  if (typeof input === "number") return "number";
  if (typeof input === "boolean") return "boolean";
  return "map";
}

/** "found text", with the article that reads well. */
export function nameShape(shape: Shape): string {
  return {
    text: "text",
    number: "a number",
    boolean: "true or false",
    list: "a list",
    map: "a map",
    nothing: "nothing",
  }[shape];
}

/** A value that may be written in several shapes, each with its own schema. */
export function byShape<S extends Readonly<Partial<Record<Shape, z.ZodType>>>>(
  accepts: string,
  shapes: S,
  wrongShapeHint?: string,
) {
  type Output = z.output<Exclude<S[keyof S], undefined>>;
  const schema = z.unknown().transform((input, context): Output => {
    const shape = shapeOf(input);
    const chosen = shapes[shape];
    if (chosen === undefined) {
      const params: IssueParams = {
        code: input === undefined ? "missing-key" : "wrong-type",
        expected: accepts,
        hint: input === undefined || input === null ? null : (wrongShapeHint ?? null),
      };
      const message =
        input === undefined ? "is missing" : input === null ? "has no value" : `cannot be ${nameShape(shape)}`;
      context.issues.push({ code: "custom", message, input: null, params: { ...params } });
      return z.NEVER;
    }
    const result = chosen.safeParse(input);
    if (result.success) return result.data as Output;
    for (const issue of result.error.issues) context.issues.push({ ...issue, input: null } as z.core.$ZodRawIssue);
    return z.NEVER;
  });
  schema.register(valueDocs, { accepts, json: {} });
  shapesOf.set(schema, shapes);
  return schema;
}

/**
 * A schema with a rule that joins parts of the value; the rule sees only values that the schema accepts.
 * @param json as much of the rule as JSON Schema can say
 */
export function ruled<S extends z.ZodType>(
  inner: S,
  rule: (value: z.output<S>) => readonly RuleFinding[],
  json: JsonSchema = {},
) {
  const schema = z.unknown().transform((input, context): z.output<S> => {
    const result = inner.safeParse(input);
    if (!result.success) {
      for (const issue of result.error.issues) context.issues.push({ ...issue, input: null } as z.core.$ZodRawIssue);
      return z.NEVER;
    }
    for (const { path, code, message, expected, hint, isAtKey } of rule(result.data)) {
      const params: IssueParams = {
        code,
        expected: expected ?? null,
        hint: hint ?? null,
        isClause: true,
        isAtKey: isAtKey === true,
      };
      context.issues.push({ code: "custom", path: [...path], message, input: null, params: { ...params } });
    }
    return result.data;
  });
  innerOf.set(schema, inner);
  ruleJson.set(schema, json);
  return schema;
}

/** Separates what `mapOf` and `listOf` hand to the translation through the only door zod leaves them: the message. */
export const ACCEPTED_KEYS = "accepted keys: ";

/** A map with known keys; others are errors. */
export function mapOf<S extends z.ZodRawShape>(accepts: string, shape: S) {
  const keys = `${ACCEPTED_KEYS}${Object.keys(shape).join(" ")}`;
  const schema = z.strictObject(shape, { error: (issue) => (issue.code === "unrecognized_keys" ? keys : accepts) });
  schema.register(valueDocs, { accepts, json: {} });
  return schema;
}

export function listOf<T extends z.ZodType>(accepts: string, item: T, min = 0) {
  const schema = z.array(item, { error: () => accepts }).min(min, { error: () => accepts });
  schema.register(valueDocs, { accepts, json: min === 0 ? {} : { minItems: min } });
  return schema;
}

/** A map whose keys are names that the operator chooses. @param json what JSON Schema can say of the names */
export function namedMap<T extends z.ZodType>(accepts: string, item: T, json: JsonSchema = {}) {
  const schema = z.record(z.string(), item, { error: () => accepts });
  schema.register(valueDocs, { accepts, json });
  return schema;
}

/** Attaches what the reference page says about a key. */
export function key<T extends z.ZodType>(schema: T, description: string): T {
  keyDocs.add(schema, { description });
  return schema;
}

/** A key that may be absent. `shownDefault` is documentation; the value is filled in when the model is built. */
export function optionalKey<T extends z.ZodType>(schema: T, shownDefault: string, description: string) {
  const optional = schema.optional();
  keyDocs.add(optional, { description, default: shownDefault });
  return optional;
}

export function valueDocOf(schema: z.ZodType): ValueDoc | undefined {
  return valueDocs.get(schema);
}

export function keyDocOf(schema: z.ZodType): KeyDoc | undefined {
  return keyDocs.get(schema);
}

export function shapesOfSchema(schema: z.ZodType): Readonly<Partial<Record<Shape, z.ZodType>>> | undefined {
  return shapesOf.get(schema);
}

export function innerOfSchema(schema: z.ZodType): z.ZodType | undefined {
  return innerOf.get(schema);
}

export function ruleJsonOf(schema: z.ZodType): JsonSchema {
  return ruleJson.get(schema) ?? {};
}
