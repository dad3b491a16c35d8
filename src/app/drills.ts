import { err, ok, type Result } from "../base/result.ts";
import type { DirectorConfig, InstanceConfig } from "../config/model.ts";
import { offerFor } from "../config/nearest.ts";
import type { BroughtAnswer } from "../control/drill-api.ts";
import type { ControlError, InstanceStatus } from "../control/status.ts";
import { defaultLimits, limitsWith } from "../drill/limits.ts";
import type { DrillSettings } from "../drill/model.ts";
import { isForPeer, objections } from "../drill/preconditions.ts";
import { type DrillHeading, type DrillReport, type DrillSummary, refusedReport, reportOf } from "../drill/report.ts";
import { formatTarget, parseTarget } from "../drill/target.ts";
import type { AlarmFactory, Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { BroughtLines, localSource, type ProbeSource, programSource } from "./drill-probe.ts";
import { readBrought, readDrillRequest, type WantedDrill } from "./drill-request.ts";
import { DrillRun, type DrillRunCollaborators } from "./drill-run.ts";
import { DrillStore, drillIdOf } from "./drill-store.ts";

/** Pace and deadline of the questions where nobody says otherwise. */
const EVERY_US = 10_000;
const TIMEOUT_US = 1_000_000;
/** Whoever brings the lines of a prober and says nothing for so long is taken for gone. */
const BROUGHT_SILENT_MS = 15_000;

export interface DrillsOptions {
  readonly stateDir: string;
  /** The program that asks on this host. */
  readonly program: string;
}

export interface DrillsCollaborators extends Pick<DrillRunCollaborators, "clock" | "alarms" | "command"> {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  config(): DirectorConfig;
  /** As the vrrp process told last. */
  instances(): readonly InstanceStatus[];
  /** What keeps the director from being healthy. */
  problems(): readonly string[];
}

/** Begins drills, one at a time, and keeps what they brought to light. */
export class Drills {
  readonly #options: DrillsOptions;
  readonly #with: DrillsCollaborators;
  readonly #store: DrillStore;
  #underWay: { readonly instance: string; readonly run: DrillRun; readonly source: ProbeSource } | null = null;

  constructor(options: DrillsOptions, collaborators: DrillsCollaborators) {
    this.#options = options;
    this.#with = collaborators;
    this.#store = new DrillStore(options.stateDir, (message) =>
      collaborators.logger.log({ level: "warning", source: "drill", message }),
    );
  }

  list(): Promise<readonly DrillSummary[]> {
    return this.#store.list();
  }

  /** @param id `latest`, or one of a list */
  show(id: string): Result<DrillReport, ControlError> {
    const report = this.#store.read(id === "latest" ? null : id);
    if (report !== null) return ok(report);
    const message = id === "latest" ? "no drill has been run yet" : `there is no report of a drill ${id}`;
    return err({ code: "CONTROL_REFUSED", message });
  }

  /**
   * @param askedBy `a person`, `schedule NAME`
   * @returns the report, also of a drill that was refused; an error only where what was asked for makes no sense
   */
  async run(instance: string, body: unknown, askedBy: string): Promise<Result<DrillReport, ControlError>> {
    const wanted = readDrillRequest(body);
    if (!wanted.ok) return err({ code: "CONTROL_REFUSED", message: wanted.error });
    const { instances } = this.#with.config();
    const config = instances.find(({ name }) => name === instance);
    if (config === undefined) {
      const names = instances.map(({ name }) => name);
      return err({
        code: "CONTROL_REFUSED",
        message: `there is no instance ${instance}; ${offerFor(instance, names)}`,
      });
    }
    const settings = this.#settingsOf(config, wanted.value);
    if (!settings.ok) return err({ code: "CONTROL_REFUSED", message: settings.error });
    const source = this.#sourceOf(wanted.value);
    const startedAt = new Date(this.#with.clock.wallMs());
    const heading: DrillHeading = {
      id: drillIdOf(startedAt, instance),
      startedAt: startedAt.toISOString(),
      node: this.#with.config().node,
      askedBy,
      viewpoint: source.viewpoint,
    };
    const report = await this.#drill(heading, settings.value, source);
    this.#store.save(report, this.#with.config().drills.keep);
    this.#tell(report);
    return ok(report);
  }

  async #drill(heading: DrillHeading, settings: DrillSettings, source: ProbeSource): Promise<DrillReport> {
    const { instance, kind } = settings;
    const members = this.#membersOf(instance);
    const refusals = objections({
      kind,
      instance,
      members,
      problems: this.#with.problems(),
      underWay: this.#underWay?.instance ?? null,
    });
    if (refusals.length > 0) return refusedReport(heading, settings, refusals, isForPeer(members));
    const { clock, alarms, command } = this.#with;
    const run = new DrillRun(settings, {
      clock,
      alarms,
      command,
      source,
      masterships: () => this.#mastershipsOf(instance),
    });
    this.#underWay = { instance, run, source };
    this.#with.logger.log({
      level: "notice",
      source: "drill",
      message: `${kind} drill of ${instance} begins, asked for by ${heading.askedBy}: ${settings.probe.target} from ${source.viewpoint.from}`,
    });
    try {
      const { state, samples } = await run.run();
      return reportOf(heading, settings, state, samples);
    } finally {
      this.#underWay = null;
    }
  }

  /** Lines of a prober that runs elsewhere. */
  bring(body: unknown): Result<BroughtAnswer, ControlError> {
    const brought = readBrought(body);
    if (!brought.ok) return err({ code: "CONTROL_REFUSED", message: brought.error });
    const source = this.#underWay?.source;
    if (!(source instanceof BroughtLines))
      return err({ code: "CONTROL_REFUSED", message: "no drill is under way that waits for lines of a prober" });
    return ok({ wantsMore: source.bring(brought.value.lines, brought.value.ended ?? null) });
  }

  /** The vrrp process told something. */
  standingChanged(): void {
    this.#underWay?.run.standingChanged();
  }

  /** The director stops, or its vrrp process is gone: a drill under way ends at once. */
  abort(reason: string): void {
    this.#underWay?.run.abort(reason);
  }

  #settingsOf(config: InstanceConfig, wanted: WantedDrill): Result<DrillSettings, string> {
    const { kind, everyUs = EVERY_US, timeoutUs = TIMEOUT_US } = wanted;
    const target = parseTarget(wanted.target ?? `icmp://${config.addresses[0]?.address ?? ""}`);
    if (!target.ok) return err(`the target makes no sense: ${target.error}`);
    const { advertIntervalUs } = config;
    const heard = this.#with.instances().find(({ name }) => name === config.name)?.heard ?? null;
    const peerPriority = heard === null || heard.priority === 0 ? null : heard.priority;
    const usual = defaultLimits(kind, { advertIntervalUs, everyUs, peerPriority });
    return ok({
      kind,
      instance: config.name,
      advertIntervalUs,
      probe: { target: formatTarget(target.value), everyUs, timeoutUs },
      limits: limitsWith(wanted, usual, everyUs),
      returns: wanted.returns ?? true,
    });
  }

  #sourceOf({ broughtFrom }: WantedDrill): ProbeSource {
    if (broughtFrom !== undefined) return new BroughtLines({ from: broughtFrom, isLocal: false }, BROUGHT_SILENT_MS);
    const { probe } = this.#with.config().drills;
    return probe === null
      ? localSource(this.#options.program)
      : programSource(probe, { from: probe.join(" "), isLocal: false });
  }

  #membersOf(instance: string): readonly InstanceStatus[] {
    const group = this.#with.config().groups.find(({ instances }) => instances.includes(instance));
    const names = group?.instances ?? [instance];
    return this.#with.instances().filter(({ name }) => names.includes(name));
  }

  #mastershipsOf(instance: string): number | null {
    const members = this.#membersOf(instance);
    if (members.length === 0 || members.some(({ phase }) => phase !== "master")) return null;
    return members.reduce((sum, { counters }) => sum + counters.becameMaster, 0);
  }

  #tell(report: DrillReport): void {
    const { kind, instance, result, reasons, event, id } = report;
    const gap = event === null ? "" : `, gap ${(event.gapUs / 1000).toFixed(1)} ms`;
    const cause = reasons.length === 0 ? `within its limits${gap}` : reasons.join("; ");
    this.#with.logger.log({
      level: result === "passed" || report.isForPeer ? "notice" : "warning",
      source: "drill",
      message: `${kind} drill of ${instance} ${result}${gap}${reasons.length === 0 ? "" : `: ${reasons.join("; ")}`} (holdfast drill show ${id})`,
      event: { type: "drill", subject: `instance ${instance}`, from: kind, to: result, cause },
    });
  }
}
