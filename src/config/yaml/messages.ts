import type { YAMLError } from "yaml";
import { lexemesOf, tokensOf } from "./tokens.ts";

/** What a complaint of the YAML parser says to an operator, and where it points. */
export interface YamlComplaint {
  readonly from: number;
  readonly to: number;
  readonly message: string;
  readonly hint: string | null;
}

interface Scene {
  readonly error: YAMLError;
  readonly text: string;
  /** Offsets of the error, inside the text. */
  readonly from: number;
  readonly to: number;
  /** The line that holds `from`, and where it starts. */
  readonly line: string;
  readonly lineStart: number;
}

const QUOTE_IT = "put the whole value in quotes";

/** Says what a YAML syntax error means in a configuration file. Total: an unknown code keeps the parser's own words. */
export function explainYamlError(error: YAMLError, text: string): YamlComplaint {
  const from = Math.min(Math.max(0, error.pos[0]), text.length);
  const to = Math.min(Math.max(from + 1, error.pos[1]), text.length);
  const lineStart = text.lastIndexOf("\n", from - 1) + 1;
  const newline = text.indexOf("\n", from);
  const line = text.slice(lineStart, newline < 0 ? text.length : newline);
  const scene: Scene = { error, text, from, to, line, lineStart };
  const told = TELLERS[error.code]?.(scene);
  return {
    from: told?.from ?? from,
    to: told?.to ?? to,
    message: told?.message ?? ownWords(error.message),
    hint: told?.hint ?? null,
  };
}

type Told = Partial<YamlComplaint> | undefined;
type Teller = (scene: Scene) => Told;

const TELLERS: Readonly<Partial<Record<YAMLError["code"], Teller>>> = {
  TAB_AS_INDENT: () => ({
    message: "a tab is used for indentation",
    hint: "YAML indents with spaces only; replace the tab by spaces",
  }),
  BAD_INDENT: badIndent,
  BLOCK_AS_IMPLICIT_KEY: blockAsKey,
  MULTILINE_IMPLICIT_KEY: notAKey,
  MISSING_CHAR: missingCharacter,
  UNEXPECTED_TOKEN: unexpectedToken,
  BLOCK_IN_FLOW: ({ text, from, to }) => {
    const inner = text.slice(from, to);
    const next = /\s([\w-]+):\s/.exec(inner);
    return next === null
      ? { message: "a list or map in block style stands between braces or brackets" }
      : { message: `a comma is missing before \`${next[1]}\``, hint: "entries between braces are separated by commas" };
  },
  BAD_SCALAR_START: ({ text, from }) => ({
    message: `a value cannot begin with \`${text[from] === "`" ? "backquote" : (text[from] ?? "")}\``,
    hint: QUOTE_IT,
  }),
  BAD_DQ_ESCAPE: () => ({
    message: "this backslash sequence is not known between double quotes",
    hint: "write the value in single quotes, where a backslash is only a backslash",
  }),
  BAD_ALIAS: ({ text, from }) => ({
    message:
      text[from] === "&"
        ? "`&` begins an anchor, and its name is missing"
        : "`*` begins an alias, and its name is missing",
    hint: QUOTE_IT,
  }),
  MULTIPLE_DOCS: () => ({
    message: "a second YAML document begins here",
    hint: "one file holds one document; remove the `---` or put the rest into a file of its own under include",
  }),
  TAG_RESOLVE_FAILED: () => ({ message: "`!` begins a YAML tag, which has no meaning here", hint: QUOTE_IT }),
  RESOURCE_EXHAUSTION: () => ({ message: "nested too deeply to be a configuration", hint: null }),
  KEY_OVER_1024_CHARS: () => ({
    message: "a key is longer than 1024 characters",
    hint: "a quote may be missing before it",
  }),
  MULTIPLE_ANCHORS: () => ({ message: "a value can have one anchor only" }),
  MULTIPLE_TAGS: () => ({ message: "a value can have one tag only" }),
};

function firstNonBlank({ text, from }: Scene): number {
  const match = /[^ \t\r\n]/.exec(text.slice(from, from + 1000));
  return match === null ? from : from + match.index;
}

function badIndent(scene: Scene): Told {
  if (scene.error.message.startsWith("Flow")) {
    return notClosed(scene, scene.error.message.includes("map") ? "{" : "[");
  }
  const from = firstNonBlank(scene);
  const isItem = scene.error.message.includes("sequence");
  return {
    from,
    to: from + 1,
    message: "this line is indented differently from its neighbours",
    hint: isItem
      ? "the dashes of one list stand in the same column"
      : "the keys of one map stand in the same column, and a list cannot be mixed with keys",
  };
}

/** A bracket, brace or quote without its other half: what opened it is the place to look at. */
function notClosed(scene: Scene, mark: "[" | "{" | '"' | "'"): Told {
  const isBracket = mark === "[" || mark === "{";
  const opening = isBracket ? openBracket(scene) : openQuote(scene);
  const place = opening === null ? {} : { from: opening, to: opening + 1 };
  const other = mark === "[" ? "]" : mark === "{" ? "}" : mark;
  return { ...place, message: `this \`${mark}\` is not closed`, hint: `add the missing \`${other}\`` };
}

