import type { DrillMarks, DrillSettings, Move, Sample } from "./model.ts";

/** Answers without interruption for so long before anything is risked, and again before it is over. */
export const STEADY_US = 1_000_000;
/** How long the probe may take until it answers steadily: a login on another host is part of it. */
const PROBE_WAIT_US = 30_000_000;
/** A change of masters that a command asked for is told within its own bound, and this much later at most. */
const GRACE_US = 2_000_000;
/** The way back by preemption: three intervals, the skew, and one for what comes between. */
const RETURN_INTERVALS = 6;

/**
 * `asking`: the probe has to answer first. `proving`, `reverting`: before a takeover drill a handover shows that a peer is
 * there and lets the address go again. `event`, `steady`: the drill itself. `return`, `settling`: back to how it was.
 * `draining`: the last questions are waited for.
 */
export type DrillPhase =
  | "asking"
  | "proving"
  | "reverting"
  | "calm"
  | "event"
  | "steady"
  | "return"
  | "settling"
  | "draining"
  | "done";

/** Plain; times on the director's clock, microseconds. */
export interface DrillState {
  readonly phase: DrillPhase;
  /** When the phase ends at the latest. */
  readonly deadlineUs: number;
  /** The prober's zero on our clock, as near as its lines came; null = nothing was answered yet. */
  readonly offsetUs: number | null;
  /** Since when every question was answered, by the time of asking on the prober's clock. */
  readonly steadySinceUs: number | null;
  readonly lastAnsweredUs: number;
  readonly lastFailure: string;
  readonly marks: DrillMarks;
  readonly successor: string | null;
  /** How long it took until a peer was heard, as the vrrp process measured it. */
  readonly tookUs: number | null;
  /** Whether this director is master of every member now. */
  readonly isMaster: boolean;
  /** What went wrong beside the limits, one sentence each. */
  readonly faults: readonly string[];
  /** Why nothing was risked; null = something was. */
  readonly refusal: string | null;
}

export type DrillEvent =
  /** The probe is about to be started. */
  | { readonly type: "begin"; readonly nowUs: number }
  | { readonly type: "samples"; readonly nowUs: number; readonly samples: readonly Sample[] }
  /** The prober ended, by itself or because it was told to. */
  | { readonly type: "probeEnded"; readonly nowUs: number; readonly reason: string }
  /** What `handOver` or `fallSilent` brought about. */
  | { readonly type: "moved"; readonly nowUs: number; readonly moves: readonly Move[] }
  /** It was not even begun. */
  | { readonly type: "notMoved"; readonly nowUs: number; readonly reason: string }
  /** Whether this director is master of every member. */
  | { readonly type: "standing"; readonly nowUs: number; readonly isMaster: boolean }
  /** The director stops, or its vrrp process is gone. */
  | { readonly type: "abort"; readonly nowUs: number; readonly reason: string }
  | { readonly type: "tick"; readonly nowUs: number };

export type DrillAction =
  | { readonly type: "startProbe" }
  /** Ask nothing more; the last answers are still to come. */
  | { readonly type: "endProbe" }
  | { readonly type: "handOver" }
  | { readonly type: "fallSilent"; readonly forUs: number }
  | { readonly type: "reclaim" }
  | { readonly type: "finish" };

export interface DrillStep {
  readonly state: DrillState;
  readonly actions: readonly DrillAction[];
}

const NO_MARKS: DrillMarks = { eventUs: null, returnUs: null, returnedUs: null, endUs: null };

export function initialDrill(nowUs: number): DrillState {
  return {
    phase: "asking",
    deadlineUs: nowUs + PROBE_WAIT_US,
    offsetUs: null,
    steadySinceUs: null,
    lastAnsweredUs: 0,
    lastFailure: "",
    marks: NO_MARKS,
    successor: null,
    tookUs: null,
    isMaster: true,
    faults: [],
    refusal: null,
  };
}

/** How long answers must come without interruption: longer than a question may be under way, so that its failure is known. */
function steadyForUs({ probe }: DrillSettings): number {
  return Math.max(STEADY_US, probe.timeoutUs + STEADY_US / 5);
}

/** The dead man's return of a takeover: everything that is to happen before the drill itself ends the silence. */
export function silenceUs(settings: DrillSettings): number {
  const { advertIntervalUs, limits } = settings;
  return RETURN_INTERVALS * advertIntervalUs + limits.maxSteadyUs + steadyForUs(settings) + 3 * GRACE_US;
}

/**
 * One drill, one event at a time: pure, no clock, no input or output. Whatever happens, it ends, and every way to the end asks
 * for the address back where it was given away.
 */
