import { formatMeasuredUs } from "../base/duration.ts";
import { PRIORITY_RELEASE } from "./advert.ts";
import type { InstanceAction, InstanceParameters, InstanceState, Silence, StepResult } from "./instance-model.ts";
import { DOWN_INTERVALS, skewUs } from "./timing.ts";
import { type AdvertEvent, enter, heardFrom, isDue, listen, takeOver, transition, unchanged } from "./transitions.ts";

/** The dead man's return comes after this long at the latest, whatever was asked for. */
export const SILENCE_MAX_US = 600_000_000;
/** On top of the down interval, for a peer that wakes up late and an advert that gets lost. */
const GRACE_US_MIN = 100_000;

/**
 * How long a silent master lets nobody serve: three intervals and the longest skew, which is shorter than an interval, within
 * which a living peer takes over.
 */
export function unservedBoundUs(advertIntervalUs: number): number {
  return (DOWN_INTERVALS + 1) * advertIntervalUs + Math.max(GRACE_US_MIN, Math.ceil(advertIntervalUs / 2));
}

/**
 * Plays dead for a drill: no priority 0, the addresses gone at once, and from here on nothing is sent. What is heard is not
 * acted upon; it only shows that somebody serves. A dead machine does not come back, this one does: when it is told to, when
 * nobody serves instead, and in any case after a bound.
 * @param forUs the dead man's return, at most SILENCE_MAX_US
 */
export function fallSilent(config: InstanceParameters, state: InstanceState, nowUs: number, forUs: number): StepResult {
  // One that is about to hand over is not to be stopped half-way.
  if (state.phase !== "master" || state.handover !== null) return unchanged(state);
  const boundUs = Math.min(forUs, SILENCE_MAX_US);
  const reason = `drill: silent as if dead, for ${formatMeasuredUs(boundUs)} at most`;
  const silence: Silence = {
    sinceUs: nowUs,
    successor: null,
    servedByUs: nowUs + unservedBoundUs(config.advertIntervalUs),
    untilUs: nowUs + boundUs,
  };
  return {
    state: { ...enter(config, state, "fault", nowUs, reason), silence },
    actions: [{ type: "releaseAddresses" }, transition("master", "fault", { code: "drill", reason })],
  };
}

/** Somebody serves, or says that it does so no longer. */
export function onAdvertInSilence(
  config: InstanceParameters,
  state: InstanceState,
  silence: Silence,
  advert: AdvertEvent,
): StepResult {
  const { nowUs, source } = advert;
  const heard = heardFrom(advert);
  if (advert.priority === PRIORITY_RELEASE) {
    // Its successor is given the time that this router would wait; nobody else may be there.
    const servedByUs = Math.min(
      silence.servedByUs,
      nowUs + config.advertIntervalUs + skewUs(1, config.advertIntervalUs),
    );
    return unchanged({ ...state, heard, silence: { ...silence, servedByUs } });
  }
  const servedByUs = nowUs + unservedBoundUs(Math.max(advert.intervalUs, config.advertIntervalUs));
  const next: InstanceState = { ...state, heard, silence: { ...silence, servedByUs, successor: source } };
  if (silence.successor !== null) return unchanged(next);
  const reason = `${source} took over`;
  return {
    state: next,
    actions: [{ type: "silenceAnswered", successor: source, tookUs: nowUs - silence.sinceUs, reason }],
  };
}

/** Clients are not left without an address for the sake of a drill. */
export function onSilenceTick(
  config: InstanceParameters,
  state: InstanceState,
  silence: Silence,
  nowUs: number,
): StepResult {
  if (isDue(silence.servedByUs, nowUs)) {
    const silentUs = nowUs - silence.sinceUs;
    const what =
      silence.successor === null
        ? `nobody took over within ${formatMeasuredUs(silentUs)}`
        : `${silence.successor}, which had taken over, fell silent`;
    return takeOver(config, state, nowUs, { code: "drill", reason: `drill: ${what}; serving again` });
  }
  if (!isDue(silence.untilUs, nowUs)) return unchanged(state);
  const reason = "drill: nobody ended the silence in time; listening for a master";
  return listen(config, state, nowUs, { code: "drill", reason });
}

/**
 * Wants the address back: a rest ends, a silence ends, and a living master of lower priority is not left alone, whatever
 * `preempt` says, until this router is master or hears a better one.
 * @param preempts false for a member of a group that goes along with the first one
 */
export function onReclaim(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  preempts: boolean,
): StepResult {
  if (state.phase === "master" || state.phase === "initialize") return unchanged(state);
  const rested = { ...state, isResting: false };
  if (state.phase === "backup") return unchanged({ ...rested, preemptDeadlineUs: null, isReclaiming: preempts });
  if (state.silence === null) return unchanged(rested);
  const reason = "drill: the silence is over; listening for the master";
  const listening = listen(config, rested, nowUs, { code: "drill", reason });
  return { ...listening, state: { ...listening.state, isReclaiming: preempts } };
}

/** Whoever waits to hear of a successor hears that there was none, in whatever way the silence ended. */
export function silenceEnd(before: InstanceState, after: InstanceState, nowUs: number): readonly InstanceAction[] {
  const { silence } = before;
  if (silence === null || silence.successor !== null || after.silence !== null) return [];
  return [{ type: "silenceAnswered", successor: null, tookUs: nowUs - silence.sinceUs, reason: after.reason }];
}
