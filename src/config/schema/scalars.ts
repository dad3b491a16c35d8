import { formatDurationUs, parseDurationUs } from "../../base/duration.ts";
import { ok, type Result } from "../../base/result.ts";
import { nearest } from "../nearest.ts";
import { nameShape, notSupported, type Refusal, refuse, scalar, shapeOf } from "./kit.ts";

/** Refuses a value of the wrong type in the same words everywhere. */
export function wrongShape(input: unknown, hint?: string): { readonly ok: false; readonly error: Refusal } {
  const message = input === null ? "has no value" : `cannot be ${nameShape(shapeOf(input))}`;
  return { ok: false, error: { message, code: "wrong-type", hint } };
}

/** A whole number, written without quotes. */
export function integer(
  min: number,
  max: number,
  options: { readonly tooHigh?: string; readonly tooLow?: string } = {},
) {
  return scalar(`a whole number from ${min} to ${max}`, { type: "integer", minimum: min, maximum: max }, (input) => {
    if (typeof input === "string" && /^[+-]?\d+$/.test(input.trim())) {
      return wrongShape(input, `write the number without quotes: ${input.trim().slice(0, 20)}`);
    }
    if (typeof input !== "number") return wrongShape(input);
    if (!Number.isInteger(input)) return refuse("is not a whole number");
    if (input < min) return refuse(`is below ${min}`, options.tooLow);
    if (input > max) return refuse(`is above ${max}`, options.tooHigh);
    return ok(input);
  });
}

const YES_NO: Readonly<Record<string, string>> = {
  yes: "true",
  on: "true",
  true: "true",
  no: "false",
  off: "false",
  false: "false",
};

export function boolean() {
  return scalar("true or false", { type: "boolean" }, (input) => {
    if (typeof input === "boolean") return ok(input);
    const meant = typeof input === "string" ? own(YES_NO, input.toLowerCase()) : undefined;
    return wrongShape(
      input,
      meant === undefined ? undefined : `write ${meant}, without quotes; YAML 1.2 reads yes, no, on and off as text`,
    );
  });
}

/** One of a few words. */
export function choice<const W extends readonly string[]>(
  words: W,
  options: {
    readonly accepts?: string;
    /** Words of later releases, and the sentence that refuses them. */
    readonly later?: Readonly<Record<string, string>>;
    /** Other words that people try, and what to write instead. */
    readonly other?: Readonly<Record<string, string>>;
  } = {},
) {
  const listed = words.map((word) => `\`${word}\``).join(", ");
  const accepts = options.accepts ?? (words.length === 1 ? listed : `one of ${listed}`);
  return scalar(accepts, { type: "string", enum: words }, (input): Result<W[number], Refusal> => {
    if (typeof input !== "string") return wrongShape(input);
    const found = words.find((word) => word === input);
    if (found !== undefined) return ok(found);
    const later = own(options.later, input);
    if (later !== undefined) return notSupported(later);
    const near = nearest(input, words);
    const hint = own(options.other, input) ?? (near === undefined ? undefined : `did you mean \`${near}\`?`);
    return refuse("has an unknown value", hint);
  });
}

/** A property that the table itself has: `constructor` in a file is not a word of ours. */
function own(table: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return table !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}

/** As JSON Schema can tell it from others: its range it cannot. */
const DURATION = "^\\s*\\d{1,12}(\\.\\d{1,6})?(us|ms|s|m|h|d)\\s*$";
const SIZE = "^\\s*\\d{1,10}(B|KiB|MiB)\\s*$";

/**
 * A duration with its unit.
 * @param minUs, maxUs whole microseconds, inclusive
 * @param step the value must be a multiple of it
 */
