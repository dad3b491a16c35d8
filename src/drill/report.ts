import { formatDurationUs } from "../base/duration.ts";
import type { DrillState } from "./drill.ts";
import { findings, spanOf } from "./judge.ts";
import type { DrillKind, DrillLimits, DrillResult, DrillSettings, ProbeSettings, Sample, Span } from "./model.ts";
import { drawAnswers } from "./timeline.ts";

/** The version changes when an old reader would misread. */
export const REPORT_VERSION = 1;

/** Where the questions were asked, as people call it, and whether that is a view from outside. */
export interface Viewpoint {
  /** `this host`, `ssh client1`, `/usr/local/bin/ask`. */
  readonly from: string;
  /** The director asks its own address: while it serves, no switch or cable has a part in the answer. */
  readonly isLocal: boolean;
}

/** Who drilled what, and when. */
export interface DrillHeading {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly node: string;
  /** `a person`, `schedule NAME`. */
  readonly askedBy: string;
  readonly viewpoint: Viewpoint;
}

/** What a drill brought to light, as it is kept and shown. */
export interface DrillReport extends DrillHeading {
  readonly version: typeof REPORT_VERSION;
  readonly kind: DrillKind;
  readonly instance: string;
  readonly advertIntervalUs: number;
  readonly probe: ProbeSettings;
  readonly limits: DrillLimits;
  readonly result: DrillResult;
  /** Why it failed or was refused; empty = passed. */
  readonly reasons: readonly string[];
  /** Refused because another director is master: the same schedule stands on both, and only one of them drills. */
  readonly isForPeer: boolean;
  /** Who took over. */
  readonly successor: string | null;
  /** From the event until the successor's advert was heard, as the vrrp process measured it. */
  readonly heardAfterUs: number | null;
  /** null = it did not come to that. */
  readonly event: Span | null;
  readonly back: Span | null;
  /** null = it was not to come back. */
  readonly hasReturned: boolean | null;
  /** Answers drawn, ready to print. */
  readonly drawings: readonly { readonly title: string; readonly lines: readonly string[] }[];
  /** Every question in the order of asking, [sent, took] in microseconds, took null = no answer. */
  readonly samples: readonly (readonly [number, number | null])[];
}

/** What a list shows of a report. */
export type DrillSummary = Pick<
  DrillReport,
  "id" | "startedAt" | "kind" | "instance" | "askedBy" | "result" | "reasons"
> & { readonly gapUs: number | null };

export function summaryOf(report: DrillReport): DrillSummary {
  const { id, startedAt, kind, instance, askedBy, result, reasons } = report;
  return { id, startedAt, kind, instance, askedBy, result, reasons, gapUs: report.event?.gapUs ?? null };
}

/**
 * Judges a drill that is over.
 * @param samples in any order
 */
export function reportOf(
  heading: DrillHeading,
  settings: DrillSettings,
  state: DrillState,
  samples: readonly Sample[],
): DrillReport {
  const asked = [...samples].sort((a, b) => a.id - b.id);
  const { kind, instance, advertIntervalUs, probe, limits } = settings;
  const { eventUs, returnUs, returnedUs, endUs } = state.marks;
  const { offsetUs } = state;
  const span = (fromUs: number | null, toUs: number | null): Span | null =>
    fromUs === null || toUs === null || offsetUs === null
      ? null
      : spanOf(asked, fromUs - offsetUs, toUs - offsetUs, probe.everyUs);
  const isRefused = state.refusal !== null;
  const event = isRefused ? null : span(eventUs, returnUs ?? endUs);
  const back = isRefused || returnUs === null ? null : span(returnUs, endUs);
  const reasons = isRefused
    ? [state.refusal ?? ""]
    : [...state.faults, ...(event === null ? [] : findings({ limits, event, back }))];
  if (event === null && reasons.length === 0) reasons.push("the drill did not come to its event");
  return {
    version: REPORT_VERSION,
    ...heading,
    kind,
    instance,
    advertIntervalUs,
    probe,
    limits,
    result: isRefused ? "refused" : reasons.length > 0 ? "failed" : "passed",
    reasons,
    isForPeer: false,
    successor: state.successor,
    heardAfterUs: state.tookUs,
    event,
    back,
    hasReturned: isRefused || returnUs === null ? null : returnedUs !== null,
    drawings: [
      ...(event === null ? [] : [drawingOf("the event", asked, event, probe.everyUs)]),
      ...(back === null ? [] : [drawingOf("the return", asked, back, probe.everyUs)]),
    ],
    samples: asked.map(({ sentUs, tookUs }) => [sentUs, tookUs] as const),
  };
}

