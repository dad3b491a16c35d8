import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout, from .build/test/support/. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Every page for people, by its path in the checkout. */
export function pages(): readonly string[] {
  const docs = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  const top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].filter((name) => existsSync(join(ROOT, name)));
  return [...top, ...docs.sort().map((name) => `docs/${name}`)];
}

export function textOf(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** Where a page leads to: a path relative to its own, empty for itself, and the anchor of a heading, empty for the whole. */
export interface Link {
  readonly target: string;
  readonly anchor: string;
}

/** Links to other files and to headings; those with a scheme, such as https:, are not among them. */
export function linksOf(markdown: string): readonly Link[] {
  return [...markdown.matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)]
    .map(([, target = "", anchor = ""]) => ({ target, anchor }))
    .filter(({ target }) => !/^[a-z]+:/.test(target));
}

/** A fenced block: ```` ```yaml lb1 lb2 ```` has the language yaml and the words lb1 and lb2 behind it. */
export interface Block {
  readonly language: string;
  readonly words: readonly string[];
  readonly text: string;
  /** The last heading above it, without its marks. */
  readonly heading: string;
}

export function blocksOf(markdown: string): readonly Block[] {
  const found: Block[] = [];
  let heading = "";
  let open: { info: string; lines: string[] } | null = null;
  for (const line of markdown.split("\n")) {
    const fence = /^```(.*)$/.exec(line);
    if (open !== null && fence !== null) {
      const [language = "", ...words] = open.info.trim().split(/\s+/);
      found.push({ language, words, text: open.lines.map((each) => `${each}\n`).join(""), heading });
      open = null;
    } else if (open !== null) open.lines.push(line);
    else if (fence !== null) open = { info: fence[1] ?? "", lines: [] };
    else heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
  }
  return found;
}

/** A service around a fragment that shows only its checks. */
const SERVICE = "services:\n  web:\n    listen: 192.0.2.10:80\n    servers: [10.0.0.11:80]\n";

/** A whole configuration for a block that is one, or is a part of one. */
export function wholeConfig(block: string): string {
  if (/^checks:/m.test(block)) return SERVICE + block.replace(/^/gm, "    ");
  return /^(services|vrrp):/m.test(block) ? block : `${SERVICE}${block}`;
}

/**
 * A command of a `console` block with what the page shows below it. The prompt says where: `lb1# ` as root on lb1, `lb1,lb2# ` on
 * both, `client$ ` without being root; a bare `# ` or `$ ` on any one machine.
 */
export interface ShownCommand {
  readonly hosts: readonly string[];
  readonly isRoot: boolean;
  /** Without a comment behind it, continued lines joined. */
  readonly command: string;
  readonly output: readonly string[];
}

const PROMPT = /^((?:[a-z][a-z0-9]*)(?:,[a-z][a-z0-9]*)*)?([#$]) (.*)$/;

export function commandsOf(block: string): readonly ShownCommand[] {
  const found: { hosts: readonly string[]; isRoot: boolean; command: string; output: string[] }[] = [];
  let continued = false;
  for (const line of block.replace(/\n$/, "").split("\n")) {
    const last = found.at(-1);
    const prompt = PROMPT.exec(line);
    if (continued && last !== undefined) {
      last.command += ` ${line.trim().replace(/\s*\\$/, "")}`;
    } else if (prompt !== null) {
      const [, hosts = "", mark, rest = ""] = prompt;
      // Two spaces and a # begin a comment for the reader.
      const command = rest.replace(/\s{2,}# .*$/, "").replace(/\s*\\$/, "");
      found.push({ hosts: hosts === "" ? [] : hosts.split(","), isRoot: mark === "#", command, output: [] });
    } else if (last !== undefined) last.output.push(line);
    continued = prompt !== null || continued ? line.endsWith("\\") : false;
  }
  return found;
}

/**
 * Whether a program printed what a page shows. Every line must be there, in order and without others between them, except where the page
 * has a line `…`; `…` inside a line stands for anything. Durations and instants may differ.
 * @returns null if so, else the first line that is missing
 */
export function firstMissing(shown: readonly string[], printed: string): string | null {
  const lines = printed.split("\n").map((line) => line.trimEnd());
  const wanted = shown.map((line) => line.trimEnd());
  let from = 0;
  // The first line may stand anywhere only behind a `…`.
  let isFree = false;
  for (const line of wanted) {
    if (line.trim() === "…") {
      isFree = true;
      continue;
    }
    const pattern = patternOf(line);
    const at = lines.findIndex((each, index) => index >= from && pattern.test(each));
    if (at < 0 || (!isFree && at !== from)) return line;
    from = at + 1;
    isFree = false;
  }
  return null;
}

/** 3s, 612 ms, 14:40, 2026-01-02T03:04:05Z: what differs from run to run; columns move with it. */
const CHANGING =
  /(?<![\d.:])\d\d:\d\d(?::\d\d)?\b|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?|\b\d+(?:\.\d+)? ?(?:µs|ms|s|m|h|d)\b/;

function patternOf(line: string): RegExp {
  const parts = line.split(new RegExp(`(…|${CHANGING.source}| {2,})`));
  const source = parts.map((part) => {
    if (part === "…") return ".*";
    if (/^ {2,}$/.test(part)) return " +";
    return new RegExp(`^(?:${CHANGING.source})$`).test(part) ? `(?:${CHANGING.source})` : escapeText(part);
  });
  return new RegExp(`^${source.join("")}$`);
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
