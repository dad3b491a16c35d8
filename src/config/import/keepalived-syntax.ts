/** A statement of keepalived.conf: its words, and what stands in its braces. */
export interface Statement {
  readonly words: readonly string[];
  /** Counted from 1. */
  readonly line: number;
  /** null = no braces. */
  readonly body: readonly Statement[] | null;
}

export interface Syntax {
  readonly statements: readonly Statement[];
  /** What is wrong with the braces, and where; null = nothing. */
  readonly problem: { readonly line: number; readonly message: string } | null;
}

/** Deeper than any file that keepalived reads. */
const MAX_DEPTH = 16;

/**
 * Reads statements: a line is one, and `{` at its end opens a body. Comments begin with `#` or `!`.
 * @see keepalived.conf(5)
 */
export function parseKeepalived(text: string): Syntax {
  const top: Statement[] = [];
  const open: { readonly list: Statement[]; readonly line: number }[] = [{ list: top, line: 0 }];
  const lines = text.split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = index + 1;
    let words: string[] = [];
    const finish = (body: Statement[] | null): void => {
      if (words.length > 0 || body !== null) open.at(-1)?.list.push({ words, line, body });
      words = [];
    };
    for (const token of tokensOf(raw)) {
      if (token === "{") {
        if (open.length > MAX_DEPTH) return { statements: top, problem: { line, message: "the braces are too deep" } };
        const body: Statement[] = [];
        // A brace on a line of its own belongs to the statement above.
        const above = words.length === 0 ? open.at(-1)?.list.pop() : undefined;
        if (above !== undefined) words = [...above.words];
        finish(body);
        open.push({ list: body, line });
      } else if (token === "}") {
        finish(null);
        if (open.length === 1) return { statements: top, problem: { line, message: "this brace closes nothing" } };
        open.pop();
      } else words.push(unquoted(token));
    }
    finish(null);
  }
  const unclosed = open.length > 1 ? open.at(-1) : undefined;
  return {
    statements: top,
    problem: unclosed === undefined ? null : { line: unclosed.line, message: "this brace is not closed" },
  };
}

function tokensOf(line: string): readonly string[] {
  const found: string[] = [];
  for (const [token] of line.matchAll(/"(?:[^"\\]|\\.)*"|'[^']*'|[{}]|[#!].*|[^\s{}"'#!][^\s{}]*/g)) {
    if (/^[#!]/.test(token)) break;
    found.push(token);
  }
  return found;
}

function unquoted(token: string): string {
  const match = /^(["'])(.*)\1$/s.exec(token);
  return match === null ? token : (match[2] ?? "").replaceAll('\\"', '"');
}
