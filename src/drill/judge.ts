import { formatDurationUs } from "../base/duration.ts";
import type { DrillLimits, Sample, Span } from "./model.ts";

/** Answers that come at most so many paces apart are without interruption. */
const STEADY_PACES = 3;

interface Answer {
  readonly sentUs: number;
  readonly atUs: number;
}

/** Answers in the order of their arrival: a question may be overtaken by a later one. */
function answersOf(samples: readonly Sample[]): readonly Answer[] {
  return samples
    .flatMap(({ sentUs, tookUs }) => (tookUs === null ? [] : [{ sentUs, atUs: sentUs + tookUs }]))
    .sort((a, b) => a.atUs - b.atUs);
}

/**
 * What the probe saw between two instants. A gap belongs to the span in which it ends, or, where it never ends, in which it
 * began: what a change of masters costs is over only with the next answer.
 * @param samples in the order of asking
 */
export function spanOf(samples: readonly Sample[], fromUs: number, toUs: number, everyUs: number): Span {
  const asked = samples.filter(({ sentUs }) => sentUs >= fromUs && sentUs < toUs);
  const answers = answersOf(samples).filter(({ atUs }) => atUs <= toUs);
  const gap = longestGap(answers, fromUs, toUs);
  return {
    sent: asked.length,
    failed: asked.filter(({ tookUs }) => tookUs === null).length,
    gapUs: gap.toUs - gap.fromUs,
    gapFromUs: gap.fromUs,
    stallUs: stallWithin(samples, gap.fromUs, gap.toUs, everyUs),
    steadyUs: steadyAfter(samples, answers, fromUs, toUs, everyUs),
  };
}

interface Stretch {
  readonly fromUs: number;
  readonly toUs: number;
}

function longestGap(answers: readonly Answer[], fromUs: number, toUs: number): Stretch {
  let longest: Stretch = { fromUs, toUs: fromUs };
  // Before the first answer of all nobody knows since when there was none.
  let lastUs = answers[0]?.atUs ?? fromUs;
  for (const { atUs } of [...answers, { atUs: toUs }]) {
    if (atUs > fromUs && atUs - lastUs > longest.toUs - longest.fromUs) longest = { fromUs: lastUs, toUs: atUs };
    lastUs = atUs;
  }
  return longest;
}

/** The longest time within a stretch for which the prober owed a question. */
function stallWithin(samples: readonly Sample[], fromUs: number, toUs: number, everyUs: number): number {
  let stallUs = 0;
  for (const [index, { sentUs }] of samples.entries()) {
    const beforeUs = samples[index - 1]?.sentUs ?? sentUs;
    if (sentUs > fromUs && beforeUs < toUs) stallUs = Math.max(stallUs, sentUs - beforeUs - everyUs);
  }
  return Math.max(0, stallUs);
}

/** What the prober's machine stood still interrupts nothing. @returns null when the span ends in an interruption */
function steadyAfter(
  samples: readonly Sample[],
  answers: readonly Answer[],
  fromUs: number,
  toUs: number,
  everyUs: number,
): number | null {
  const isInterrupted = (sinceUs: number, atUs: number): boolean =>
    atUs - sinceUs > STEADY_PACES * everyUs &&
    atUs - sinceUs - stallWithin(samples, sinceUs, atUs, everyUs) > STEADY_PACES * everyUs;
  const failed = samples.filter(({ sentUs, tookUs }) => tookUs === null && sentUs >= fromUs && sentUs < toUs);
  const lastFailedUs = failed.at(-1)?.sentUs ?? Number.NEGATIVE_INFINITY;
  let steadyUs = fromUs;
  let lastUs = answers[0]?.atUs ?? fromUs;
  let isOpen = false;
  for (const { sentUs, atUs } of answers) {
    if (atUs > fromUs) {
      if (isInterrupted(lastUs, atUs) || isOpen) steadyUs = atUs;
      isOpen = sentUs < lastFailedUs;
    }
    lastUs = atUs;
  }
  const isSilent = isInterrupted(lastUs, toUs);
  const hasAnswerAfterFailure = answers.some(({ sentUs }) => sentUs > lastFailedUs);
  return isSilent || !hasAnswerAfterFailure ? null : steadyUs - fromUs;
}

/** What the spans of a drill are held against its limits for. */
export interface Evidence {
  readonly limits: DrillLimits;
  readonly event: Span;
  /** null = there was no way back. */
  readonly back: Span | null;
}

/**
 * @returns one sentence for each limit that was passed; none = passed. What the prober's machine stood still is not held against
 *   the directors.
 */
export function findings({ limits, event, back }: Evidence): readonly string[] {
  const found: string[] = [];
  if (event.sent === 0) found.push("nothing was asked during the event");
  if (isOver(event, limits.maxGapUs)) found.push(gapSentence("the gap was", event, limits.maxGapUs));
  if (event.failed > limits.maxFailed)
    found.push(`${event.failed} of ${event.sent} questions had no answer, of at most ${limits.maxFailed}`);
  if (event.steadyUs === null) found.push("answers did not become steady");
  else if (event.steadyUs > limits.maxSteadyUs)
    found.push(`answers were steady after ${ms(event.steadyUs)}, of at most ${ms(limits.maxSteadyUs)}`);
  if (back === null) return found;
  if (isOver(back, limits.maxReturnGapUs)) found.push(gapSentence("the return cost", back, limits.maxReturnGapUs));
  if (back.steadyUs === null) found.push("answers did not become steady after the return");
  return found;
}

function isOver({ gapUs, stallUs }: Span, maxUs: number): boolean {
  return gapUs - stallUs > maxUs;
}

function gapSentence(what: string, { gapUs, stallUs }: Span, maxUs: number): string {
  const stalled = stallUs > 0 ? ` (the prober itself stood still for ${ms(stallUs)})` : "";
  return `${what} ${ms(gapUs)}, of at most ${ms(maxUs)}${stalled}`;
}

function ms(us: number): string {
  return formatDurationUs(Math.round(us / 1000) * 1000);
}
