import type { JournalEvent } from "../control/events.ts";
import { printable, type WordPaint } from "./terminal.ts";

/** Subjects are aligned up to this width; longer ones push their line. */
const MAX_SUBJECT_WIDTH = 40;

/** Writes events for people, one line each: when, what, from what to what, why. Subjects stay aligned as they come. */
export class EventLines {
  readonly #paint: WordPaint;
  readonly #timeZone: string | undefined;
  #width = 0;

  /** @param timeZone IANA name; absent = the machine's */
  constructor(paint: WordPaint, timeZone?: string) {
    this.#paint = paint;
    this.#timeZone = timeZone;
  }

  render(events: readonly JournalEvent[]): string {
    for (const { subject } of events) this.#width = Math.max(this.#width, Math.min(subject.length, MAX_SUBJECT_WIDTH));
    return events.map((event) => `${this.#line(event)}\n`).join("");
  }

  #line(event: JournalEvent): string {
    const { at, subject, cause } = event;
    const parts = [this.#paint.dim(this.#time(at)), printable(subject).padEnd(this.#width), this.#change(event)];
    return [...parts, this.#paint.dim(printable(cause))].filter((part) => part !== "").join("  ");
  }

  #change({ from, to, level }: JournalEvent): string {
    const isBad = level === "error" || level === "warning";
    const painted = (text: string) => (isBad ? this.#paint.bad(printable(text)) : this.#paint.strong(printable(text)));
    if (from === null) return to === null ? "" : painted(to);
    return `${printable(from)} -> ${painted(to ?? "gone")}`;
  }

  /** `2026-01-31 04:00:00.123`, as clocks on the wall show it. */
  #time(iso: string): string {
    const at = new Date(iso);
    const format = new Intl.DateTimeFormat("sv-SE", {
      dateStyle: "short",
      timeStyle: "medium",
      ...(this.#timeZone === undefined ? {} : { timeZone: this.#timeZone }),
    });
    return `${format.format(at)}.${String(at.getUTCMilliseconds()).padStart(3, "0")}`;
  }
}
