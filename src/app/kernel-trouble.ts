import type { ServiceConfig } from "../config/model.ts";
import type { KernelStatus } from "../control/status.ts";
import type { Decision } from "../health/weights.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { type MissingServer, missingOf, type TableTrouble, troubleOf } from "./ipvs-remaining.ts";
import type { IpvsReport } from "./ipvs-table.ts";
import { KERNEL_KEY } from "./messages.ts";
import type { MissingSysctl, SysctlReport } from "./sysctl-needs.ts";

const NO_TROUBLE: TableTrouble = { refused: 0, reasons: [] };

export interface KernelTroubleCollaborators {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The configured name of a service by its key; null = it is not configured any more. */
  nameOf(service: string): string | null;
  publish(key: string, state: KernelStatus | null): void;
}

/**
 * What the kernel lacks of what services need, as long as it does: for `status`, and as an event when it begins and when it is
 * over. However much is refused, and however often, that is two events.
 */
export class KernelTrouble {
  readonly #with: KernelTroubleCollaborators;
  #table = NO_TROUBLE;
  #sinceUs: number | null = null;
  /** By decisionKey; bounded by the configuration. */
  #missing: ReadonlyMap<string, MissingServer> = new Map();
  /** By name; bounded by the settings that services can need. */
  #sysctls: ReadonlyMap<string, MissingSysctl> = new Map();
  #published = "";
  #isStopped = false;

  constructor(collaborators: KernelTroubleCollaborators) {
    this.#with = collaborators;
  }

  /**
   * The table was changed, with this outcome.
   * @returns the servers that the kernel lacks since, or has again
   */
  tableChanged(report: IpvsReport, services: readonly ServiceConfig[]): readonly MissingServer[] {
    const trouble = troubleOf(report, this.#with.nameOf);
    this.#tell(trouble);
    this.#table = trouble;
    if (trouble.refused === 0) this.#sinceUs = null;
    else this.#sinceUs ??= this.#with.clock.nowUs();
    this.#publish();
    // Where the table cannot be read, what was known of it is the best there is.
    if (report.error !== null) return [];
    const before = this.#missing;
    const now = missingOf(report, services);
    this.#missing = now;
    const isNews = ([key, { why }]: readonly [string, MissingServer]) => before.get(key)?.why !== why;
    const back = [...before].filter(([key]) => !now.has(key));
    return [...[...now].filter(isNews), ...back].map(([, server]) => server);
  }

  /** Settings were looked at. @param isAsked a person has just given a configuration: what is missing is said again */
  sysctlsSeen({ set, missing, needed }: SysctlReport, isAsked: boolean): void {
    for (const entry of set) this.#with.logger.log(entry);
    const wasSet = new Set(set.map(({ event }) => event?.subject));
    for (const sysctl of missing) {
      const isNew = !this.#sysctls.has(sysctl.name);
      if (isNew || isAsked) this.#say("warning", sysctl.problem, isNew ? appeared(sysctl) : undefined);
    }
    const now = new Map(missing.map((sysctl) => [sysctl.name, sysctl]));
    for (const [name, { value, wanted }] of this.#sysctls) {
      if (now.has(name) || wasSet.has(`sysctl ${name}`)) continue;
      const subject = `sysctl ${name}`;
      const isNeeded = needed.includes(name);
      const cause = isNeeded ? `it is ${wanted} now, as services need it` : "no service needs it any more";
      const event: EventFacts = { type: "kernel", subject, from: value, to: isNeeded ? wanted : null, cause };
      this.#say("notice", `${subject}: ${cause}`, event);
    }
    this.#sysctls = now;
    this.#publish();
  }

  /** What a server comes to when the kernel is asked. @param decided what checks and people say */
  inKernel(key: string, decided: Decision): Decision {
    const missing = decided.present ? this.#missing.get(key) : undefined;
    if (missing === undefined) return decided;
    return { ...decided, present: false, weight: 0, why: `${decided.why}; not in the kernel's table: ${missing.why}` };
  }

  /** The table is taken away: that nothing is refused any more is no news. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The first reasons in the log when they are others, and that there is trouble, or none any more, as an event. */
  #tell({ refused, reasons }: TableTrouble): void {
    const before = this.#table;
    const event = { type: "kernel", subject: "kernel's table" } as const;
    if (refused === 0) {
      if (before.refused === 0 || this.#isStopped) return;
      const cause = `no more: ${before.reasons.join("; ")}`;
      this.#say("notice", "ipvs: the kernel's table is as wanted now", {
        ...event,
        from: "not as wanted",
        to: "as wanted",
        cause,
      });
      return;
    }
    const isNew = before.refused === 0;
    if (!isNew && reasons.join() === before.reasons.join()) return;
    for (const reason of reasons) this.#say("error", `ipvs: ${reason}`);
    const extent = refused === null ? "" : ` in ${refused} ${refused === 1 ? "object" : "objects"}`;
    const said = `ipvs: the kernel's table is not as wanted${extent}; tried again every second`;
    const begun = { ...event, from: null, to: "not as wanted", cause: reasons.join("; ") };
    this.#say("error", said, isNew ? begun : undefined);
  }

  #publish(): void {
    const { clock } = this.#with;
    const sinceMs = this.#sinceUs === null ? null : clock.wallMs() - (clock.nowUs() - this.#sinceUs) / 1_000;
    const status: KernelStatus = {
      ...this.#table,
      since: sinceMs === null ? null : new Date(sinceMs).toISOString(),
      sysctls: [...this.#sysctls.values()].map(({ problem }) => problem),
    };
    // The instant is computed from two clocks and wavers.
    const text = JSON.stringify({ ...status, since: this.#sinceUs });
    if (text === this.#published) return;
    this.#published = text;
    this.#with.publish(KERNEL_KEY, status);
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    this.#with.logger.log({ level, source: "checker", message, ...(event === undefined ? {} : { event }) });
  }
}

function appeared({ name, value, wanted, why }: MissingSysctl): EventFacts {
  return { type: "kernel", subject: `sysctl ${name}`, from: null, to: value, cause: `needed is ${wanted}: ${why}` };
}
