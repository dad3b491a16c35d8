import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ConfigTexts } from "../config/config-texts.ts";
import { changedHeaderSecrets, type HeaderSecrets } from "../config/header-secrets.ts";
import { changedKeys, type InstanceKeys } from "../config/keys.ts";
import type { DirectorConfig } from "../config/model.ts";
import type { ConfirmAnswer, ControlError, ReloadReport } from "../control/status.ts";
import type { KernelPlan } from "../plan/model.ts";
import { stepLines, summaryLine } from "../plan/text.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { reloadEvent } from "./event-facts.ts";
import type { CheckerReply } from "./messages.ts";
import { NOTHING_WAITS, type Trials } from "./trials.ts";

/** A configuration as loaded. */
export interface LoadedConfig {
  readonly config: DirectorConfig;
  readonly keys: InstanceKeys;
  readonly headerSecrets: HeaderSecrets;
  /** Located warnings, ready to print. */
  readonly warnings: readonly string[];
  /** What it was read from. */
  readonly texts: ConfigTexts;
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
  present(): Omit<LoadedConfig, "warnings">;
  /** A configuration as it was kept, validated anew. */
  loadKept(texts: ConfigTexts): Result<LoadedConfig, string>;
  /** Whether the files have this text now. */
  isOnDisk(texts: ConfigTexts): boolean;
  readonly trials: Trials;
  isStopping(): boolean;
  /** What applying it would change in the kernel; `configuration` = what differs from what is in force. */
  plan(
    next: LoadedConfig,
    configuration: readonly string[],
    withinMs: number,
  ): Promise<Result<KernelPlan, ControlError>>;
  apply(next: LoadedConfig): Promise<ApplyOutcome>;
  /** What a reload changes, one line each. */
  diff(before: DirectorConfig, after: DirectorConfig): readonly string[];
  onBegin(): void;
  /** Whatever came of it. */
  onEnd(): void;
}

/** Whoever asks for a plan waits as long as ten thousand servers take on a slow machine. */
const PLAN_WITHIN_MS = 60_000;
/** A reload waits less: a checker that does not answer must not keep the vrrp process from what the operator wants. */
const PLAN_BEFORE_RELOAD_MS = 8_000;
/** Changes of a plan that are logged; `reload` and `plan` print all. */
const MAX_PLAN_LINES = 50;
/** As above, of what the kernel did not take. */
const MAX_REMAINING = 5;

/** How a reload is wanted. */
export interface ReloadOrder {
  /** It undoes itself after so long unless it is confirmed; null = it stays. */
  readonly confirmMs: number | null;
  /** Nobody asked for it just now: what was undone because nobody confirmed it is not applied again. */
  readonly isScheduled?: boolean;
}

const PLAIN: ReloadOrder = { confirmMs: null };

