import { unreachable } from "../base/assert.ts";
import { formatDurationUs } from "../base/duration.ts";
import { compareIp, type IpText } from "../base/ip.ts";
import { PRIORITY_OWNER, PRIORITY_RELEASE } from "./advert.ts";
import { dropHandover, farewellFollows, onFarewellTick, onHandoverTick, onResign, succeed } from "./handover.ts";
import type {
  Fault,
  InstanceAction,
  InstanceEvent,
  InstanceParameters,
  InstanceState,
  StepResult,
  TransitionCause,
} from "./instance-model.ts";
import { fallSilent, onAdvertInSilence, onReclaim, onSilenceTick, silenceEnd } from "./silence.ts";
import { ADVERT_INTERVAL_MIN_CS, csToUs, DOWN_INTERVALS, masterDownUs, skewUs } from "./timing.ts";
import {
  type AdvertEvent,
  enter,
  heardFrom,
  isDue,
  laterAnnouncementUs,
  leave,
  listen,
  listenTo,
  SECOND_ANNOUNCE_US,
  silenceUs,
  takeOver,
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
/** Addresses that the kernel refused, or that somebody keeps removing, are tried again after this long. */
export const ADDRESS_RETRY_US = 1_000_000;
/** Answers to lower routers are at least this far apart, the shortest interval there is: a flood is not answered by a flood. */
export const ANSWER_INTERVAL_US = csToUs(ADVERT_INTERVAL_MIN_CS);

/** The earliest instant at which a tick would do something; undefined = only events do. */
export function nextDeadlineUs(state: InstanceState): number | undefined {
  const deadlines = [
    state.downDeadlineUs,
    state.advertDeadlineUs,
    state.announceDeadlineUs,
    state.retryDeadlineUs,
    state.handover?.deadlineUs ?? null,
    state.farewell?.deadlineUs ?? null,
    state.silence?.servedByUs ?? null,
    state.silence?.untilUs ?? null,
  ];
  const running = deadlines.filter((deadline) => deadline !== null);
  return running.length === 0 ? undefined : Math.min(...running);
}

/**
 * The VRRP state machine (RFC 9568 section 6.4), one event at a time: pure, no clock, no input or output.
 * Actions are to be performed in their order; on a takeover the advert goes before the addresses, so that the old master
 * has withdrawn when the gratuitous ARPs go out; after a goodbye the addresses go first.
 * @param config the parameters in force now
 * @param event what happened, with the time it was noticed
 */
export function step(config: InstanceParameters, state: InstanceState, event: InstanceEvent): StepResult {
  const result = advance(config, state, event);
  const end = silenceEnd(state, result.state, event.nowUs);
  return end.length === 0 ? result : { ...result, actions: [...result.actions, ...end] };
}

function advance(config: InstanceParameters, state: InstanceState, event: InstanceEvent): StepResult {
  switch (event.type) {
    case "start":
      return onStart(config, state, event);
    case "shutdown":
      return onShutdown(config, state, event.nowUs);
    case "resign":
      return onResign(config, state, event.nowUs, event.purpose);
    case "silence":
      return fallSilent(config, state, event.nowUs, event.forUs);
    case "reclaim":
      return onReclaim(config, state, event.nowUs, event.preempts);
    case "join":
      return state.phase === "backup"
        ? takeOver(config, state, event.nowUs, { code: "group", reason: event.reason })
        : unchanged(state);
    case "tick":
      return onTick(config, state, event.nowUs);
    case "advert":
      return onAdvert(config, state, event);
    case "condition":
      return onCondition(config, state, event.nowUs, event.fault, event.source);
    case "reconfigured":
      return onReconfigured(config, state, event.nowUs, event.addressesChanged);
    case "addressesRefused":
      return state.phase === "initialize"
        ? unchanged(state)
        : { state: { ...state, retryDeadlineUs: event.nowUs + ADDRESS_RETRY_US }, actions: [] };
    case "addressLost":
      return onAddressLost(state, event.nowUs);
    default:
      return unreachable(event);
  }
}

function onStart(
  config: InstanceParameters,
  before: InstanceState,
  event: Extract<InstanceEvent, { readonly type: "start" }>,
): StepResult {
  if (before.phase !== "initialize") return unchanged(before);
  const { nowUs, fault, source } = event;
  const state = { ...before, source, isResting: before.isResting || event.isResting };
  if (fault !== null) {
    return {
      state: enter(config, state, "fault", nowUs, fault),
      actions: [
        ...dropHandover(state, nowUs, fault),
        transition(state.phase, "fault", { code: "fault", reason: fault }),
      ],
    };
  }
  if (event.resumes) {
    const reason = "resumes: it was master a moment ago, and no peer can have taken over since";
    return takeOver(config, state, nowUs, { code: "resumed", reason });
  }
  return usable(config, state, nowUs, { code: "started", reason: "started" });
}

function usable(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  { code, reason }: TransitionCause,
): StepResult {
  if (config.priority !== PRIORITY_OWNER || state.isResting)
    return listen(config, state, nowUs, { code, reason: `${reason}; listening for a master` });
  const owns = `${reason}; priority 255 owns the address and does not wait`;
  return takeOver(config, state, nowUs, { code: "owner", reason: owns });
}

function onShutdown(config: InstanceParameters, state: InstanceState, nowUs: number): StepResult {
  if (state.phase === "initialize") {
    return { state: { ...state, farewell: null }, actions: dropHandover(state, nowUs, "stopped") };
  }
  return {
    state: enter(config, state, "initialize", nowUs, "stopped"),
    actions: [
      ...leave(state),
      ...dropHandover(state, nowUs, "stopped"),
      transition(state.phase, "initialize", { code: "stopped", reason: "stopped" }),
    ],
  };
}

function onTick(config: InstanceParameters, state: InstanceState, nowUs: number): StepResult {
  if (state.phase === "master") return onMasterTick(config, state, nowUs);
  if (state.silence !== null) {
    const looked = onSilenceTick(config, state, state.silence, nowUs);
    return looked.state.phase === "master" ? looked : withLooseEnds(looked, nowUs);
  }
  const isDown = state.phase === "backup" && isDue(state.downDeadlineUs, nowUs);
  const looked = isDown ? onMasterDown(config, state, state.downDeadlineUs ?? nowUs, nowUs) : unchanged(state);
  return looked.state.phase === "master" ? looked : withLooseEnds(looked, nowUs);
}

/** What is left of an earlier mastership, while another router serves. */
function withLooseEnds(before: StepResult, nowUs: number): StepResult {
  const { farewell } = before.state;
  const said = farewell === null ? unchanged(before.state) : onFarewellTick(before.state, farewell, nowUs);
  const actions = [...before.actions, ...said.actions];
  if (!isDue(said.state.retryDeadlineUs, nowUs)) return { state: said.state, actions };
  // Only a master holds addresses: what the kernel would not remove is tried again.
  return { state: { ...said.state, retryDeadlineUs: null }, actions: [...actions, { type: "releaseAddresses" }] };
}

function onMasterDown(config: InstanceParameters, state: InstanceState, dueUs: number, nowUs: number): StepResult {
  const lateUs = nowUs - dueUs;
  // After a standstill of the machine nothing waits in the socket, although the master may live: listen once more.
  if (lateUs < state.masterAdvertUs || state.isSecondLook) {
    return takeOver(config, state, nowUs, takeoverCause(config, state, nowUs));
  }
  return {
    state: { ...state, isSecondLook: true, downDeadlineUs: nowUs + secondLookUs(config, state) },
    actions: [
      {
        type: "warn",
        code: "stalled",
        message: `this process stood still for ${ago(lateUs)} and missed its time to take over; listening once more before`,
      },
    ],
  };
}

/** One interval of the master, and the skew that keeps candidates in order. */
function secondLookUs(config: InstanceParameters, state: InstanceState): number {
  return state.masterAdvertUs + skewUs(config.priority, state.masterAdvertUs);
}

function onMasterTick(config: InstanceParameters, before: InstanceState, nowUs: number): StepResult {
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
  const reason = `this process stood still for ${ago(silentUs)}, and it does not preempt; listening first`;
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
    message: `this process stood still for ${ago(silentUs)}, long enough for a peer to take over; ${remedy}`,
  };
}