export function stepDrill(settings: DrillSettings, state: DrillState, event: DrillEvent): DrillStep {
  if (state.phase === "done") return unchanged(state);
  switch (event.type) {
    case "begin":
      return { state, actions: [{ type: "startProbe" }] };
    case "samples":
      return advance(settings, heard(state, event.nowUs, event.samples), event.nowUs);
    case "standing":
      return advance(settings, { ...state, isMaster: event.isMaster }, event.nowUs);
    case "tick":
      return advance(settings, state, event.nowUs);
    case "moved":
      return onMoved(settings, state, event.nowUs, event.moves);
    case "notMoved":
      return state.phase === "proving" || state.phase === "event"
        ? refuse(settings, state, event.nowUs, event.reason)
        : unchanged(state);
    case "probeEnded":
      return onProbeEnded(settings, state, event.nowUs, event.reason);
    case "abort":
      return onAbort(state, event.nowUs, event.reason);
  }
}

function unchanged(state: DrillState): DrillStep {
  return { state, actions: [] };
}

function enter(
  state: DrillState,
  phase: DrillPhase,
  deadlineUs: number,
  ...actions: readonly DrillAction[]
): DrillStep {
  return { state: { ...state, phase, deadlineUs }, actions };
}

function heard(before: DrillState, nowUs: number, samples: readonly Sample[]): DrillState {
  let state = before;
  for (const { sentUs, tookUs, reason } of samples) {
    if (tookUs === null) {
      const isSteady = state.steadySinceUs !== null && state.steadySinceUs > sentUs;
      state = { ...state, lastFailure: reason, steadySinceUs: isSteady ? state.steadySinceUs : null };
      continue;
    }
    const offsetUs = Math.min(state.offsetUs ?? Number.POSITIVE_INFINITY, nowUs - sentUs - tookUs);
    state = {
      ...state,
      offsetUs,
      steadySinceUs: state.steadySinceUs ?? sentUs,
      lastAnsweredUs: Math.max(state.lastAnsweredUs, sentUs),
    };
  }
  return state;
}

/** Whether every question since `fromUs`, on our clock, was answered, and for long enough. */
function isSteadySince(settings: DrillSettings, state: DrillState, fromUs: number): boolean {
  const { steadySinceUs, offsetUs, lastAnsweredUs } = state;
  if (steadySinceUs === null || offsetUs === null) return false;
  return lastAnsweredUs - Math.max(steadySinceUs, fromUs - offsetUs) >= steadyForUs(settings);
}

/** What the present phase waits for may be there, or its time over. */
function advance(settings: DrillSettings, state: DrillState, nowUs: number): DrillStep {
  const isOver = nowUs >= state.deadlineUs;
  const { eventUs, returnedUs } = state.marks;
  switch (state.phase) {
    case "asking":
      if (isSteadySince(settings, state, Number.NEGATIVE_INFINITY)) return begin(settings, state, nowUs);
      return isOver ? refuse(settings, state, nowUs, unansweredSentence(settings, state)) : unchanged(state);
    case "reverting":
      if (state.isMaster) return enter(state, "calm", nowUs + GRACE_US + 2 * steadyForUs(settings));
      return isOver ? notReturned(settings, state, nowUs, "after it had shown that it is there") : unchanged(state);
    case "calm":
      if (!isSteadySince(settings, state, state.deadlineUs - GRACE_US - 2 * steadyForUs(settings)))
        return isOver ? refuse(settings, state, nowUs, unansweredSentence(settings, state)) : unchanged(state);
      return letGo(settings, state, nowUs);
    case "steady":
      return isOver || isSteadySince(settings, state, eventUs ?? nowUs)
        ? turnBack(settings, state, nowUs)
        : unchanged(state);
    case "return":
      if (state.isMaster) return settle(settings, { ...state, marks: { ...state.marks, returnedUs: nowUs } }, nowUs);
      return isOver ? notReturned(settings, state, nowUs, "in time") : unchanged(state);
    case "settling":
      return isOver || isSteadySince(settings, state, returnedUs ?? nowUs)
        ? wrapUp(settings, state, nowUs)
        : unchanged(state);
    // The commands have bounds of their own; whoever sends them tells `notMoved` at the latest.
    case "proving":
    case "event":
      return unchanged(state);
    case "draining":
      return isOver ? enter(state, "done", nowUs, { type: "finish" }) : unchanged(state);
    case "done":
      return unchanged(state);
  }
}

function unansweredSentence({ probe }: DrillSettings, { offsetUs, lastFailure }: DrillState): string {
  if (offsetUs !== null)
    return `${probe.target} does not answer steadily${lastFailure === "" ? "" : `: ${lastFailure}`}`;
  return `${probe.target} does not answer: ${lastFailure === "" ? "the prober says nothing" : lastFailure}`;
}

/** The address is served. A takeover would be an outage if nobody were there: a handover, which is none, shows that first. */
function begin(settings: DrillSettings, state: DrillState, nowUs: number): DrillStep {
  if (settings.kind === "handover") return letGo(settings, state, nowUs);
  return enter({ ...state, isMaster: false }, "proving", nowUs, { type: "handOver" });
}