/** Replaces the configuration of a running daemon. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #with: ReloaderCollaborators;
  /** Ends with the last piece of work. */
  #last: Promise<unknown> = Promise.resolve();
  /** The reload that has not begun yet; everyone who asks meanwhile gets its answer. */
  #queued: { order: ReloadOrder; readonly report: Promise<Result<ReloadReport, ControlError>> } | null = null;

  constructor(options: ReloaderOptions, collaborators: ReloaderCollaborators) {
    this.#options = options;
    this.#with = collaborators;
  }

  /**
   * Validates the file, then applies it; a broken one changes nothing. One reload at a time: the one under way may have read
   * the file before the asker changed it, so another follows.
   */
  reload(order: ReloadOrder = PLAIN): Promise<Result<ReloadReport, ControlError>> {
    if (this.#queued !== null) {
      this.#queued.order = joinOrders(this.#queued.order, order);
      return this.#queued.report;
    }
    const report = this.#inTurn(() => {
      const wanted = this.#queued?.order ?? order;
      this.#queued = null;
      return this.#reload(wanted);
    });
    this.#queued = { order, report };
    return report;
  }

  /** The configuration on trial stays. */
  confirm(): Promise<Result<ConfirmAnswer, ControlError>> {
    return this.#inTurn(async () => this.#with.trials.confirm());
  }

  /** Goes back to the configuration before the one on trial. */
  undo(cause: string): Promise<Result<ConfirmAnswer, ControlError>> {
    return this.#inTurn(() => this.#undo(cause));
  }

  #inTurn<Value>(work: () => Promise<Result<Value, ControlError>>): Promise<Result<Value, ControlError>> {
    const done = this.#last.then(work).catch((thrown: unknown): Result<Value, ControlError> => {
      const remedy = thrown instanceof DirectorError ? ` ${thrown.remedy}` : "";
      this.#say("error", `${messageOf(thrown)}.${remedy}`);
      return err({ code: "OWN_FAULT", message: messageOf(thrown) });
    });
    this.#last = done;
    return done;
  }

  async #reload({ confirmMs, isScheduled = false }: ReloadOrder): Promise<Result<ReloadReport, ControlError>> {
    const { trials } = this.#with;
    if (this.#with.isStopping()) return err(STOPPING);
    const { rejected } = trials;
    if (isScheduled && rejected !== null && this.#with.isOnDisk(rejected)) {
      const message = "nobody confirmed what the files hold; a schedule does not apply it again";
      this.#say("warning", `reload refused, nothing changed: ${message}`, reloadEvent("refused", message));
      return err({ code: "CONTROL_REFUSED", message });
    }
    this.#with.onBegin();
    try {
      const loaded = this.#with.load();
      if (!loaded.ok) return this.#refuse(loaded.error);
      if (confirmMs === null) trials.follow(loaded.value.texts);
      else {
        const begun = trials.begin(this.#with.present().texts, loaded.value.texts, confirmMs);
        if (!begun.ok) return begun;
      }
      const report = await this.#take(loaded.value);
      if (report.ok) trials.taken();
      return report;
    } finally {
      this.#with.onEnd();
    }
  }

  async #undo(cause: string): Promise<Result<ConfirmAnswer, ControlError>> {
    const { trials } = this.#with;
    if (this.#with.isStopping()) return err(STOPPING);
    const { before } = trials;
    if (before === null) return err(NOTHING_WAITS);
    this.#with.onBegin();
    try {
      const loaded = this.#with.loadKept(before);
      if (!loaded.ok) {
        const first = loaded.error.split("\n", 1)[0] ?? "";
        trials.stuck(first);
        return err({ code: "CONFIG_INVALID", message: `the configuration before cannot be gone back to: ${first}` });
      }
      trials.reverting();
      const report = await this.#take(loaded.value);
      trials.reverted(cause);
      return report.ok ? ok({ state: "undone" }) : report;
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
    const { warnings } = loaded;
    const changes = this.#changes(loaded);
    const plan = await this.#with.plan(loaded, changes, PLAN_BEFORE_RELOAD_MS);
    // What is stopped would be started again.
    if (this.#with.isStopping()) return err(STOPPING);
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
    for (const sentence of shortened(remaining, MAX_REMAINING))
      this.#say("error", `reload: ${sentence}`, reloadEvent("incomplete", sentence));
    return ok({
      plan: plan.ok ? plan.value : null,
      changes: [...changes, ...applied.value.changes],
      remaining,
      warnings,
      confirmBy: this.#with.trials.confirmBy,
    });
  }

  /** What `holdfast plan` says of the file as it is now. */
  async plan(): Promise<Result<KernelPlan, ControlError>> {
    const loaded = this.#with.load();
    if (!loaded.ok)
      return err({ code: "CONFIG_INVALID", message: "the configuration has errors", details: loaded.error });
    return this.#with.plan(loaded.value, this.#changes(loaded.value), PLAN_WITHIN_MS);
  }

  #changes({ config, keys, headerSecrets }: LoadedConfig): readonly string[] {
    const before = this.#with.present();
    const rekeyed = changedKeys(before.keys, keys).map((name) => `instance ${name}: contents of the keys changed`);
    const renewed = changedHeaderSecrets(before.headerSecrets, headerSecrets).map(
      (place) => `${place}: contents changed, for the headers of checks`,
    );
    return [...this.#with.diff(before.config, config), ...rekeyed, ...renewed];
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

function shortened(sentences: readonly string[], max: number): readonly string[] {
  const rest = sentences.length - max;
  return rest <= 0 ? sentences : [...sentences.slice(0, max), `and ${rest} more differences`];
}

const STOPPING: ControlError = { code: "CONTROL_REFUSED", message: "the director is stopping" };

/** Several who ask for the same reload: whoever wants it on trial gets that, and whoever asks in person is heard. */
function joinOrders(a: ReloadOrder, b: ReloadOrder): ReloadOrder {
  return {
    confirmMs: b.confirmMs ?? a.confirmMs,
    isScheduled: a.isScheduled === true && b.isScheduled === true,
  };
}