function takeoverCause(config: InstanceParameters, state: InstanceState, nowUs: number): TransitionCause {
  const { heard } = state;
  if (heard === null) return { code: "no_master", reason: "no master was heard" };
  const { address, priority } = heard;
  if (priority === PRIORITY_RELEASE) return { code: "master_resigned", reason: `master ${address} resigned` };
  const silentUs = nowUs - heard.atUs;
  if (priority < config.priority && silentUs <= state.masterAdvertUs) {
    const reason = `preempts ${address} (priority ${priority}) with priority ${config.priority}`;
    return { code: "preempts", reason };
  }
  const reason = `no advert accepted from master ${address} (priority ${priority}), last heard ${ago(silentUs)} ago`;
  return { code: "master_silent", reason };
}

function ago(us: number): string {
  return formatDurationUs(Math.round(us / 1000) * 1000);
}

/** The next deadline counts from the last one, so that a late wake-up does not shift the cadence; missed ones are skipped. */
function anchored(deadlineUs: number, intervalUs: number, nowUs: number): number {
  const next = deadlineUs + intervalUs;
  return next > nowUs ? next : nowUs + intervalUs;
}

function onAdvert(config: InstanceParameters, before: InstanceState, advert: AdvertEvent): StepResult {
  const state = farewellFollows(before, advert);
  if (state.phase === "backup") return onAdvertInBackup(config, state, advert);
  if (state.phase === "master") return onAdvertInMaster(config, state, advert);
  return state.silence === null ? unchanged(state) : onAdvertInSilence(config, state, state.silence, advert);
}