/** The innermost bracket that is open where the parser gave up. */
function openBracket({ text, from }: Scene): number | null {
  const open: number[] = [];
  for (const { type, offset } of tokensOf(lexemesOf(text))) {
    if (offset >= from) break;
    if (type === "flow-map-start" || type === "flow-seq-start") open.push(offset);
    if (type === "flow-map-end" || type === "flow-seq-end") open.pop();
  }
  return open.at(-1) ?? null;
}

/** Where the last quoted value began before the parser gave up. */
function openQuote({ text, from }: Scene): number | null {
  let last: number | null = null;
  for (const { type, offset } of tokensOf(lexemesOf(text))) {
    if (offset >= from) break;
    if (type === "double-quoted-scalar" || type === "single-quoted-scalar") last = offset;
  }
  return last;
}

function blockAsKey(scene: Scene): Told {
  const missingSpace = /^(\s*)-[^\s-]/.exec(scene.line);
  if (missingSpace !== null || scene.error.message.includes("block sequence")) {
    const from = firstNonBlank(scene);
    const next = scene.text.slice(from, scene.text.indexOf("\n", from));
    return /^-\S/.test(next) || missingSpace !== null
      ? { from, to: from + 1, message: "a dash needs a space after it to begin a list item" }
      : {
          from,
          to: from + 1,
          message: "a list item stands where a key was expected",
          hint: "a list cannot be mixed with keys",
        };
  }
  const upToEnd = scene.text.slice(scene.from, scene.lineStart + scene.line.length);
  if (!/:(\s|$)/.test(upToEnd)) return deeperThanValue(scene);
  return {
    to: scene.lineStart + scene.line.trimEnd().length,
    message: "a second `KEY:` stands on one line",
    hint: "put a value that holds a colon and a space in quotes, or write the inner key on a line of its own",
  };
}

/** `a: 1`, then a deeper `b: 2`: the second line is the one that is wrong. */
function deeperThanValue(scene: Scene): Told {
  const nextLine = scene.lineStart + scene.line.length + 1;
  const from = firstNonBlank({ ...scene, from: Math.min(nextLine, scene.text.length) });
  return {
    from,
    to: from + 1,
    message: "this line is indented deeper than the one above it, which already has a value",
    hint: "move it to the column of the key above, or give it the parent it belongs to",
  };
}

function notAKey(scene: Scene): Told {
  const squeezed = /^\s*(?:- )?([\w-]+):(\S+)\s*$/.exec(scene.line);
  const lineEnd = scene.lineStart + scene.line.trimEnd().length;
  if (squeezed !== null) {
    return { to: lineEnd, message: `a space is missing after the colon of \`${squeezed[1]}:\`` };
  }
  return {
    to: Math.max(scene.from + 1, lineEnd),
    message: "this line is not `KEY: VALUE`",
    hint: "a colon is missing, or a quote above is not closed",
  };
}

function missingCharacter(scene: Scene): Told {
  const { error, text } = scene;
  if (error.message.includes("quote")) {
    return notClosed(scene, error.message.includes('"') ? '"' : "'");
  }
  if (error.message.startsWith("Implicit map keys")) {
    const squeezed = /^\s*(?:- )?([\w-]+):\S/.exec(scene.line);
    return squeezed === null
      ? { message: "a key without a colon", hint: "write `KEY: VALUE`" }
      : { message: `a space is missing after the colon of \`${squeezed[1]}:\`` };
  }
  if (error.message.includes("expected to end with")) {
    return notClosed(scene, error.message.includes("}") ? "{" : "[");
  }
  if (text.startsWith("%")) return { message: "a line that begins with % is a YAML directive", hint: "remove it" };
  return undefined;
}

function unexpectedToken(scene: Scene): Told {
  const { text, from, line, lineStart } = scene;
  const before = text.slice(lineStart, from);
  const open = before.lastIndexOf("[");
  if (open >= 0 && /^:\d/.test(text.slice(from)) && before.endsWith("]")) {
    return {
      from: lineStart + open,
      to: lineStart + line.trimEnd().length,
      message: "`[` begins a list in YAML, so this is not an address",
      hint: `write it in quotes: "${line.slice(open).trim().slice(0, 60)}"`,
    };
  }
  const quoted = /(["'])[^"']*\1\s*$/.exec(before);
  if (quoted !== null) {
    return {
      message: "text follows the closing quote of a value",
      hint:
        quoted[1] === "'" ? "inside single quotes an apostrophe is written twice" : "put the quotes around all of it",
    };
  }
  if (/^[}\]]/.test(text.slice(from))) {
    return { message: `a \`${text[from]}\` that nothing opened`, hint: "remove it, or put the value in quotes" };
  }
  if (/^,/.test(text.slice(from))) return { message: "a value is missing before this comma" };
  return undefined;
}

function ownWords(message: string): string {
  const [first = ""] = message.split("\n");
  const plain = first.replace(/\.$/, "").slice(0, 120);
  return `not valid YAML: ${plain.charAt(0).toLowerCase()}${plain.slice(1)}`;
}
