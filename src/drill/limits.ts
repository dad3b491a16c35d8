import { assert } from "../base/assert.ts";
import type { DrillKind, DrillLimits } from "./model.ts";

/** What the protocol itself asks, beside its timers: one turn of two event loops and the way of a frame. */
const HANDOVER_US = 20_000;
const TAKEOVER_MARGIN_US = 50_000;
/** The gap shows at a question and at an answer: so much it may be coarser than what it measures. */
const PACES = 2;
/** A switch and a neighbour learn at once or with the second announcement. */
const STEADY_MARGIN_US = 1_000_000;
const DOWN_INTERVALS = 3;

/** What is known of the pair when limits are derived. */
export interface Expectation {
  readonly advertIntervalUs: number;
  readonly everyUs: number;
  /** Of whoever is to take over; null = not known, then the slowest that the protocol allows. */
  readonly peerPriority: number | null;
}

/**
 * What a drill may cost where nothing else is said. A handover costs nothing but a moment; a takeover the peer's down interval (RFC
 * 9568 section 6.1: three intervals and the skew), the way back by preemption at most an interval.
 */
export function defaultLimits(kind: DrillKind, expectation: Expectation): DrillLimits {
  const { advertIntervalUs, everyUs, peerPriority } = expectation;
  assert(advertIntervalUs > 0 && everyUs > 0, `interval ${advertIntervalUs}, pace ${everyUs}`);
  const paceUs = PACES * everyUs;
  const skewUs = Math.ceil(((256 - (peerPriority ?? 1)) * advertIntervalUs) / 256);
  const maxGapUs =
    paceUs + (kind === "handover" ? HANDOVER_US : DOWN_INTERVALS * advertIntervalUs + skewUs + TAKEOVER_MARGIN_US);
  return {
    maxGapUs,
    maxFailed: Math.ceil(maxGapUs / everyUs),
    maxSteadyUs: maxGapUs + STEADY_MARGIN_US,
    maxReturnGapUs: advertIntervalUs + HANDOVER_US + paceUs,
  };
}

/**
 * The limits of a drill for which some were said. A longer gap holds more questions and ends later; a shorter one leaves the other limits
 * as the protocol asks.
 */
export function limitsWith(said: Partial<DrillLimits>, usual: DrillLimits, everyUs: number): DrillLimits {
  const { maxGapUs = usual.maxGapUs } = said;
  return {
    maxGapUs,
    maxFailed: said.maxFailed ?? Math.max(usual.maxFailed, Math.ceil(maxGapUs / everyUs)),
    maxSteadyUs: said.maxSteadyUs ?? Math.max(usual.maxSteadyUs, maxGapUs + STEADY_MARGIN_US),
    maxReturnGapUs: said.maxReturnGapUs ?? usual.maxReturnGapUs,
  };
}
