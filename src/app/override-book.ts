import { formatEndpoint, parseEndpoint } from "../base/endpoint.ts";
import { isExpired, type Override } from "../health/overrides.ts";
import type { Logger } from "../ports/logger.ts";
import type { ServerOverride } from "./messages.ts";
import type { Target } from "./override-targets.ts";
import type { StateStore } from "./state-store.ts";

/** An override as it is kept. */
export interface KeptOverride extends ServerOverride {
  /** Whether its end was ordered as a length of time. */
  readonly isUntilLength: boolean;
  /** Since when the configuration has no such server; null = it has. */
  readonly absentSinceMs: number | null;
}

/** Its name in the state directory. */
export const OVERRIDES_FILE = "overrides.json";

const VERSION = 1;

/** The overrides that stand, in a file that outlives every process. */
export class OverrideBook {
  readonly #store: StateStore;
  readonly #logger: Logger;
  /** By service and server; bounded by the configured servers and MAX_ABSENT of the desk. */
  readonly #kept = new Map<string, KeptOverride>();

  constructor(collaborators: { readonly store: StateStore; readonly logger: Logger }) {
    this.#store = collaborators.store;
    this.#logger = collaborators.logger;
  }

  /** Reads the file. Never fails: without a usable one nothing is overridden, and a warning says what that means. */
  load(): void {
    const file = this.#store.load((value) => (parseBook(value) === null ? "it is not such a list" : undefined));
    if (!file.ok) {
      this.#warn(`the list of overrides cannot be read: ${file.error.message}; ${LOST}`);
    } else if (file.value.type === "damaged") {
      const { reason, movedTo } = file.value;
      this.#warn(`the list of overrides is damaged (${reason}) and set aside as ${movedTo}; ${LOST}`);
    } else if (file.value.type === "read") {
      for (const kept of parseBook(file.value.value) ?? []) this.set(kept);
    }
  }

  /** @returns null, or a sentence: the overrides stand, and would not survive a restart */
  save(): string | null {
    const saved = this.#store.save(`${JSON.stringify({ version: VERSION, overrides: [...this.#kept.values()] })}\n`);
    if (saved.ok) return null;
    const problem = `overrides cannot be saved: ${saved.error.message}; they stand, and a restart would lose them`;
    this.#warn(problem);
    return problem;
  }

  get(target: Target): KeptOverride | undefined {
    return this.#kept.get(keyOf(target));
  }

  set(kept: KeptOverride): void {
    this.#kept.set(keyOf(kept), kept);
  }

  delete(target: Target): void {
    this.#kept.delete(keyOf(target));
  }

  all(): readonly KeptOverride[] {
    return [...this.#kept.values()];
  }

  get size(): number {
    return this.#kept.size;
  }

  #warn(message: string): void {
    this.#logger.log({ level: "warning", source: "supervisor", message });
  }
}

const LOST =
  "drains, disabled servers and weights that were set are forgotten, and their servers serve as their checks say";

function keyOf({ service, server }: Target): string {
  return `${service} ${server}`;
}

/**
 * What stands, for who only looks at the file, by service and server.
 * @throws whatever is wrong with the text, as an error
 */
export function overridesNow(text: string, nowMs: number): ReadonlyMap<string, Override> {
  const kept = parseBook(JSON.parse(text)) ?? [];
  return new Map(kept.filter(({ override }) => !isExpired(override, nowMs)).map((one) => [keyOf(one), one.override]));
}

/** @returns null for a value that is no list of this version */
export function parseBook(value: unknown): readonly KeptOverride[] | null {
  if (!isObject(value) || value.version !== VERSION || !Array.isArray(value.overrides)) return null;
  return value.overrides.every(isKept) ? value.overrides : null;
}

function isKept(value: unknown): value is KeptOverride {
  if (!isObject(value)) return false;
  const { service, server, isUntilLength, absentSinceMs, override } = value;
  if (typeof service !== "string" || typeof server !== "string" || typeof isUntilLength !== "boolean") return false;
  const endpoint = parseEndpoint(server);
  return (
    endpoint.ok && formatEndpoint(endpoint.value) === server && isInstant(absentSinceMs, true) && isOverride(override)
  );
}

function isOverride(value: unknown): value is Override {
  if (!isObject(value)) return false;
  const { type, sinceMs, untilMs, reason, by } = value;
  if (!isInstant(sinceMs) || !isInstant(untilMs, true) || typeof by !== "string") return false;
  if (reason !== null && typeof reason !== "string") return false;
  if (type === "disable") return true;
  if (type === "weight") return isCount(value.weight) && value.weight <= 65_535;
  if (type !== "drain" || !isInstant(value.deadlineMs, true)) return false;
  const { drained } = value;
  return drained === null || (isObject(drained) && isInstant(drained.atMs) && isCount(drained.cut));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Milliseconds since 1970. */
function isInstant(value: unknown, isOptional = false): boolean {
  return (isOptional && value === null) || (typeof value === "number" && Math.abs(value) <= MAX_DATE_MS);
}

/** What a Date can hold. */
const MAX_DATE_MS = 8.64e15;
