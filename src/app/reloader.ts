import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import { changedKeys, type InstanceKeys } from "../config/keys.ts";
import type { DirectorConfig } from "../config/model.ts";
import type { ControlError, ReloadReport } from "../control/status.ts";
import type { KernelPlan } from "../plan/model.ts";
import { stepLines, summaryLine } from "../plan/text.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { reloadEvent } from "./event-facts.ts";
import type { CheckerReply } from "./messages.ts";

/** A configuration as loaded. */
export interface LoadedConfig {
  readonly config: DirectorConfig;
  readonly keys: InstanceKeys;
  /** Located warnings, ready to print. */
  readonly warnings: readonly string[];
}

/** What became of a configuration that was handed to the children. */
export type ApplyOutcome = Result<CheckerReply, ControlError>;

export interface ReloaderOptions {
  /** For messages. */
  readonly file: string;
}

export interface ReloaderCollaborators {
  readonly logger: Logger;
  /** Reads and validates the configuration file anew; problems come as one text. */
  load(): Result<LoadedConfig, string>;
  /** What is in force. */
  present(): Pick<LoadedConfig, "config" | "keys">;
  isStopping(): boolean;
  /** What applying it would change in the kernel; `configuration` = what differs from what is in force. */
  plan(next: DirectorConfig, configuration: readonly string[]): Promise<Result<KernelPlan, ControlError>>;
  apply(next: LoadedConfig): Promise<ApplyOutcome>;
  /** What a reload changes, one line each. */
  diff(before: DirectorConfig, after: DirectorConfig): readonly string[];
  onBegin(): void;
  /** Whatever came of it. */
  onEnd(): void;
}

/** Changes of a plan that are logged; `reload` and `plan` print all. */
const MAX_PLAN_LINES = 50;

/** Replaces the configuration of a running daemon. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #with: ReloaderCollaborators;
  #underWay: Promise<Result<ReloadReport, ControlError>> | null = null;
  /** The reload after the one under way; everyone who asks meanwhile gets its answer. */
  #next: Promise<Result<ReloadReport, ControlError>> | null = null;

  constructor(options: ReloaderOptions, collaborators: ReloaderCollaborators) {
    this.#options = options;
    this.#with = collaborators;
  }

  /**
   * Validates the file, then applies it; a broken one changes nothing. One reload at a time: the one under way may have read
   * the file before the asker changed it, so another follows.
   */
  reload(): Promise<Result<ReloadReport, ControlError>> {
    if (this.#underWay !== null) {
      this.#next ??= this.#underWay.then(() => {
        this.#next = null;
        return this.reload();
      });
      return this.#next;
    }
    this.#underWay = this.#reload()
      .catch((thrown: unknown) => {
        const remedy = thrown instanceof DirectorError ? ` ${thrown.remedy}` : "";
        this.#say("error", `${messageOf(thrown)}.${remedy}`);
        return err({ code: "OWN_FAULT", message: messageOf(thrown) });
      })
      .finally(() => {
        this.#underWay = null;
      });
    return this.#underWay;
  }

  async #reload(): Promise<Result<ReloadReport, ControlError>> {
    if (this.#with.isStopping()) return err({ code: "CONTROL_REFUSED", message: "the director is stopping" });
    this.#with.onBegin();
    try {
      const loaded = this.#with.load();
      return loaded.ok ? await this.#take(loaded.value) : this.#refuse(loaded.error);
    } finally {
      this.#with.onEnd();
    }
  }

  #refuse(problems: string): Result<never, ControlError> {
    const first = problems.split("\n", 1)[0] ?? "";
    this.#say(
      "error",
      `reload refused, nothing changed: ${first} (holdfast check ${this.#options.file} shows all)`,
      reloadEvent("refused", first),
    );
    return err({
      code: "CONFIG_INVALID",
      message: "the configuration has errors; nothing was changed",
      details: problems,
    });
  }

  async #take(loaded: LoadedConfig): Promise<Result<ReloadReport, ControlError>> {
    const { config, warnings } = loaded;
    const changes = this.#changes(loaded);
    const plan = await this.#with.plan(config, changes);
    this.#sayPlan(plan);
    for (const warning of warnings) this.#say("warning", warning);
    const applied = await this.#with.apply(loaded);
    if (!applied.ok) {
      this.#say("error", `reload: ${applied.error.message}`, reloadEvent("failed", applied.error.message));
      return applied;
    }
    if (changes.length === 0)
      this.#say(
        "notice",
        "reloaded: the configuration is unchanged",
        reloadEvent("unchanged", "the configuration is as it was"),
      );
    else this.#say("notice", `reloaded: ${changes.join("; ")}`, reloadEvent("applied", changes.join("; ")));
    const { remaining } = applied.value;
    for (const sentence of remaining) this.#say("error", `reload: ${sentence}`, reloadEvent("incomplete", sentence));
    return ok({
      plan: plan.ok ? plan.value : null,
      changes: [...changes, ...applied.value.changes],
      remaining,
      warnings,
    });
  }

  /** What `holdfast plan` says of the file as it is now. */
  async plan(): Promise<Result<KernelPlan, ControlError>> {
    const loaded = this.#with.load();
    if (!loaded.ok)
      return err({ code: "CONFIG_INVALID", message: "the configuration has errors", details: loaded.error });
    return this.#with.plan(loaded.value.config, this.#changes(loaded.value));
  }

  #changes({ config, keys }: LoadedConfig): readonly string[] {
    const before = this.#with.present();
    const rekeyed = changedKeys(before.keys, keys).map((name) => `instance ${name}: contents of the keys changed`);
    return [...this.#with.diff(before.config, config), ...rekeyed];
  }

  /** The plan before it is carried out. Without one the reload goes on: who meets what stands in the way tells it. */
  #sayPlan(plan: Result<KernelPlan, ControlError>): void {
    if (!plan.ok) {
      this.#say("warning", `reload: ${plan.error.message}`);
      return;
    }
    const lines = stepLines(plan.value);
    for (const line of lines.slice(0, MAX_PLAN_LINES)) this.#say("info", `plan: ${line}`);
    if (lines.length > MAX_PLAN_LINES) this.#say("info", `plan: and ${lines.length - MAX_PLAN_LINES} more changes`);
    if (lines.length > 0) this.#say("notice", summaryLine(plan.value));
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    this.#with.logger.log({ level, source: "supervisor", message, ...(event === undefined ? {} : { event }) });
  }
}
