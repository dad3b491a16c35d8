/** One question to a target and its answer, for a probe. Never throws. */
export interface Asker {
  /**
   * Asks, and waits for as long as the caller does.
   * @param id grows by one with each question
   * @param done told once how it ended, after this call has returned: `null` = answered, otherwise why not; not after `forget`
   */
  ask(id: number, done: (failure: string | null) => void): Question;
  close(): void;
}

/** A question under way. */
export interface Question {
  /** Nobody waits for the answer any more. */
  forget(): void;
}
