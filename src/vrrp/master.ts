import { formatMeasuredUs } from "../base/duration.ts";
import { compareIp } from "../base/ip.ts";
import { PRIORITY_OWNER, PRIORITY_RELEASE } from "./advert.ts";
import { onHandoverTick, succeed } from "./handover.ts";
import type { InstanceAction, InstanceParameters, InstanceState, StepResult } from "./instance-model.ts";
import { ADVERT_INTERVAL_MIN_CS, csToUs, DOWN_INTERVALS } from "./timing.ts";
import {
  ADDRESS_RETRY_US,
  type AdvertEvent,
  enter,
  isDue,
  laterAnnouncementUs,
  listenTo,
  SECOND_ANNOUNCE_US,
  secondLookUs,
  silenceUs,
  transition,
  unchanged,
} from "./transitions.ts";

/** Only the repeats below answer a foreign advert sooner than this after another, so that a babbler cannot make us flood. */
export const DEFENCE_INTERVAL_US = 1_000_000;
/**
 * What is heard from a lower router sooner is answered by another burst, this long after the first: its own gratuitous ARPs follow
 * its advert, and so may come after the burst that answered the advert.
 */
export const DEFENCE_REPEATS_US = [20_000, 100_000, 200_000, 400_000, 700_000] as const;
/** Answers to lower routers are at least this far apart, the shortest interval there is: a flood is not answered by a flood. */
export const ANSWER_INTERVAL_US = csToUs(ADVERT_INTERVAL_MIN_CS);

export function onMasterTick(config: InstanceParameters, before: InstanceState, nowUs: number): StepResult {
  const { handover } = before;
  const resigned = handover === null ? unchanged(before) : onHandoverTick(config, before, handover, nowUs);
  const { state } = resigned;
  if (state.phase !== "master") return resigned;
  const silentUs = silenceUs(state, nowUs);
  const hasStalled = isDue(state.advertDeadlineUs, nowUs) && silentUs >= DOWN_INTERVALS * config.advertIntervalUs;
  if (hasStalled && config.preempt.mode !== "always" && config.priority !== PRIORITY_OWNER) {
    return listenAfterStall(config, state, nowUs, silentUs);
  }
  const actions: InstanceAction[] = [...resigned.actions];
  let next = state;
  if (isDue(state.advertDeadlineUs, nowUs)) {
    actions.push({ type: "sendAdvert", priority: config.priority });
    const advertDeadlineUs = anchored(state.advertDeadlineUs, config.advertIntervalUs, nowUs);
    next = { ...next, advertDeadlineUs, lastAdvertUs: nowUs };
  }
  if (isDue(state.retryDeadlineUs, nowUs)) {
    actions.push({ type: "holdAddresses" }, { type: "announce" });
    next = { ...next, retryDeadlineUs: null };
  }
  if (hasStalled) {
    // A lower peer that took over meanwhile withdraws on this advert, but neighbours still send to it.
    actions.push({ type: "announce" }, stallWarning(silentUs, "advertised and announced again"));
    next = { ...next, announceDeadlineUs: nowUs + SECOND_ANNOUNCE_US, lastDefenceUs: nowUs };
  } else if (isDue(state.announceDeadlineUs, nowUs)) {
    actions.push({ type: "announce" });
    next = { ...next, ...afterAnnouncing(next, nowUs) };
  }
  return { state: next, actions };
}

/**
 * A burst that repeated a defence is followed by the usual second one; one a whole interval later is a defence itself. Those of a
 * succession follow each other at their times.
 */
