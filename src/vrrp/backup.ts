import { formatMeasuredUs } from "../base/duration.ts";
import { PRIORITY_OWNER, PRIORITY_RELEASE } from "./advert.ts";
import type { InstanceParameters, InstanceState, StepResult, TransitionCause } from "./instance-model.ts";
import { masterDownUs, skewUs } from "./timing.ts";
import { type AdvertEvent, heardFrom, isDue, secondLookUs, takeOver, unchanged } from "./transitions.ts";

/** Takes over when the master has been silent for its down interval. */
export function onBackupTick(config: InstanceParameters, state: InstanceState, nowUs: number): StepResult {
  return isDue(state.downDeadlineUs, nowUs)
    ? onMasterDown(config, state, state.downDeadlineUs, nowUs)
    : unchanged(state);
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
        message: `this process stood still for ${formatMeasuredUs(lateUs)} and missed its time to take over; listening once more before`,
      },
    ],
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
  const reason = `no advert accepted from master ${address} (priority ${priority}), last heard ${formatMeasuredUs(silentUs)} ago`;
  return { code: "master_silent", reason };
}

export function onAdvertInBackup(config: InstanceParameters, before: InstanceState, advert: AdvertEvent): StepResult {
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

/** The timer keeps running: reloads in a row must not put off a takeover that is due. */
export function onReconfiguredInBackup(config: InstanceParameters, state: InstanceState, nowUs: number): StepResult {
  // Until a master is heard the own interval rules; afterwards the learned one goes on, only the skew changes.
  const masterAdvertUs = state.heard === null ? config.advertIntervalUs : state.masterAdvertUs;
  const freshUs = nowUs + masterDownUs(config.priority, masterAdvertUs);
  return unchanged({ ...state, masterAdvertUs, downDeadlineUs: Math.min(state.downDeadlineUs ?? freshUs, freshUs) });
}
