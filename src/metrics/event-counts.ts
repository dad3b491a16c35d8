import type { EventFacts, EventType, LogEntry, Logger } from "../ports/logger.ts";

/**
 * Kinds of event whose end is one of a few words. Anything else counts as `other`, so that the words of a log line can never
 * become an endless number of series.
 */
const OUTCOMES = {
  reload: ["applied", "incomplete", "unchanged", "refused", "failed", "on trial", "confirmed", "undone"],
  drill: ["passed", "failed", "refused"],
  schedule: ["started", "done", "failed", "missed"],
} as const satisfies Partial<Record<EventType, readonly string[]>>;

export type Outcomes = keyof typeof OUTCOMES;

export interface OutcomeCount {
  readonly outcome: string;
  readonly count: number;
  /** Seconds since 1970, also of earlier runs as far as events reach; null = never. */
  readonly lastAt: number | null;
}

/** What the log said happened, counted. */
export interface EventTally {
  count(type: EventType): number;
  /** Every outcome that there is, also those that never came. */
  outcomes(type: Outcomes): readonly OutcomeCount[];
  /** The last one; null = there was none since the daemon started. */
  last(type: Outcomes): OutcomeCount | null;
}

/** Counts the changes of state that go through the log: no part of holdfast has to know that it is counted. */
export class EventCounts implements EventTally {
  readonly #wallMs: () => number;
  /** Bounded by the types. */
  readonly #counts = new Map<EventType, number>();
  /** Bounded by the types and their outcomes. */
  readonly #outcomes = new Map<string, OutcomeCount>();
  readonly #last = new Map<Outcomes, OutcomeCount>();

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** A logger whose lines are counted on their way. */
  tee(logger: Logger): Logger {
    return {
      log: (entry: LogEntry) => {
        if (entry.event !== undefined) this.take(entry.event);
        logger.log(entry);
      },
    };
  }

  take({ type, to }: EventFacts): void {
    this.#counts.set(type, this.count(type) + 1);
    if (!hasOutcomes(type)) return;
    const outcome = outcomeOf(type, to);
    const key = `${type} ${outcome}`;
    const count = (this.#outcomes.get(key)?.count ?? 0) + 1;
    const counted = { outcome, count, lastAt: this.#wallMs() / 1000 };
    this.#outcomes.set(key, counted);
    this.#last.set(type, counted);
  }

  /** When earlier runs of the daemon came to an outcome: told with `lastAt`, and not counted. Oldest first. */
  recall(events: readonly (Pick<EventFacts, "type" | "to"> & { readonly at: string })[]): void {
    for (const { type, to, at } of events) {
      if (!hasOutcomes(type)) continue;
      const outcome = outcomeOf(type, to);
      const key = `${type} ${outcome}`;
      const count = this.#outcomes.get(key)?.count ?? 0;
      if (count === 0) this.#outcomes.set(key, { outcome, count, lastAt: Date.parse(at) / 1000 });
    }
  }

  count(type: EventType): number {
    return this.#counts.get(type) ?? 0;
  }

  outcomes(type: Outcomes): readonly OutcomeCount[] {
    return [...OUTCOMES[type], "other"].map(
      (outcome) => this.#outcomes.get(`${type} ${outcome}`) ?? { outcome, count: 0, lastAt: null },
    );
  }

  last(type: Outcomes): OutcomeCount | null {
    return this.#last.get(type) ?? null;
  }
}

function outcomeOf(type: Outcomes, to: string | null): string {
  const known: readonly (string | null)[] = OUTCOMES[type];
  return to !== null && known.includes(to) ? to : "other";
}

function hasOutcomes(type: EventType): type is Outcomes {
  return type in OUTCOMES;
}
