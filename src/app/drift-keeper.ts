import type { DirectorError } from "../base/director-error.ts";
import type { Result } from "../base/result.ts";
import type { IpvsConfig } from "../config/model.ts";
import type { DriftStatus } from "../control/status.ts";
import { describeChange, type IpvsChange } from "../ipvs/changes.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { driftEvent } from "./event-facts.ts";
import type { IpvsReport } from "./ipvs-table.ts";
import { DRIFT_KEY } from "./messages.ts";

/** After a change the table is read back this much later, once for all changes until then; after an error as well. */
const SOON_US = 1_000_000;
/** Looks come up to a fifth earlier than the interval, so that directors that started together do not keep step. */
const JITTER = 0.2;
/** Differences that are told one by one; a table that was wiped out may have ten thousand. */
const MAX_TOLD = 200;
/** Differences that the status names. */
const MAX_NAMED = 5;

export type DriftConfig = Pick<IpvsConfig, "drift" | "driftIntervalUs">;

export interface DriftKeeperCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly random: () => number;
  readonly logger: Logger;
  /** Reads the table, repairs what differs, reads again; null = there is no table. */
  repair(): IpvsReport | null;
  /** Tries again what the kernel refused, and nothing else. */
  retry(): void;
  /** Reads the table: what making it as wanted would change; null = there is no table. */
  inspect(): Result<readonly IpvsChange[], DirectorError> | null;
  /** The configured name of a service by its key; null = it is not configured any more. */
  nameOf(service: string): string | null;
  publish(key: string, state: DriftStatus | null): void;
}

/**
 * Looks whether the kernel's table is still what holdfast made it, on a period, after changes and after errors, and does about
 * differences what the configuration says.
 */
export class DriftKeeper {
  readonly #with: DriftKeeperCollaborators;
  readonly #alarm: Alarm;
  #config: DriftConfig = { drift: "ignore", driftIntervalUs: 0 };
  /** When the alarm goes off. */
  #armedUs = Number.POSITIVE_INFINITY;
  /** The table was not as wanted when it was left: what is changed next is not somebody else's doing. */
  #isBehind = false;
  #repairs = 0;
  /** Differences that are left and were told, as text; with `report` only. Bounded by the two tables. */
  #known: ReadonlySet<string> = new Set();
  #sinceUs: number | null = null;
  #published = "";

