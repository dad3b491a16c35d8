import { formatMeasuredUs } from "../base/duration.ts";
import type { IpText } from "../base/ip.ts";
import { PRIORITY_RELEASE } from "./advert.ts";
import type {
  Farewell,
  Handover,
  InstanceAction,
  InstanceParameters,
  InstanceState,
  ResignPurpose,
  StepResult,
} from "./instance-model.ts";
import { masterDownUs } from "./timing.ts";
import { type AdvertEvent, enter, heardFrom, isDue, transition, unchanged } from "./transitions.ts";

/** Priority 0 is said this often at most: when nobody answered, the one before may have been lost. */
export const RELEASES_MAX = 3;
/** After these times from the release, neighbours are told again where the addresses are: some asked while two answered. */
export const FAREWELL_OFFSETS_US = [0, 20_000, 200_000, 1_000_000] as const;
/** On top of the longest skew, for the way there and back and for a peer that wakes up late. */
const GRACE_US_MIN = 10_000;

/**
 * How long one priority 0 is given: every skew, which is shorter than an interval, has run out by then. Saying it again
 * earlier would start the successor's skew anew.
 */
export function releaseWaitUs(advertIntervalUs: number): number {
  return advertIntervalUs + Math.max(GRACE_US_MIN, Math.ceil(advertIntervalUs / 16));
}

/** How long a resignation takes at most, when nobody is there to succeed, without the farewell after a success. */
export function handoverBoundUs(advertIntervalUs: number): number {
  return RELEASES_MAX * releaseWaitUs(advertIntervalUs);
}

/** What of a handover is undone on the way into another phase. */
export function dropHandover(state: InstanceState, nowUs: number, reason: string): readonly InstanceAction[] {
  const { handover, farewell } = state;
  if (handover === null && farewell === null) return [];
  const ended: InstanceAction[] =
    handover === null
      ? []
      : [
          {
            type: "handoverEnded",
            purpose: handover.purpose,
            successor: null,
            tookUs: nowUs - handover.sinceUs,
            reason,
          },
        ];
  return [{ type: "unshadowAddresses" }, ...ended];
}

/**
 * Make before break: priority 0 is said once, and everything else goes on until the successor is heard. Released at once, the
 * addresses would be nobody's for the successor's skew.
 */
export function onResign(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  purpose: ResignPurpose,
): StepResult {
  if (state.phase !== "master") {
    if (purpose !== "stop" || state.phase === "initialize") return unchanged(state);
    return {
      // A handover that has just succeeded is seen to its end: the copy of the addresses, the announcements.
      state: { ...enter(config, state, "initialize", nowUs, "stopped"), farewell: state.farewell },
      actions: [transition(state.phase, "initialize", { code: "stopped", reason: "stopped" })],
    };
  }
  if (state.handover !== null) {
    // Already under way: only a stop changes how it ends.
    if (purpose !== "stop" || state.handover.purpose === "stop") return unchanged(state);
    return unchanged({ ...state, handover: { ...state.handover, purpose } });
  }
  const handover: Handover = {
    purpose,
    sinceUs: nowUs,
    releasesSent: 1,
    deadlineUs: nowUs + releaseWaitUs(config.advertIntervalUs),
  };
  return {
    state: { ...state, handover, advertDeadlineUs: null, announceDeadlineUs: null },
    actions: [{ type: "shadowAddresses" }, { type: "sendAdvert", priority: PRIORITY_RELEASE }],
  };
}

/** The successor speaks: let go in this very turn, before its gratuitous ARPs are followed by an answer of ours. */
export function succeed(
  config: InstanceParameters,
  state: InstanceState,
  handover: Handover,
  advert: AdvertEvent,
): StepResult {
  const { nowUs, source: successor } = advert;
  const { purpose } = handover;
  const reason = `handed over to ${successor}`;
  const phase = purpose === "stop" ? "initialize" : "backup";
  const isBackup = phase === "backup";
  const next: InstanceState = {
    ...enter(config, state, phase, nowUs, reason),
    farewell: farewellAfter(successor, nowUs, nowUs),
    isResting: purpose === "rest",
    heard: heardFrom(advert),
    masterAdvertUs: isBackup ? advert.intervalUs : config.advertIntervalUs,
    downDeadlineUs: isBackup ? nowUs + masterDownUs(config.priority, advert.intervalUs) : null,
  };
  return {
    state: next,
    actions: [
      { type: "releaseAddresses" },
      { type: "announceFor", successor },
      transition("master", phase, { code: "handed_over", reason }),
      { type: "handoverEnded", purpose, successor, tookUs: nowUs - handover.sinceUs, reason },
    ],
  };
}

/** The next announcement; those whose time has passed are made up for by this one. */
function farewellAfter(successor: IpText, sinceUs: number, nowUs: number): Farewell | null {
  const offsetUs = FAREWELL_OFFSETS_US.find((offset) => sinceUs + offset > nowUs);
  return offsetUs === undefined ? null : { successor, sinceUs, deadlineUs: sinceUs + offsetUs };
}

/** Nobody was heard in time: say it again, and in the end stay or go alone. */
export function onHandoverTick(
  config: InstanceParameters,
  state: InstanceState,
  handover: Handover,
  nowUs: number,
): StepResult {
  if (!isDue(handover.deadlineUs, nowUs)) return unchanged(state);
  if (handover.releasesSent < RELEASES_MAX) {
    const next: Handover = {
      ...handover,
      releasesSent: handover.releasesSent + 1,
      deadlineUs: nowUs + releaseWaitUs(config.advertIntervalUs),
    };
    return { state: { ...state, handover: next }, actions: [{ type: "sendAdvert", priority: PRIORITY_RELEASE }] };
  }
  const tookUs = nowUs - handover.sinceUs;
  const silence = `no other director answered within ${formatMeasuredUs(tookUs)}`;
  const undo = dropHandover(state, nowUs, silence);
  if (handover.purpose !== "stop") {
    // Alone there is nobody to serve instead, not even where the rest of a group is.
    return {
      state: {
        ...state,
        handover: null,
        advertDeadlineUs: nowUs + config.advertIntervalUs,
        lastAdvertUs: nowUs,
      },
      actions: [{ type: "sendAdvert", priority: config.priority }, ...undo],
    };
  }
  const reason = `stopped; ${silence}`;
  return {
    state: enter(config, state, "initialize", nowUs, reason),
    actions: [{ type: "releaseAddresses" }, ...undo, transition("master", "initialize", { code: "stopped", reason })],
  };
}

/**
 * Two may have taken over at the same moment, and the one that was heard first may have given way since: neighbours are told
 * of the one that spoke last. It must not be told wrong once more after the other has announced itself.
 */
export function farewellFollows(state: InstanceState, advert: AdvertEvent): InstanceState {
  const { farewell } = state;
  if (farewell === null || advert.priority === PRIORITY_RELEASE) return state;
  return { ...state, farewell: { ...farewell, successor: advert.source } };
}

/** Announces for the successor again; after the last time the copies go. */
export function onFarewellTick(state: InstanceState, farewell: Farewell, nowUs: number): StepResult {
  if (!isDue(farewell.deadlineUs, nowUs)) return unchanged(state);
  const next = farewellAfter(farewell.successor, farewell.sinceUs, nowUs);
  const actions: InstanceAction[] = [{ type: "announceFor", successor: farewell.successor }];
  if (next === null) actions.push({ type: "unshadowAddresses" });
  return { state: { ...state, farewell: next }, actions };
}
