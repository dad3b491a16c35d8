import type { ConfigProblem, Location } from "./problem.ts";

/** What a piece of a rendered line is, for whoever wants to colour it. */
export type Role = "location" | "error" | "warning" | "message" | "gutter" | "source" | "caret" | "label" | "note";

export interface Piece {
  readonly role: Role;
  readonly text: string;
}

export function formatLocation({ file, line, column }: Location): string {
  return `${file}:${line}:${column}`;
}

/**
 * A problem as a good compiler prints it:
 *
 *     /etc/holdfast/holdfast.yaml:5:13: error: `vrid` cannot be text
 *        |
 *      5 |       vrid: "51"
 *        |             ^^^^
 *        = key: vrrp.instances.web4.vrid
 *        = expected: a whole number from 1 to 255
 *        = help: write the number without quotes: 51
 *
 * @returns lines of pieces; joined they are plain text
 */
export function renderPieces(problem: ConfigProblem): readonly (readonly Piece[])[] {
  const number = String(problem.location.line);
  const margin = " ".repeat(Math.max(3, number.length));
  const bar: Piece = { role: "gutter", text: `${margin} |` };
  const lines: Piece[][] = [
    [
      { role: "location", text: `${formatLocation(problem.location)}: ` },
      { role: problem.severity, text: `${problem.severity}: ` },
      { role: "message", text: problem.message },
    ],
    [bar],
    [
      { role: "gutter", text: `${number.padStart(margin.length)} |` },
      { role: "source", text: problem.excerpt.text === "" ? "" : ` ${problem.excerpt.text}` },
    ],
    [bar, { role: "caret", text: ` ${" ".repeat(problem.excerpt.caretAt)}${"^".repeat(problem.excerpt.caretLength)}` }],
  ];
  const note = (label: string, text: string): void => {
    lines.push([
      { role: "gutter", text: `${margin} = ` },
      { role: "label", text: `${label}: ` },
      { role: "note", text },
    ]);
  };
  if (problem.keyPath !== "") note("key", problem.keyPath);
  if (problem.expected !== null) note("expected", problem.expected);
  if (problem.hint !== null) note("help", problem.hint);
  for (const { message, location } of problem.related) note(message, formatLocation(location));
  return lines;
}

/** A problem as plain text, without a line break at the end. */
export function renderProblem(problem: ConfigProblem): string {
  return renderPieces(problem)
    .map((pieces) => pieces.map(({ text }) => text).join(""))
    .join("\n");
}

/** "2 errors, 1 warning". */
export function countProblems(problems: readonly ConfigProblem[]): string {
  const count = (severity: string): string | null => {
    const n = problems.filter((problem) => problem.severity === severity).length;
    return n === 0 ? null : `${n} ${severity}${n === 1 ? "" : "s"}`;
  };
  return [count("error"), count("warning")].filter((part) => part !== null).join(", ") || "no problems";
}
