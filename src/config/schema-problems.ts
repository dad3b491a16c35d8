import type { z } from "zod";
import { nearest } from "./nearest.ts";
import type { ParsedFile } from "./parsed-file.ts";
import { type ConfigProblem, type Finding, type KeyPath, quoteKey } from "./problem.ts";
import { ACCEPTED_KEYS, type IssueParams, nameShape, shapeOf } from "./schema/kit.ts";
import { knownForeignKey } from "./unsupported.ts";

/**
 * What the schema says about a part of a file, with places.
 * @param base where in the file the part stands
 */
export function schemaProblems(file: ParsedFile, base: KeyPath, error: z.ZodError): ConfigProblem[] {
  return error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))];
    if (issue.code === "unrecognized_keys") {
      const accepted = issue.message.startsWith(ACCEPTED_KEYS)
        ? issue.message.slice(ACCEPTED_KEYS.length).split(" ")
        : [];
      return issue.keys.map((name) => file.problemAtKey([...path, name], unknownKey(path, name, accepted)));
    }
    return [file.problem(path, translate(issue, file, path))];
  });
}

function translate(issue: z.core.$ZodIssue, file: ParsedFile, path: KeyPath): Finding {
  const subject = subjectOf(path);
  if (issue.code === "custom") {
    const params = issue.params as Partial<IssueParams> | undefined;
    return {
      code: params?.code ?? "bad-value",
      message: withSubject(subject, issue.message, params?.code),
      expected: params?.expected ?? null,
      hint: params?.hint ?? null,
    };
  }
  if (issue.code === "invalid_type") {
    const value = file.plainAt(path);
    if (value === undefined) return { code: "missing-key", message: `${subject} is missing`, expected: issue.message };
    const found = value === null ? "has no value" : `cannot be ${nameShape(shapeOf(value))}`;
    return {
      code: "wrong-type",
      message: `${subject} ${found}`,
      expected: issue.message,
      hint: shapeHint(value, issue.expected),
    };
  }
  if (issue.code === "too_small") return { code: "bad-value", message: `${subject} is empty`, expected: issue.message };
  return { code: "bad-value", message: `${subject} is not accepted`, expected: issue.message };
}

function subjectOf(path: KeyPath): string {
  const last = path.at(-1);
  if (last === undefined) return "the file";
  if (typeof last === "string") return quoteKey(last);
  const list = path.findLast((step) => typeof step === "string");
  return list === undefined ? `entry ${last + 1}` : `entry ${last + 1} of ${quoteKey(String(list))}`;
}

/** Messages of the schema are predicates, "has no value"; what is not supported speaks for itself. */
function withSubject(subject: string, message: string, code: string | undefined): string {
  if (code === "not-supported") return message;
  return /^(is|has|cannot|holds|does) /.test(message) ? `${subject} ${message}` : `${subject}: ${message}`;
}

function shapeHint(value: unknown, expected: string): string | null {
  if (expected === "array") return "put it in brackets, or on a line of its own after a dash and a space";
  if (expected === "object" || expected === "record") {
    if (Array.isArray(value)) return "remove the dashes or brackets and write `KEY: VALUE`";
    if (typeof value === "string") return "write `KEY: VALUE` below it, indented";
  }
  return null;
}

function unknownKey(path: KeyPath, name: string, accepted: readonly string[]): Finding {
  const foreign = knownForeignKey(path, name);
  const shown = quoteKey(name);
  if (foreign?.isLater === true) {
    return {
      code: "not-supported",
      message: `${shown} is not supported in this version of holdfast`,
      hint: foreign.hint,
    };
  }
  const expected = accepted.length === 0 ? null : `one of the keys ${accepted.map((key) => `\`${key}\``).join(", ")}`;
  const squeezed = /^([\w-]+):./.exec(name);
  const near = nearest(name, accepted);
  const hint =
    foreign?.hint ??
    (squeezed !== null && accepted.includes(squeezed[1] ?? "")
      ? `a space is missing after the colon of \`${squeezed[1]}:\``
      : near === undefined
        ? null
        : `did you mean \`${near}\`?`);
  return { code: "unknown-key", message: `unknown key ${shown}`, expected, hint };
}
