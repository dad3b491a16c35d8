/** One file of configuration as its reader hands it over. */
export interface SourceFile {
  /** How messages call the file: the path as the operator wrote it, or as the include pattern found it. */
  readonly path: string;
  readonly text: string;
  /** Absolute folder that relative names in the file start from; null = names stay as they are written. */
  readonly folder: string | null;
}

/** A place in a file. Lines and columns count from 1; a column counts UTF-16 units, as editors do. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The offending line as it may be shown: secrets blotted out, control characters replaced, long lines cut. */
export interface Excerpt {
  readonly text: string;
  /** Where the caret stands in `text`, from 0, and how many columns it underlines, at least 1. */
  readonly caretAt: number;
  readonly caretLength: number;
}

export type Severity = "error" | "warning";

/** Something in the configuration that a person should change. */
export interface ConfigProblem {
  readonly severity: Severity;
  /** Stable name of the kind of problem, for programs and tests. */
  readonly code: ProblemCode;
  readonly location: Location;
  readonly excerpt: Excerpt;
  /** The key as people write it, `services.web.servers[1].weight`; "" for the file as a whole. */
  readonly keyPath: string;
  /** One clause that says what is wrong, without a full stop. */
  readonly message: string;
  /** What would have been accepted. */
  readonly expected: string | null;
  /** What to write instead, or why the rule exists. */
  readonly hint: string | null;
  /** The other place of a conflict. */
  readonly related: readonly { readonly message: string; readonly location: Location }[];
}

export type ProblemCode =
  | "unreadable-file"
  | "not-utf8"
  | "too-large"
  | "bad-yaml"
  | "too-complex"
  | "duplicate-key"
  | "empty"
  | "unknown-key"
  | "missing-key"
  | "wrong-type"
  | "bad-value"
  | "not-supported"
  | "conflict"
  | "impossible"
  | "bad-include"
  | "bad-file"
  | "suspicious"
  | "too-many-problems";

/** What a finding says, before it has a place. */
export interface Finding {
  readonly severity?: Severity;
  readonly code: ProblemCode;
  readonly message: string;
  readonly expected?: string | null;
  readonly hint?: string | null;
}

/** Steps from the top of a file to a value: map keys and list positions. */
export type KeyPath = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_][\w-]*$/;

/** Writes a key path as people do: `services.web.servers[1].weight`. */
export function formatKeyPath(path: KeyPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (PLAIN_KEY.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${quote(withoutValue(step))}]`;
  }
  return text;
}

/** `key:value` without its space is a key for YAML; what follows the colon may be a secret. */
function withoutValue(key: string): string {
  return key.replace(/^([\w-]+):.+$/s, "$1:…");
}

const QUOTE_LIMIT = 60;

/** A value from a file inside a message: quoted, control characters escaped, cut when long. */
export function quote(text: string): string {
  const cut = text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}…` : text;
  return JSON.stringify(cut).replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e]/g, "\ufffd");
}

/** A key inside a message: between backquotes, unless it holds something that needs escaping. */
export function quoteKey(whole: string): string {
  const key = withoutValue(whole);
  return /^[\w.<>:/*+…-]{1,60}$/.test(key) ? `\`${key}\`` : quote(key);
}
