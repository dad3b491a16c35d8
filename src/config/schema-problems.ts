import type * as z from "zod";
import { nearest } from "./nearest.ts";
import type { ParsedFile } from "./parsed-file.ts";
import { type ConfigProblem, type Finding, formatKeyPath, type KeyPath, quoteKey } from "./problem.ts";
import { ACCEPTED_KEYS, type IssueParams, nameShape, shapeOf } from "./schema/kit.ts";
import { knownForeignKey } from "./unsupported.ts";

/** Problems that one part reports at most: more than anybody is shown, few enough to be counted out. */
const MAX_PART_PROBLEMS = 1000;

/**
 * What the schema says about a part of a file, with places.
 * @param base where in the file the part stands
 */
export function schemaProblems(file: ParsedFile, base: KeyPath, error: z.ZodError): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  /** Aliases repeat a mistake as often as they are used; bounded by MAX_PART_PROBLEMS. */
  const seen = new Set<string>();
  const isNew = (path: KeyPath, message: string): boolean => {
    const { line, column } = file.locate(path);
    const mark = `${line}:${column} ${message}`;
    if (seen.has(mark) || seen.size >= MAX_PART_PROBLEMS) return false;
    seen.add(mark);
    return true;
  };
  /** Keys that are missing because they are misspelt. */
  const misspelt = new Set<string>();
  for (const issue of error.issues) {
    if (issue.code !== "unrecognized_keys") continue;
    const path = [...base, ...stepsOf(issue.path)];
    const accepted = issue.message.startsWith(ACCEPTED_KEYS)
      ? issue.message.slice(ACCEPTED_KEYS.length).split(" ")
      : [];
    for (const name of issue.keys) {
      const { finding, meant } = unknownKey(path, name, accepted);
      if (meant !== undefined) misspelt.add(formatKeyPath([...path, meant]));
      if (isNew([...path, name], finding.message)) problems.push(file.problemAtKey([...path, name], finding));
    }
  }
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") continue;
    const path = [...base, ...stepsOf(issue.path)];
    if (!isNew(path, issue.message)) continue;
    const finding = translate(issue, file, path);
    if (finding.code === "missing-key" && misspelt.has(formatKeyPath(path))) continue;
    const isAtKey = issue.code === "custom" && (issue.params as Partial<IssueParams> | undefined)?.isAtKey === true;
    problems.push(isAtKey ? file.problemAtKey(path, finding) : file.problem(path, finding));
  }
  return problems;
}

function stepsOf(path: readonly PropertyKey[]): KeyPath {
  return path.map((step) => (typeof step === "symbol" ? String(step) : step));
}

function translate(issue: z.core.$ZodIssue, file: ParsedFile, path: KeyPath): Finding {
  const subject = subjectOf(path);
  if (issue.code === "custom") {
    const params = issue.params as Partial<IssueParams> | undefined;
    return {
      code: params?.code ?? "bad-value",
      message: params?.isClause === true ? issue.message : withSubject(subject, issue.message, params?.code),
      expected: params?.expected ?? null,
      hint: params?.hint ?? null,
    };
  }
  if (issue.code === "invalid_type") {
    const value = file.plainAt(path);
    if (value === undefined) return { code: "missing-key", message: `${subject} is missing`, expected: issue.message };
    const found = value === null ? "has no value" : `cannot be ${nameShape(shapeOf(value))}`;
    const hint = shapeHint(value, issue.expected);
    return { code: "wrong-type", message: `${subject} ${found}`, expected: issue.message, hint };
  }
  if (issue.code === "too_small") {
    return { code: "bad-value", message: `${subject} is empty`, expected: issue.message };
  }
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
  if (expected === "array") {
    if (typeof value === "string" && value.startsWith("-")) return "put a space after each dash";
    return "put it in brackets, or on a line of its own after a dash and a space";
  }
  if (expected === "object" || expected === "record") {
    if (Array.isArray(value)) return "remove the dashes or brackets and write `KEY: VALUE`";
    if (typeof value === "string") return "write `KEY: VALUE` below it, indented";
  }
  return null;
}

/** @returns the finding, and the accepted key that was meant, where there is one */
function unknownKey(
  path: KeyPath,
  name: string,
  accepted: readonly string[],
): { readonly finding: Finding; readonly meant: string | undefined } {
  const foreign = knownForeignKey(path, name);
  const shown = quoteKey(name);
  if (foreign?.isLater === true) {
    const message = `${shown} is not supported in this version of holdfast`;
    return { finding: { code: "not-supported", message, hint: foreign.hint }, meant: undefined };
  }
  const expected = accepted.length === 0 ? null : `one of the keys ${accepted.map((key) => `\`${key}\``).join(", ")}`;
  const squeezed = /^([\w-]+):./.exec(name)?.[1];
  if (squeezed !== undefined && accepted.includes(squeezed)) {
    const hint = `a space is missing after the colon of \`${squeezed}:\``;
    return { finding: { code: "unknown-key", message: `unknown key ${shown}`, expected, hint }, meant: squeezed };
  }
  const near = foreign === undefined ? nearest(name, accepted) : undefined;
  const hint = foreign?.hint ?? (near === undefined ? null : `did you mean \`${near}\`?`);
  return { finding: { code: "unknown-key", message: `unknown key ${shown}`, expected, hint }, meant: near };
}
