import { unreachable } from "../base/assert.ts";
import type { IpText } from "../base/ip.ts";
import { PRIORITY_OWNER } from "./advert.ts";
import { onAdvertInBackup, onBackupTick, onReconfiguredInBackup } from "./backup.ts";
import { dropHandover, farewellFollows, onFarewellTick, onResign } from "./handover.ts";
import type {
  Fault,
  InstanceEvent,
  InstanceParameters,
  InstanceState,
  StepResult,
  TransitionCause,
} from "./instance-model.ts";
import { onAddressLost, onAdvertInMaster, onMasterTick, onReconfiguredInMaster } from "./master.ts";
import { fallSilent, onAdvertInSilence, onReclaim, onSilenceTick, silenceEnd } from "./silence.ts";
import {
  ADDRESS_RETRY_US,
  type AdvertEvent,
  enter,
  isDue,
  leave,
  listen,
  takeOver,
  transition,
  unchanged,
} from "./transitions.ts";

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
      return state.phase === "master" ? onAddressLost(state, event.nowUs) : unchanged(state);
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
  const looked = onListenerTick(config, state, nowUs);
  return looked.state.phase === "master" ? looked : withLooseEnds(looked, nowUs);
}

function onListenerTick(config: InstanceParameters, state: InstanceState, nowUs: number): StepResult {
  if (state.silence !== null) return onSilenceTick(config, state, state.silence, nowUs);
  return state.phase === "backup" ? onBackupTick(config, state, nowUs) : unchanged(state);
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

function onAdvert(config: InstanceParameters, before: InstanceState, advert: AdvertEvent): StepResult {
  const state = farewellFollows(before, advert);
  if (state.phase === "backup") return onAdvertInBackup(config, state, advert);
  if (state.phase === "master") return onAdvertInMaster(config, state, advert);
  return state.silence === null ? unchanged(state) : onAdvertInSilence(config, state, state.silence, advert);
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
  if (state.phase === "master") return onReconfiguredInMaster(config, state, nowUs, addressesChanged);
  return state.phase === "backup" ? onReconfiguredInBackup(config, state, nowUs) : unchanged(state);
}