export function duration(minUs: number, maxUs: number, step?: { readonly us: number; readonly why: string }) {
  const range = `a duration with its unit, from ${formatDurationUs(minUs)} to ${formatDurationUs(maxUs)}`;
  const accepts = step === undefined ? range : `${range}, in steps of ${formatDurationUs(step.us)}`;
  const isInRange = (us: number): boolean => us >= minUs && us <= maxUs && (step === undefined || us % step.us === 0);
  return scalar(accepts, { type: "string", pattern: DURATION }, (input) => {
    const bare = typeof input === "number" ? String(input) : typeof input === "string" ? input.trim() : "";
    if (/^\d{1,12}(\.\d{1,6})?$/.test(bare)) return refuse("has no unit", unitHint(bare, isInRange));
    if (typeof input !== "string") return wrongShape(input);
    const parsed = parseDurationUs(input);
    if (!parsed.ok) {
      return refuse("is not a duration", "write a number and its unit without a space: 500ms, 2s, 1.5s, 5m or 1h");
    }
    if (parsed.value < minUs) return refuse(`is shorter than ${formatDurationUs(minUs)}`);
    if (parsed.value > maxUs) return refuse(`is longer than ${formatDurationUs(maxUs)}`);
    if (step !== undefined && parsed.value % step.us !== 0) {
      const rounded = Math.max(minUs, Math.min(maxUs, Math.round(parsed.value / step.us) * step.us));
      const near = `the nearest is ${formatDurationUs(rounded)}`;
      return refuse(`is not a multiple of ${formatDurationUs(step.us)}`, `${step.why}; ${near}`);
    }
    return ok(parsed.value);
  });
}

/** Proposes units, those only that would be accepted. */
function unitHint(bare: string, isInRange: (us: number) => boolean): string | undefined {
  const written = ["s", "ms"].map((unit) => `${bare}${unit}`);
  const fitting = written.filter((text) => {
    const us = parseDurationUs(text);
    return us.ok && isInRange(us.value);
  });
  return fitting.length === 0 ? undefined : `write ${fitting.join(" or ")}`;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 * 1024 };

/** A number of bytes with its unit. */
export function size(minBytes: number, maxBytes: number) {
  const accepts = `a size with its unit, from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`;
  return scalar(accepts, { type: "string", pattern: SIZE }, (input) => {
    if (typeof input === "number")
      return refuse("has no unit", `write ${formatSize(Math.max(0, Math.trunc(input) || 0))}`);
    if (typeof input !== "string") return wrongShape(input);
    const match = /^(\d{1,10})(B|KiB|MiB)$/.exec(input.trim());
    if (match === null) return refuse("is not a size", "write a whole number and B, KiB or MiB without a space: 64KiB");
    const bytes = Number(match[1]) * (SIZE_UNITS[match[2] ?? ""] ?? 1);
    if (bytes < minBytes) return refuse(`is less than ${formatSize(minBytes)}`);
    if (bytes > maxBytes) return refuse(`is more than ${formatSize(maxBytes)}`);
    return ok(bytes);
  });
}

/** Writes bytes with the largest unit that needs no fraction. */
export function formatSize(bytes: number): string {
  for (const unit of ["MiB", "KiB"] as const) {
    const factor = SIZE_UNITS[unit] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}

/**
 * Text that `check` may look at further; null from `check` accepts it.
 * @param pattern as much of the check as a regular expression can say
 */
export function text(accepts: string, check: (value: string) => Refusal | null, maxLength = 1024, pattern?: RegExp) {
  const json = {
    type: "string",
    minLength: 1,
    maxLength,
    ...(pattern === undefined ? {} : { pattern: pattern.source }),
  };
  return scalar(accepts, json, (input) => {
    if (typeof input === "number" || typeof input === "boolean") {
      return wrongShape(input, "put it in quotes, so that YAML reads it as text");
    }
    if (typeof input !== "string") return wrongShape(input);
    if (input === "") return refuse("is empty");
    if (input.length > maxLength) return refuse(`is longer than ${maxLength} characters`);
    const refusal = check(input);
    if (refusal !== null) return { ok: false, error: refusal };
    return /\p{Cc}/u.test(input) ? refuse("holds a control character, such as a tab or a line break") : ok(input);
  });
}

/** A name as the kernel gives it to network interfaces. */
export function interfaceName() {
  return text(
    "the name of a network interface, at most 15 characters",
    (value) => {
      if (value.includes(":"))
        return { message: "holds a colon", hint: "an alias such as eth0:1 is not an interface; write eth0" };
      if (/[\s/]/.test(value) || value === "." || value === "..") return { message: "is not the name of an interface" };
      return value.length > 15 ? { message: "is longer than the 15 characters of an interface name" } : null;
    },
    64,
    /^[^:\s/]{1,15}$/,
  );
}