function letGo(settings: DrillSettings, before: DrillState, nowUs: number): DrillStep {
  const state = { ...before, isMaster: false, marks: { ...before.marks, eventUs: nowUs } };
  return settings.kind === "handover"
    ? enter(state, "event", nowUs, { type: "handOver" })
    : enter(state, "event", nowUs, { type: "fallSilent", forUs: silenceUs(settings) });
}

function onMoved(settings: DrillSettings, before: DrillState, nowUs: number, moves: readonly Move[]): DrillStep {
  const unfollowed = moves.find(({ successor }) => successor === null);
  if (before.phase === "proving") {
    if (unfollowed !== undefined) return refuse(settings, before, nowUs, `no peer is heard: ${unfollowed.reason}`);
    const deadlineUs = nowUs + returnBoundUs(settings);
    return enter(before, "reverting", deadlineUs, { type: "reclaim" });
  }
  if (before.phase !== "event") return unchanged(before);
  if (unfollowed !== undefined && settings.kind === "handover")
    return refuse(settings, before, nowUs, `no peer is heard: ${unfollowed.reason}`);
  const own = moves.find(({ instance }) => instance === settings.instance) ?? moves[0];
  const state = { ...before, successor: own?.successor ?? null, tookUs: own?.tookUs ?? null };
  if (unfollowed !== undefined)
    return turnBack(
      settings,
      withFault(state, `${unfollowed.instance}: nobody took over: ${unfollowed.reason}`),
      nowUs,
    );
  return enter(state, "steady", nowUs + settings.limits.maxSteadyUs + steadyForUs(settings) + GRACE_US);
}

function withFault(state: DrillState, fault: string): DrillState {
  return { ...state, faults: [...state.faults, fault] };
}

function returnBoundUs({ advertIntervalUs }: DrillSettings): number {
  return RETURN_INTERVALS * advertIntervalUs + GRACE_US;
}

/** A handover may end where it led to; a silence has to end. */
function turnBack(settings: DrillSettings, state: DrillState, nowUs: number): DrillStep {
  if (!settings.returns && settings.kind === "handover") return wrapUp(settings, state, nowUs);
  const marks = { ...state.marks, returnUs: nowUs };
  return enter({ ...state, marks }, "return", nowUs + returnBoundUs(settings), { type: "reclaim" });
}

function settle(settings: DrillSettings, state: DrillState, nowUs: number): DrillStep {
  return enter(state, "settling", nowUs + steadyForUs(settings) + settings.limits.maxSteadyUs + GRACE_US);
}

function notReturned(settings: DrillSettings, state: DrillState, nowUs: number, when: string): DrillStep {
  const who = state.successor ?? "the peer";
  const fault = `${who} did not give the address back ${when}: it has at least this node's priority, or was lost from sight`;
  return wrapUp(settings, withFault(state, fault), nowUs);
}

function wrapUp(settings: DrillSettings, state: DrillState, nowUs: number): DrillStep {
  const marks = { ...state.marks, endUs: nowUs };
  return enter({ ...state, marks }, "draining", nowUs + settings.probe.timeoutUs + GRACE_US, { type: "endProbe" });
}

/** Nothing was risked, or the peer did not answer and nothing moved. */
function refuse(settings: DrillSettings, state: DrillState, nowUs: number, refusal: string): DrillStep {
  return wrapUp(settings, { ...state, refusal }, nowUs);
}

function onProbeEnded(settings: DrillSettings, state: DrillState, nowUs: number, reason: string): DrillStep {
  switch (state.phase) {
    case "draining":
      return enter(state, "done", nowUs, { type: "finish" });
    case "asking":
      return enter({ ...state, refusal: `the probe ended: ${reason}` }, "done", nowUs, { type: "finish" });
    // A command is under way: its answer is waited for, then the address comes back.
    case "proving":
    case "event":
    case "return":
    case "settling":
      return unchanged(withFault(state, `the probe ended: ${reason}`));
    default:
      return turnBack(settings, withFault(state, `the probe ended: ${reason}`), nowUs);
  }
}

/** Phases in which the address is elsewhere, or may be. */
const AWAY: readonly DrillPhase[] = ["proving", "reverting", "event", "steady", "return"];

/** No time is left: what was given away is asked back, and the rest is left to the dead man. */
function onAbort(before: DrillState, nowUs: number, reason: string): DrillStep {
  if (before.phase === "draining") return enter(before, "done", nowUs, { type: "finish" });
  const isAway = AWAY.includes(before.phase);
  const isHarmless = !isAway && before.marks.eventUs === null;
  const state = isHarmless ? { ...before, refusal: reason } : withFault(before, reason);
  const marks = { ...state.marks, endUs: nowUs };
  const back: readonly DrillAction[] = isAway ? [{ type: "reclaim" }] : [];
  return enter({ ...state, marks }, "done", nowUs, ...back, { type: "endProbe" }, { type: "finish" });
}
