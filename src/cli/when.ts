import { parseDurationUs } from "../base/duration.ts";
import { err, ok, type Result } from "../base/result.ts";

const TIME = /^(\d{1,2}):(\d{2})$/;
const DATE = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * Reads when something ends, as people say it: `2h`, `18:00` (the next time that the clock shows that), `2026-11-27`,
 * `2026-11-27 18:00`, `2026-11-27T18:00Z`. Without a zone it is the time of this machine.
 * @returns what the control API takes: a length of time as it is, or an instant with its zone
 */
export function parseWhen(text: string, now: Date): Result<string, string> {
  const length = parseDurationUs(text);
  if (length.ok) return length.value === 0 ? err("a length of time is longer than 0") : ok(text.trim());
  const instant = readInstant(text.trim(), now);
  if (instant === null || Number.isNaN(instant.getTime()))
    return err("expected a length of time such as 2h, or a time such as 18:00 or 2026-11-27 18:00");
  if (instant <= now) return err("that is over already");
  return ok(instant.toISOString());
}

function readInstant(text: string, now: Date): Date | null {
  const [, hour, minute] = TIME.exec(text) ?? [];
  if (hour !== undefined && minute !== undefined) {
    if (Number(hour) > 23 || Number(minute) > 59) return null;
    const next = new Date(now);
    next.setHours(Number(hour), Number(minute), 0, 0);
    if (next <= now) next.setDate(next.getDate() + 1);
    return next;
  }
  if (INSTANT.test(text)) return new Date(text.replace(" ", "T"));
  // A date alone would be read as UTC.
  if (DATE.test(text)) return new Date(text.length === 10 ? `${text}T00:00` : text.replace(" ", "T"));
  return null;
}

/** `18:00`, or with its date where that is another day, in the time of this machine. */
export function localTime(iso: string, now: Date): string {
  const at = new Date(iso);
  const two = (number: number) => String(number).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}