function drawingOf(title: string, samples: readonly Sample[], { gapFromUs, gapUs }: Span, everyUs: number) {
  return { title, lines: drawAnswers(samples, { fromUs: gapFromUs, toUs: gapFromUs + gapUs, everyUs }) };
}

/** A report of a drill that could not even begin. */
export function refusedReport(
  heading: DrillHeading,
  settings: DrillSettings,
  reasons: readonly string[],
  isForPeer = false,
): DrillReport {
  const { kind, instance, advertIntervalUs, probe, limits } = settings;
  return {
    version: REPORT_VERSION,
    ...heading,
    kind,
    instance,
    advertIntervalUs,
    probe,
    limits,
    result: "refused",
    reasons,
    isForPeer,
    successor: null,
    heardAfterUs: null,
    event: null,
    back: null,
    hasReturned: null,
    drawings: [],
    samples: [],
  };
}

/** The page for people. */
export function renderReport(report: DrillReport): string {
  const { kind, instance, node, result, reasons, id, startedAt, askedBy, probe, viewpoint } = report;
  const lines = [
    `${kind} drill of ${instance} on ${node}: ${result.toUpperCase()}`,
    ...reasons.map((reason) => `  ! ${reason}`),
    "",
    ...row("drill", `${id}, ${startedAt}, by ${askedBy}`),
    ...row("probe", `${probe.target} every ${duration(probe.everyUs)} from ${viewpoint.from}`),
    ...movedRows(report),
    ...spanRows("event", report.event, report.limits.maxGapUs, report),
    ...spanRows("return", report.back, report.limits.maxReturnGapUs, report),
  ];
  for (const drawing of report.drawings)
    lines.push("", `${drawing.title}:`, ...drawing.lines.map((line) => `  ${line}`));
  if (viewpoint.isLocal)
    lines.push(
      "",
      "Asked by the director itself: before the event and after the return no network has a part in the answers, and what",
      "switches and clients learn is not shown. A client's view: holdfast drill run --probe-from HOST.",
    );
  return `${lines.join("\n")}\n`;
}

function row(name: string, text: string): string[] {
  return [`  ${name.padEnd(9)} ${text}`];
}

function movedRows({ successor, heardAfterUs, hasReturned }: DrillReport): string[] {
  if (successor === null) return [];
  const after = heardAfterUs === null ? "" : `, heard after ${duration(heardAfterUs)}`;
  const back = hasReturned === null ? "" : hasReturned ? "; then back here" : "; it is still there";
  return row("moved", `to ${successor}${after}${back}`);
}

function spanRows(name: string, span: Span | null, maxGapUs: number, { limits }: DrillReport): string[] {
  if (span === null) return [];
  const { sent, failed, gapUs, stallUs, steadyUs } = span;
  const stalled = stallUs > 1_000 ? `, of which the prober stood still ${duration(stallUs)}` : "";
  const steady = steadyUs === null ? "never steady" : `steady after ${duration(steadyUs)}`;
  const most = name === "event" ? `, limit ${limits.maxFailed}` : "";
  return row(
    name,
    `gap ${duration(gapUs)} (limit ${duration(maxGapUs)})${stalled}; ${failed} of ${sent} not answered${most}; ${steady}`,
  );
}

/** Three digits are enough for anybody. */
function duration(us: number): string {
  const unit = us < 10_000 ? 10 : us < 1_000_000 ? 100 : 1_000;
  return formatDurationUs(Math.round(us / unit) * unit);
}
