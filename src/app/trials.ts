import { formatDurationUs, MICROSECONDS_PER_MILLISECOND } from "../base/duration.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type ConfigTexts, isSameTexts } from "../config/config-texts.ts";
import type { ConfirmAnswer, ControlError } from "../control/status.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { reloadEvent } from "./event-facts.ts";
import type { TrialBook } from "./trial-book.ts";

/** Going back that did not work is tried again after this long. */
const AGAIN_MS = 60_000;

export interface TrialsCollaborators {
  readonly book: TrialBook;
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  /** The time is over. */
  onOver(cause: string): void;
}

/** A reload that undoes itself unless somebody confirms it: until when, and what is gone back to. */
export class Trials {
  readonly #with: TrialsCollaborators;
  readonly #alarm: Alarm;

  constructor(collaborators: TrialsCollaborators) {
    this.#with = collaborators;
    this.#alarm = collaborators.alarms.create(() => {
      const { trial } = collaborators.book;
      if (trial?.state === "waiting") collaborators.onOver(`nobody confirmed it within ${lengthOf(trial.lengthMs)}`);
    });
  }

  /** Takes up what stood when the daemon ended. @param wentBack why the start did not take the files; null = it did */
  open(wentBack: string | null): void {
    if (wentBack !== null) {
      const message = `started with the configuration before the last reload: ${wentBack}; ${WHAT_NOW}`;
      this.#say("warning", message, reloadEvent("undone", wentBack));
    }
    const { trial } = this.#with.book;
    if (trial?.state !== "waiting") return;
    this.#arm(Math.min(trial.untilMs - this.#with.clock.wallMs(), trial.lengthMs));
    this.#say("notice", `the configuration is to be confirmed until ${isoOf(trial.untilMs)} (\`holdfast confirm\`)`);
  }

  /** Until when the configuration in force is to be confirmed; null = it need not be. */
  get confirmBy(): string | null {
    const { trial } = this.#with.book;
    return trial?.state === "waiting" ? isoOf(trial.untilMs) : null;
  }

  /** What was tried, where nobody confirmed it and the configuration before is in force again. */
  get rejected(): ConfigTexts | null {
    const { trial } = this.#with.book;
    return trial?.state === "reverted" ? trial.tried : null;
  }

  /** What to go back to; null = there is nothing to confirm. */
  get before(): ConfigTexts | null {
    const { trial } = this.#with.book;
    return trial?.state === "waiting" ? trial.before : null;
  }

  /**
   * Before a configuration is applied on trial. One that waits already keeps what it goes back to, and gets the new time.
   * @returns a refusal if it could not be kept: then it would not be undone after a restart
   */
  begin(present: ConfigTexts, tried: ConfigTexts, lengthMs: number): Result<void, ControlError> {
    const untilMs = this.#with.clock.wallMs() + lengthMs;
    const kept = this.#with.book.keep({ state: "waiting", before: this.before ?? present, tried, untilMs, lengthMs });
    if (!kept.ok) {
      const message = `the configuration before cannot be kept, so it could not be gone back to; nothing was changed: ${kept.error.message}`;
      return err({ code: kept.error.code, message });
    }
    this.#arm(lengthMs);
    const what = `to be confirmed until ${isoOf(untilMs)}`;
    this.#say("notice", `the configuration is on trial: ${what} (\`holdfast confirm\`)`, reloadEvent("on trial", what));
    return ok(undefined);
  }

  /** Before another configuration is applied: while one waits, it is on trial in its place; otherwise a trial is over. */
  follow(tried: ConfigTexts): void {
    const { trial } = this.#with.book;
    if (trial === null || isSameTexts(trial.tried, tried)) return;
    if (trial.state === "waiting") this.#keep({ ...trial, tried });
  }

  /** A reload took the files as they are: what nobody confirmed is wanted after all, or gone. */
  taken(): void {
    if (this.#with.book.trial?.state === "reverted") this.#keep(null);
  }

  /** Ends the trial: the configuration in force stays. */
  confirm(): Result<ConfirmAnswer, ControlError> {
    if (this.before === null) return err(NOTHING_WAITS);
    this.#alarm.disarm();
    this.#keep(null);
    this.#say("notice", "the configuration is confirmed", reloadEvent("confirmed", "by `holdfast confirm`"));
    return ok({ state: "confirmed" });
  }

  /** Before going back: from here on a restart does so as well. */
  reverting(): void {
    this.#alarm.disarm();
    const { trial } = this.#with.book;
    if (trial !== null) this.#keep({ ...trial, state: "reverted" });
  }

  reverted(cause: string): void {
    const message = `went back to the configuration before the last reload: ${cause}; ${WHAT_NOW}`;
    this.#say("warning", message, reloadEvent("undone", cause));
  }

  /** Going back did not work: the configuration on trial goes on for now. */
  stuck(why: string): void {
    this.#arm(AGAIN_MS);
    const message = `the configuration before cannot be gone back to: ${why}; tried again in ${lengthOf(AGAIN_MS)}`;
    this.#say("error", message, reloadEvent("failed", message));
  }

  stop(): void {
    this.#alarm.disarm();
  }

  #arm(inMs: number): void {
    this.#alarm.arm(this.#with.clock.nowUs() + Math.max(0, inMs) * MICROSECONDS_PER_MILLISECOND);
  }

  #keep(trial: TrialBook["trial"]): void {
    const kept = this.#with.book.set(trial);
    if (!kept.ok)
      this.#say("warning", `what became of the reload cannot be kept over a restart: ${kept.error.message}`);
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    const entry = { level, source: "supervisor", message };
    this.#with.logger.log(event === undefined ? entry : { ...entry, event });
  }
}

export const NOTHING_WAITS: ControlError = {
  code: "CONTROL_REFUSED",
  message:
    "no reload waits to be confirmed: it was confirmed or undone before, or `reload` was run without --confirm; `holdfast events --type reload` says which",
};

const WHAT_NOW = "the files are as they were edited; correct them and reload, or reload to apply them after all";

function lengthOf(ms: number): string {
  return formatDurationUs(ms * MICROSECONDS_PER_MILLISECOND);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
