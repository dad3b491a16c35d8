import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DirectorError } from "../base/director-error.ts";
import { ok, type Result } from "../base/result.ts";
import { type ConfigTexts, isConfigTexts } from "../config/config-texts.ts";
import type { StateStore } from "./state-store.ts";

/** A configuration that was applied to be confirmed, or that nobody confirmed. */
export interface Trial {
  /** `waiting`: it is in force until the instant. `reverted`: the one before is in force, whatever the files say. */
  readonly state: "waiting" | "reverted";
  /** The configuration that is gone back to. */
  readonly before: ConfigTexts;
  readonly tried: ConfigTexts;
  /** Wall clock, milliseconds since 1970: when it goes, or went, back. */
  readonly untilMs: number;
  /** How long it may take to confirm it. */
  readonly lengthMs: number;
}

/** Its name in the state directory. */
export const TRIAL_FILE = "reload-trial.json";

const VERSION = 1;

/** The trial that stands, in a file that outlives every process: also one that ends while no daemon runs is ended. */
export class TrialBook {
  readonly #store: StateStore;
  #trial: Trial | null = null;

  constructor(collaborators: { readonly store: StateStore }) {
    this.#store = collaborators.store;
  }

  /** Reads the file. @returns a sentence if it was not of use, otherwise null */
  load(): string | null {
    const file = this.#store.load((value) => (parseTrial(value) === undefined ? "it is no such record" : undefined));
    const lost = "if a reload waited to be confirmed, it now counts as confirmed";
    if (!file.ok) return `the record of a reload to be confirmed cannot be read: ${file.error.message}; ${lost}`;
    if (file.value.type === "damaged") {
      const { reason, movedTo } = file.value;
      return `the record of a reload to be confirmed is damaged (${reason}) and set aside as ${movedTo}; ${lost}`;
    }
    this.#trial = file.value.type === "read" ? (parseTrial(file.value.value) ?? null) : null;
    return null;
  }

  get trial(): Trial | null {
    return this.#trial;
  }

  /** Keeps a trial, or that there is none. Without a file that can be written, what was kept before stands. */
  keep(trial: Trial | null): Result<void, DirectorError> {
    if (trial === null && this.#trial === null) return ok(undefined);
    const saved = this.#store.save(`${JSON.stringify({ version: VERSION, trial })}\n`);
    if (saved.ok) this.#trial = trial;
    return saved;
  }

  /** As `keep`, for what must be so in this process even if the file cannot be written. */
  set(trial: Trial | null): Result<void, DirectorError> {
    const saved = this.keep(trial);
    this.#trial = trial;
    return saved;
  }
}

/** The trial that stands, for somebody who only looks: nothing is set aside. */
export function readTrial(stateDir: string): Trial | null {
  try {
    return parseTrial(JSON.parse(readFileSync(join(stateDir, TRIAL_FILE), "utf8"))) ?? null;
  } catch {
    return null;
  }
}

/** @returns undefined for a value that is no record of this version */
function parseTrial(value: unknown): Trial | null | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { version, trial } = value as Readonly<Record<string, unknown>>;
  if (version !== VERSION) return undefined;
  if (trial === null) return null;
  if (typeof trial !== "object") return undefined;
  const { state, before, tried, untilMs, lengthMs } = trial as Readonly<Record<string, unknown>>;
  if ((state !== "waiting" && state !== "reverted") || !isConfigTexts(before) || !isConfigTexts(tried))
    return undefined;
  if (!isTime(untilMs) || !isTime(lengthMs)) return undefined;
  return { state, before, tried, untilMs, lengthMs };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
