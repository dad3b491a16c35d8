import type { Output } from "./terminal.ts";

const ESCAPE = "\u001b[";
/** Another screen, so that what stood there comes back; no cursor; lines that are too long end at the edge. */
const ENTER = `${ESCAPE}?1049h${ESCAPE}?25l${ESCAPE}?7l`;
const LEAVE = `${ESCAPE}?7h${ESCAPE}?25h${ESCAPE}?1049l`;
const HOME = `${ESCAPE}H`;
const CLEAR_LINE = `${ESCAPE}K`;
const CLEAR_BELOW = `${ESCAPE}J`;

/** A whole screen that is drawn again and again in place. */
export class Screen {
  readonly #output: Output;
  #isOpen = false;

  constructor(output: Output) {
    this.#output = output;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#output.write(ENTER);
  }

  /** Gives the terminal back as it was. May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#output.write(LEAVE);
  }

  /** As after a stop of the process: whoever had the terminal meanwhile may have left any screen. */
  reopen(): void {
    this.#isOpen = false;
    this.open();
  }

  /** Nothing where it is not open. @param text lines; those for which the screen is too short are counted in the last one */
  draw(text: string): void {
    if (!this.#isOpen) return;
    const rows = this.#output.size?.()?.rows ?? Number.POSITIVE_INFINITY;
    const lines = text.replace(/\n$/, "").split("\n");
    const room = Math.max(1, rows);
    const hidden = lines.length - (room - 1);
    const shown =
      lines.length <= room ? lines : [...lines.slice(0, room - 1), `${hidden} more lines: this window is too short`];
    // Cleared before it is written: behind a line as wide as the screen the cursor stands on its last letter.
    const below = shown.length < rows ? `\r\n${CLEAR_BELOW}` : "";
    this.#output.write(HOME + shown.map((line) => CLEAR_LINE + line).join("\r\n") + below);
  }
}