function afterAnnouncing(
  { lastDefenceUs, sinceUs: takenOverUs, heard }: InstanceState,
  nowUs: number,
): Pick<InstanceState, "announceDeadlineUs" | "lastDefenceUs"> {
  if (lastDefenceUs === null || nowUs >= lastDefenceUs + SECOND_ANNOUNCE_US)
    return { announceDeadlineUs: null, lastDefenceUs };
  if (lastDefenceUs === takenOverUs && heard?.priority === PRIORITY_RELEASE)
    return { announceDeadlineUs: laterAnnouncementUs(heard, takenOverUs, nowUs), lastDefenceUs };
  const sinceUs = nowUs - lastDefenceUs >= DEFENCE_INTERVAL_US ? nowUs : lastDefenceUs;
  return { announceDeadlineUs: sinceUs + SECOND_ANNOUNCE_US, lastDefenceUs: sinceUs };
}

/** A peer may have become master meanwhile, and it is not to be preempted. */
function listenAfterStall(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  silentUs: number,
): StepResult {
  const reason = `this process stood still for ${formatMeasuredUs(silentUs)}, and it does not preempt; listening first`;
  const quiet = enter(config, state, "backup", nowUs, reason);
  return {
    state: { ...quiet, downDeadlineUs: nowUs + secondLookUs(config, quiet) },
    actions: [{ type: "releaseAddresses" }, transition("master", "backup", { code: "stalled", reason })],
  };
}

function stallWarning(silentUs: number, remedy: string): InstanceAction {
  return {
    type: "warn",
    code: "stalled",
    message: `this process stood still for ${formatMeasuredUs(silentUs)}, long enough for a peer to take over; ${remedy}`,
  };
}

/** The next deadline counts from the last one, so that a late wake-up does not shift the cadence; missed ones are skipped. */
function anchored(deadlineUs: number, intervalUs: number, nowUs: number): number {
  const next = deadlineUs + intervalUs;
  return next > nowUs ? next : nowUs + intervalUs;
}

export function onAdvertInMaster(config: InstanceParameters, state: InstanceState, advert: AdvertEvent): StepResult {
  const { nowUs } = advert;
  if (state.handover !== null) {
    return advert.priority === PRIORITY_RELEASE ? unchanged(state) : succeed(config, state, state.handover, advert);
  }
  if (advert.priority === PRIORITY_RELEASE) return answered(config, state, nowUs);
  const wins =
    advert.priority > config.priority ||
    (advert.priority === config.priority && state.source !== null && compareIp(advert.source, state.source) > 0);
  const tie = advert.priority === config.priority ? ", the higher address at equal priority" : "";
  if (wins) return yieldTo(config, state, advert, `${advert.source} advertises priority ${advert.priority}${tie}`);
  const silentUs = silenceUs(state, nowUs);
  const isReplaced = config.preempt.mode !== "always" && silentUs >= DOWN_INTERVALS * config.advertIntervalUs;
  if (isReplaced && config.priority !== PRIORITY_OWNER) {
    const reason = `${advert.source} took over while this process stood still for ${formatMeasuredUs(silentUs)}, and it does not preempt`;
    return listenTo(config, state, advert, { code: "stalled", reason });
  }
  return defend(config, state, advert);
}

/**
 * Gives way to a winner. The last advert goes out before: after a split it tells the winner, who may not have heard us until
 * now, that there were two, and that switches and neighbours must hear from it where the addresses are.
 */
function yieldTo(config: InstanceParameters, state: InstanceState, advert: AdvertEvent, reason: string): StepResult {
  const quiet = listenTo(config, state, advert, { code: "outranked", reason });
  return {
    ...quiet,
    actions: [
      { type: "sendAdvert", priority: config.priority },
      ...splitWarnings(config, state, advert),
      ...quiet.actions,
    ],
  };
}

/** The master that had fallen silent when this one took over is heard again: it may never have stopped. */
function splitWarnings(
  config: InstanceParameters,
  { heard, sinceUs }: InstanceState,
  { source, priority, nowUs }: AdvertEvent,
): readonly InstanceAction[] {
  if (heard === null || heard.address !== source || heard.priority === PRIORITY_RELEASE) return [];
  const lasted = formatMeasuredUs(nowUs - sinceUs);
  const message = `${source} (priority ${priority}), silent when this node (priority ${config.priority}) took over, advertises as master again; there may have been two masters for ${lasted}, now this node withdraws`;
  return [{ type: "warn", code: "split_brain", message }];
}

