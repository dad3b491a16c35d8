import type { ScheduleStatus } from "../control/status.ts";
import type { StateStore } from "./state-store.ts";

/** Runs in a row. */
export interface DueRuns {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Whether there were not more than that. */
  readonly isAll: boolean;
}

/** What is kept of a schedule. */
export interface KeptSchedule {
  readonly cron: string;
  readonly timezone: string | null;
  /** The next runs, milliseconds since 1970. */
  readonly due: readonly number[];
  readonly missed: ScheduleStatus["missed"];
}

const VERSION = 1;

/** The runs to come, in the state directory: a daemon that starts later sees which of them nobody made. */
export class DueStore {
  readonly #store: StateStore;
  readonly #complain: (sentence: string) => void;
  #last = "";

  constructor(store: StateStore, complain: (sentence: string) => void) {
    this.#store = store;
    this.#complain = complain;
  }

  load(): ReadonlyMap<string, KeptSchedule> {
    const file = this.#store.load(problemOf);
    if (!file.ok) {
      this.#complain(`runs that may have been missed are not known: ${file.error.message}`);
      return new Map();
    }
    if (file.value.type === "damaged")
      this.#complain(
        `runs that may have been missed are not known: the file was damaged (${file.value.reason}) and set aside as ${file.value.movedTo}`,
      );
    if (file.value.type !== "read") return new Map();
    const { schedules } = file.value.value as { readonly schedules: Readonly<Record<string, KeptSchedule>> };
    return new Map(Object.entries(schedules));
  }

  save(schedules: ReadonlyMap<string, KeptSchedule>): void {
    const text = `${JSON.stringify({ version: VERSION, schedules: Object.fromEntries(schedules) })}\n`;
    if (text === this.#last) return;
    const saved = this.#store.save(text);
    if (saved.ok) this.#last = text;
    else this.#complain(`a run that is missed later may not be noticed: ${saved.error.message}`);
  }
}

function problemOf(value: unknown): string | undefined {
  const { version, schedules } = Object(value) as Partial<Record<string, unknown>>;
  if (version !== VERSION) return `of version ${String(version)}`;
  if (typeof schedules !== "object" || schedules === null) return "no schedules";
  const areWhole = Object.values(schedules).every((kept: unknown) => {
    const { cron, due, missed } = Object(kept) as Partial<Record<string, unknown>>;
    const isDue = Array.isArray(due) && due.every((ms) => Number.isSafeInteger(ms));
    return typeof cron === "string" && isDue && (missed === null || typeof Object(missed).count === "number");
  });
  return areWhole ? undefined : "an incomplete schedule";
}