function onAdvertInBackup(config: InstanceParameters, before: InstanceState, advert: AdvertEvent): StepResult {
  const state = before.isSecondLook ? { ...before, isSecondLook: false } : before;
  if (advert.priority === PRIORITY_RELEASE) {
    // From any source: the skew alone orders the candidates. But where another one has already been heard in its place, a
    // goodbye that was overtaken on the way, or is said again, must not start an election against a living master.
    if (isSucceeded(state, advert)) return unchanged(state);
    const downDeadlineUs = advert.nowUs + skewUs(config.priority, state.masterAdvertUs);
    return { state: { ...state, heard: heardFrom(advert), downDeadlineUs, preemptDeadlineUs: null }, actions: [] };
  }
  if (advert.priority >= config.priority)
    return acceptMaster(config, { ...state, preemptDeadlineUs: null, isReclaiming: false }, advert);
  if (state.isResting) return acceptMaster(config, state, advert);
  const { preempt } = config;
  if (config.priority === PRIORITY_OWNER || preempt.mode === "always" || state.isReclaiming)
    return discardLower(state, advert);
  if (preempt.mode === "never") return acceptMaster(config, state, advert);
  const preemptDeadlineUs = state.preemptDeadlineUs ?? advert.nowUs + preempt.delayUs;
  if (advert.nowUs >= preemptDeadlineUs) return discardLower(state, advert);
  return acceptMaster(config, { ...state, preemptDeadlineUs }, advert);
}

function isSucceeded({ heard, masterAdvertUs }: InstanceState, { source, nowUs }: AdvertEvent): boolean {
  if (heard === null || heard.address === source || heard.priority === PRIORITY_RELEASE) return false;
  return nowUs - heard.atUs < masterAdvertUs;
}