/** A lower router thinks it is master: answer at once (RFC 9568 section 6.4.3), and repair the tables of switches and neighbours. */
function defend(config: InstanceParameters, state: InstanceState, advert: AdvertEvent): StepResult {
  const { nowUs } = advert;
  const answer = answered(config, state, nowUs);
  if (state.lastDefenceUs !== null && nowUs - state.lastDefenceUs < DEFENCE_INTERVAL_US) {
    const announceDeadlineUs = Math.min(
      state.announceDeadlineUs ?? Number.POSITIVE_INFINITY,
      repeatUs(state.lastDefenceUs, nowUs),
    );
    return { ...answer, state: { ...answer.state, announceDeadlineUs } };
  }
  return {
    state: { ...answer.state, lastDefenceUs: nowUs, announceDeadlineUs: nowUs + SECOND_ANNOUNCE_US },
    actions: [
      ...answer.actions,
      { type: "announce" },
      {
        type: "warn",
        code: "split_brain",
        message: `${advert.source} also advertises as master, with priority ${advert.priority}; answered with priority ${config.priority} and announced the addresses again`,
      },
    ],
  };
}

/** When the addresses may be announced again, this soon after a defence. */
function repeatUs(lastDefenceUs: number, nowUs: number): number {
  const offsets = [...DEFENCE_REPEATS_US, DEFENCE_INTERVAL_US];
  return lastDefenceUs + (offsets.find((offsetUs) => lastDefenceUs + offsetUs > nowUs) ?? DEFENCE_INTERVAL_US);
}

/** An advert at once, or as soon as the last one is not too fresh. */
function answered(config: InstanceParameters, state: InstanceState, nowUs: number): StepResult {
  const earliestUs = nowUs + ANSWER_INTERVAL_US - silenceUs(state, nowUs);
  if (earliestUs > nowUs) {
    return unchanged({ ...state, advertDeadlineUs: Math.min(state.advertDeadlineUs ?? earliestUs, earliestUs) });
  }
  return {
    state: { ...state, advertDeadlineUs: nowUs + config.advertIntervalUs, lastAdvertUs: nowUs },
    actions: [{ type: "sendAdvert", priority: config.priority }],
  };
}

/** What is told and served follows the configuration at once. */
export function onReconfiguredInMaster(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  addressesChanged: boolean,
): StepResult {
  if (state.handover !== null) {
    // Resigning: no advert may go out, but what is served until then is what is configured.
    return { state, actions: addressesChanged ? [{ type: "holdAddresses" }, { type: "shadowAddresses" }] : [] };
  }
  const actions: InstanceAction[] = [{ type: "sendAdvert", priority: config.priority }];
  if (addressesChanged) actions.push({ type: "holdAddresses" }, { type: "announce" });
  const announceDeadlineUs = addressesChanged ? nowUs + SECOND_ANNOUNCE_US : state.announceDeadlineUs;
  const advertDeadlineUs = nowUs + config.advertIntervalUs;
  return { state: { ...state, advertDeadlineUs, lastAdvertUs: nowUs, announceDeadlineUs }, actions };
}

/** Somebody removed an address: put back at once, and then once a second at most. */
export function onAddressLost(state: InstanceState, nowUs: number): StepResult {
  const againUs = (state.lastRestoreUs ?? Number.NEGATIVE_INFINITY) + ADDRESS_RETRY_US;
  if (nowUs < againUs) return unchanged({ ...state, retryDeadlineUs: againUs });
  return {
    state: { ...state, lastRestoreUs: nowUs, announceDeadlineUs: nowUs + SECOND_ANNOUNCE_US },
    actions: [
      { type: "holdAddresses" },
      { type: "announce" },
      {
        type: "warn",
        code: "address_lost",
        message: "a virtual address was removed by somebody else; put back and announced again",
      },
    ],
  };
}
