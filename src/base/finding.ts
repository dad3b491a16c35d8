/** `error`: something does not work, or will not when it is needed. `warning`: it works, and may not for long. */
export type FindingSeverity = "error" | "warning";

/** Something that a person should know about a machine, and what they can do about it. */
export interface Finding {
  /** Stable, for programs and for the page that explains it: `rp-filter-strict`. */
  readonly id: string;
  readonly severity: FindingSeverity;
  /** One sentence without a full stop: what was found, with names and values. */
  readonly title: string;
  /** What that means for the clients, in a sentence or two. */
  readonly meaning: string;
  /** The command that mends it, or a sentence that says what to do. */
  readonly remedy: string;
}