  constructor(collaborators: DriftKeeperCollaborators) {
    this.#with = collaborators;
    this.#alarm = collaborators.alarms.create(() => {
      this.#armedUs = Number.POSITIVE_INFINITY;
      this.look();
    });
  }

  /** Takes a configuration; the table has just been made as wanted. */
  configure(config: DriftConfig): void {
    this.#config = config;
    this.#settle([]);
    this.#alarm.disarm();
    this.#armedUs = Number.POSITIVE_INFINITY;
    if (this.#isBehind) this.#soon();
    else this.#later();
  }

  /** The table was changed, with this outcome. */
  changed(report: IpvsReport): void {
    this.#isBehind = report.error !== null || report.remaining.length > 0;
    this.#tellRepairs(report.repairs);
    const wasRead = report.readBack && !this.#isBehind;
    if (this.#isBehind || (report.changes.length > 0 && !wasRead && this.#config.drift !== "ignore")) this.#soon();
  }

  /** Compares, and does what is to be done about differences. */
  look(): void {
    const { drift } = this.#config;
    if (drift === "repair") this.#repair();
    else if (this.#isBehind) this.#with.retry();
    if (drift === "report") this.#report();
    this.#later();
  }

  stop(): void {
    this.#alarm.disarm();
  }

  #repair(): void {
    const wasBehind = this.#isBehind;
    const report = this.#with.repair();
    if (report === null) return;
    if (!wasBehind) this.#tellRepairs(report.changes);
  }

  #tellRepairs(changes: readonly IpvsChange[]): void {
    if (changes.length === 0) return;
    this.#repairs += changes.length;
    this.#tell(changes, "repaired after reading back", (change) => this.#eventOf(change, "repaired"));
    this.#publish([]);
  }

  #report(): void {
    const differences = this.#with.inspect();
    if (differences === null) return;
    if (!differences.ok) {
      this.#say("error", `the kernel's table could not be read: ${differences.error.message}`);
      return;
    }
    const fresh = differences.value.filter((change) => !this.#known.has(this.#describe(change)));
    // What would be done about it is known; the event says what somebody did.
    this.#tell(
      fresh,
      "somebody else changed it, and drift is only reported; a reload would make it",
      ({ from, to, ...object }) => this.#eventOf({ ...object, from: to, to: from }, "it is only reported"),
    );
    if (differences.value.length === 0 && this.#known.size > 0)
      this.#say("notice", "the kernel's table is as wanted again", {
        type: "drift",
        subject: "kernel's table",
        from: "different",
        to: "as wanted",
        cause: "nothing differs any more",
      });
    this.#settle(differences.value);
  }

  #settle(differences: readonly IpvsChange[]): void {
    if (differences.length === 0) this.#sinceUs = null;
    else this.#sinceUs ??= this.#with.clock.nowUs();
    this.#known = new Set(differences.map((change) => this.#describe(change)));
    this.#publish(differences);
  }

  #publish(differences: readonly IpvsChange[]): void {
    const { clock } = this.#with;
    const sinceMs = this.#sinceUs === null ? null : clock.wallMs() - (clock.nowUs() - this.#sinceUs) / 1_000;
    const status: DriftStatus = {
      mode: this.#config.drift,
      repairs: this.#repairs,
      differences: differences.length,
      examples: differences.slice(0, MAX_NAMED).map((change) => this.#describe(change)),
      since: sinceMs === null ? null : new Date(sinceMs).toISOString(),
    };
    // The instant is computed from two clocks and wavers.
    const text = JSON.stringify({ ...status, since: this.#sinceUs });
    if (text === this.#published) return;
    this.#published = text;
    this.#with.publish(DRIFT_KEY, status);
  }

  #tell(changes: readonly IpvsChange[], what: string, eventOf: (change: IpvsChange) => EventFacts): void {
    for (const change of changes.slice(0, MAX_TOLD))
      this.#say("warning", `${what}: ${this.#describe(change)}`, eventOf(change));
    const rest = changes.length - MAX_TOLD;
    if (rest <= 0) return;
    const subject = "kernel's table";
    const cause = `${rest} more objects, of ${changes.length} in all`;
    this.#say("warning", `${what}: ${cause}`, { type: "drift", subject, from: null, to: null, cause });
  }

  #describe(change: IpvsChange): string {
    return describeChange(change, this.#with.nameOf(change.service));
  }

  /** @param what was done about it, as a clause */
  #eventOf(change: IpvsChange, what: string): EventFacts {
    const { service } = change;
    return driftEvent(
      change,
      this.#with.nameOf(service),
      `somebody else changed ${service} in the kernel's table; ${what}`,
    );
  }

  #soon(): void {
    this.#arm(this.#with.clock.nowUs() + SOON_US);
  }

  #later(): void {
    const { drift, driftIntervalUs } = this.#config;
    if (this.#isBehind) this.#soon();
    else if (drift !== "ignore")
      this.#arm(this.#with.clock.nowUs() + Math.round(driftIntervalUs * (1 - JITTER * this.#with.random())));
  }

  /** The earlier one counts. */
  #arm(atUs: number): void {
    if (atUs >= this.#armedUs) return;
    this.#armedUs = atUs;
    this.#alarm.arm(atUs);
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    const entry = { level, source: "checker", message: `ipvs: ${message}` };
    this.#with.logger.log(event === undefined ? entry : { ...entry, event });
  }
}