/** The down timer keeps running, so that this router takes over from the lower one when it ends. */
function discardLower(state: InstanceState, advert: AdvertEvent): StepResult {
  return { state: { ...state, heard: heardFrom(advert) }, actions: [] };
}

function acceptMaster(config: InstanceParameters, state: InstanceState, advert: AdvertEvent): StepResult {
  return {
    state: {
      ...state,
      heard: heardFrom(advert),
      masterAdvertUs: advert.intervalUs,
      downDeadlineUs: advert.nowUs + masterDownUs(config.priority, advert.intervalUs),
    },
    actions: [],
  };
}

function onAdvertInMaster(config: InstanceParameters, state: InstanceState, advert: AdvertEvent): StepResult {
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
    const reason = `${advert.source} took over while this process stood still for ${ago(silentUs)}, and it does not preempt`;
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
  const lasted = ago(nowUs - sinceUs);
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

function onCondition(
  config: InstanceParameters,
  before: InstanceState,
  nowUs: number,
  fault: Fault | null,
  source: IpText | null,
): StepResult {
  const state = { ...before, source };
  if (state.phase === "initialize") return unchanged(state);
  if (state.phase === "fault") {
    // News of the interface and of the group does not wake who plays dead; a fault of its own ends the play.
    if (state.silence !== null && fault === null) return unchanged(state);
    if (state.silence !== null && fault !== null)
      return unchanged({ ...enter(config, state, "fault", nowUs, fault), retryDeadlineUs: state.retryDeadlineUs });
    if (fault === null) return usable(config, state, nowUs, { code: "recovered", reason: `${state.reason} no longer` });
    return unchanged({ ...state, reason: fault });
  }
  if (fault === null) return unchanged(state);
  // On the way out, that is the end: nobody would end it later, and without the fault it would serve again.
  const isStopping = before.handover?.purpose === "stop";
  const phase = isStopping ? "initialize" : "fault";
  const reason = isStopping ? `stopped; ${fault}` : fault;
  return {
    state: enter(config, state, phase, nowUs, reason),
    actions: [
      ...leave(before),
      ...dropHandover(before, nowUs, fault),
      transition(state.phase, phase, { code: isStopping ? "stopped" : "fault", reason }),
    ],
  };
}

function onReconfigured(
  config: InstanceParameters,
  state: InstanceState,
  nowUs: number,
  addressesChanged: boolean,
): StepResult {
  if (state.phase === "master" && state.handover !== null) {
    // Resigning: no advert may go out, but what is served until then is what is configured.
    return { state, actions: addressesChanged ? [{ type: "holdAddresses" }, { type: "shadowAddresses" }] : [] };
  }
  if (state.phase === "master") {
    const actions: InstanceAction[] = [{ type: "sendAdvert", priority: config.priority }];
    if (addressesChanged) actions.push({ type: "holdAddresses" }, { type: "announce" });
    const announceDeadlineUs = addressesChanged ? nowUs + SECOND_ANNOUNCE_US : state.announceDeadlineUs;
    const advertDeadlineUs = nowUs + config.advertIntervalUs;
    return { state: { ...state, advertDeadlineUs, lastAdvertUs: nowUs, announceDeadlineUs }, actions };
  }
  if (state.phase === "backup") {
    // Until a master is heard the own interval rules; afterwards the learned one goes on, only the skew changes.
    const masterAdvertUs = state.heard === null ? config.advertIntervalUs : state.masterAdvertUs;
    // The timer keeps running: reloads in a row must not put off a takeover that is due.
    const freshUs = nowUs + masterDownUs(config.priority, masterAdvertUs);
    return {
      state: { ...state, masterAdvertUs, downDeadlineUs: Math.min(state.downDeadlineUs ?? freshUs, freshUs) },
      actions: [],
    };
  }
  return unchanged(state);
}

function onAddressLost(state: InstanceState, nowUs: number): StepResult {
  if (state.phase !== "master") return unchanged(state);
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
