import type { Piece, Role } from "../config/render.ts";

/** One stream that the program prints to. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Of the screen; null, or absent, where it is none. */
  size?(): { readonly columns: number; readonly rows: number } | null;
  /** @returns what ends it */
  onResize?(listener: () => void): () => void;
  /** Around a stop by Ctrl-Z: the terminal is given back before, and taken again after. @returns what ends it */
  onSuspend?(use: { leave(): void; enter(): void }): () => void;
}

/** What a command needs from its surroundings. */
export interface Terminal {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Paints words; identity where the output is no terminal. */
export interface WordPaint {
  good(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
  strong(text: string): string;
}

const ESCAPE = "\u001b[";
const RESET = `${ESCAPE}0m`;

/** Colours by meaning; a role without an entry is printed as it is. */
const COLOURS: Readonly<Partial<Record<Role, string>>> = {
  location: "1",
  error: "1;31",
  warning: "1;33",
  message: "1",
  gutter: "34",
  caret: "1;31",
  label: "36",
};

/** Text from outside (a server's answer, a script's error) may not move the cursor. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/** Colour only for people: on a terminal that can, and not against their will (https://no-color.org). */
export function wantsColour(output: Output, env: Terminal["env"]): boolean {
  return output.isTerminal && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
}

export function paint(lines: readonly (readonly Piece[])[], inColour: boolean): string {
  return lines.map((pieces) => pieces.map((piece) => paintPiece(piece, inColour)).join("")).join("\n");
}

function paintPiece({ role, text }: Piece, inColour: boolean): string {
  const colour = inColour ? COLOURS[role] : undefined;
  return colour === undefined || text === "" ? text : `${ESCAPE}${colour}m${text}${RESET}`;
}

/** Words painted by meaning; as they are where colour is not wanted. */
export function paintsFor({ out, env }: Terminal): WordPaint {
  const inColour = wantsColour(out, env);
  const painter = (colour: string) => (text: string) => (inColour ? `${ESCAPE}${colour}m${text}${RESET}` : text);
  return { good: painter("32"), bad: painter("1;31"), dim: painter("2"), strong: painter("1") };
}
