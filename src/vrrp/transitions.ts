import { PRIORITY_RELEASE } from "./advert.ts";
import type {
  InstanceAction,
  InstanceEvent,
  InstanceParameters,
  InstanceState,
  Phase,
  StepResult,
  TransitionCause,
} from "./instance-model.ts";
import { masterDownUs, skewUs } from "./timing.ts";

/** Gratuitous ARPs are repeated this long after the first burst: frames get lost and switches learn late. */
export const SECOND_ANNOUNCE_US = 5_000_000;
/**
 * And this long after a predecessor's goodbye was followed: while both had the address, somebody may have asked for it and believed
 * the predecessor. It announces for its successor, but not every predecessor can.
 */
export const SUCCESSION_OFFSETS_US = [20_000, 200_000, 1_000_000] as const;

/** Addresses that the kernel refused, or that somebody keeps removing, are tried again after this long. */
export const ADDRESS_RETRY_US = 1_000_000;

export type AdvertEvent = Extract<InstanceEvent, { readonly type: "advert" }>;

export function initialState(config: InstanceParameters, nowUs: number): InstanceState {
  return {
    phase: "initialize",
    sinceUs: nowUs,
    reason: "not started",
    source: null,
    masterAdvertUs: config.advertIntervalUs,
    downDeadlineUs: null,
    advertDeadlineUs: null,
    lastAdvertUs: null,
    announceDeadlineUs: null,
    retryDeadlineUs: null,
    preemptDeadlineUs: null,
    lastDefenceUs: null,
    lastRestoreUs: null,
    handover: null,
    farewell: null,
    isResting: false,
    isReclaiming: false,
    silence: null,
    isSecondLook: false,
    heard: null,
  };
}

export function unchanged(state: InstanceState): StepResult {
  return { state, actions: [] };
}

/** Enters a phase with every timer off; the caller starts those of the new phase. Only a new mastership ends a rest. */
export function enter(
  config: InstanceParameters,
  state: InstanceState,
  phase: Phase,
  nowUs: number,
  reason: string,
): InstanceState {
  const { source, heard } = state;
  const isResting = state.isResting && phase !== "master";
  return { ...initialState(config, nowUs), phase, reason, source, heard, isResting };
}

export function transition(from: Phase, to: Phase, { code, reason }: TransitionCause): InstanceAction {
  return { type: "transition", from, to, code, reason };
}

export function takeOver(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  cause: TransitionCause,
): StepResult {
  return {
    state: {
      ...enter(config, state, "master", nowUs, cause.reason),
      advertDeadlineUs: nowUs + config.advertIntervalUs,
      lastAdvertUs: nowUs,
      announceDeadlineUs: laterAnnouncementUs(state.heard, nowUs, nowUs),
      // The old master may say a last word; the bursts of the takeover answer that.
      lastDefenceUs: nowUs,
    },
    actions: [
      ...advertAndHold(config, state.heard),
      { type: "announce" },
      ...(state.farewell === null ? [] : [{ type: "unshadowAddresses" } as const]),
      transition(state.phase, "master", cause),
    ],
  };
}

/**
 * A predecessor that said goodbye lets go when it hears the advert, and sends its clients here: the addresses have to be here by
 * then. Any other may hold them still and withdraws on the advert, so that goes first. Announcements follow both.
 */
function advertAndHold(config: InstanceParameters, heard: InstanceState["heard"]): readonly InstanceAction[] {
  const advert: InstanceAction = { type: "sendAdvert", priority: config.priority };
  const hold: InstanceAction = { type: "holdAddresses" };
  return heard?.priority === PRIORITY_RELEASE ? [hold, advert] : [advert, hold];
}

/**
 * When a router that became master announces its addresses again.
 * @param heard what was heard last before; a goodbye makes it a succession
 * @param sinceUs when it became master
 */
export function laterAnnouncementUs(heard: InstanceState["heard"], sinceUs: number, nowUs: number): number {
  const offsets = heard?.priority === PRIORITY_RELEASE ? SUCCESSION_OFFSETS_US : [];
  return sinceUs + (offsets.find((offsetUs) => sinceUs + offsetUs > nowUs) ?? SECOND_ANNOUNCE_US);
}

/** Listens for one full down interval; nobody is known to be master yet. */
export function listen(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  cause: TransitionCause,
): StepResult {
  return {
    state: {
      ...enter(config, state, "backup", nowUs, cause.reason),
      downDeadlineUs: nowUs + masterDownUs(config.priority, config.advertIntervalUs),
    },
    actions: [
      ...(state.farewell === null ? [] : [{ type: "unshadowAddresses" } as const]),
      transition(state.phase, "backup", cause),
    ],
  };
}

/** What a master does on its way out: tell the backups, then let go. */
export function leave(state: InstanceState): readonly InstanceAction[] {
  return state.phase === "master"
    ? [{ type: "sendAdvert", priority: PRIORITY_RELEASE }, { type: "releaseAddresses" }]
    : [];
}

export function isDue(deadlineUs: number | null, nowUs: number): deadlineUs is number {
  return deadlineUs !== null && deadlineUs <= nowUs;
}

/** How long no advert was sent, in master. */
export function silenceUs(state: InstanceState, nowUs: number): number {
  return nowUs - (state.lastAdvertUs ?? nowUs);
}

export function heardFrom(advert: AdvertEvent): InstanceState["heard"] {
  return { address: advert.source, priority: advert.priority, atUs: advert.nowUs };
}

export function listenTo(
  config: InstanceParameters,
  state: InstanceState,
  advert: AdvertEvent,
  cause: TransitionCause,
): StepResult {
  return {
    state: {
      ...enter(config, state, "backup", advert.nowUs, cause.reason),
      heard: heardFrom(advert),
      masterAdvertUs: advert.intervalUs,
      downDeadlineUs: advert.nowUs + masterDownUs(config.priority, advert.intervalUs),
    },
    actions: [{ type: "releaseAddresses" }, transition("master", "backup", cause)],
  };
}

/** One interval of the master, and the skew that keeps candidates in order. */
export function secondLookUs(config: InstanceParameters, state: InstanceState): number {
  return state.masterAdvertUs + skewUs(config.priority, state.masterAdvertUs);
}
