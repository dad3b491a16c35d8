/** What is known of a real server by one check. `unknown`: no attempt has finished yet. */
export type Verdict = "unknown" | "up" | "down";

export interface VerdictConfig {
  /** Passes in a row that bring it up, 1–100. */
  readonly rise: number;
  /** Failures in a row that take it down, 1–100. */
  readonly fall: number;
}

export interface VerdictState {
  readonly verdict: Verdict;
  /** Up only because it served before this program looked; no attempt has passed yet. */
  readonly isAssumed: boolean;
  /** Outcomes in a row that contradict the verdict; always below rise (down) or fall (up). */
  readonly against: number;
  readonly sinceUs: number;
  /** Why the verdict is what it is: the sentence of the outcome that decided it. */
  readonly reason: string;
}

export type VerdictEvent =
  | { readonly type: "passed"; readonly nowUs: number; readonly reason: string }
  | { readonly type: "failed"; readonly nowUs: number; readonly reason: string };

export interface VerdictChanged {
  readonly type: "verdictChanged";
  readonly from: Verdict;
  readonly to: Verdict;
  readonly atUs: number;
  readonly reason: string;
}

export interface VerdictStep {
  readonly state: VerdictState;
  readonly actions: readonly VerdictChanged[];
}

const NOTHING: readonly VerdictChanged[] = [];

/**
 * Where a check begins.
 * @param isAssumedUp the kernel already sent connections to this server, so clients depend on it: it stays up until
 *   `fall` attempts in a row have failed. Otherwise nobody is served yet and the first outcome decides at once.
 */
export function initialVerdict(isAssumedUp: boolean, nowUs: number): VerdictState {
  return isAssumedUp
    ? { verdict: "up", isAssumed: true, against: 0, sinceUs: nowUs, reason: "it was serving before the check began" }
    : { verdict: "unknown", isAssumed: false, against: 0, sinceUs: nowUs, reason: "no attempt has finished yet" };
}

/** One outcome of one attempt. Total: every state takes every event. */
export function stepVerdict(config: VerdictConfig, state: VerdictState, event: VerdictEvent): VerdictStep {
  switch (state.verdict) {
    case "unknown":
      return change(state, event.type === "passed" ? "up" : "down", event);
    case "up":
      return event.type === "passed" ? agree(state) : contradict(state, config.fall, "down", event);
    case "down":
      return event.type === "failed" ? agree(state) : contradict(state, config.rise, "up", event);
  }
}

function agree(state: VerdictState): VerdictStep {
  if (state.against === 0 && !state.isAssumed) return { state, actions: NOTHING };
  return { state: { ...state, against: 0, isAssumed: false }, actions: NOTHING };
}

function contradict(state: VerdictState, limit: number, to: Verdict, event: VerdictEvent): VerdictStep {
  const against = state.against + 1;
  if (against >= limit) return change(state, to, event);
  return { state: { ...state, against }, actions: NOTHING };
}

function change(state: VerdictState, to: Verdict, event: VerdictEvent): VerdictStep {
  return {
    state: { verdict: to, isAssumed: false, against: 0, sinceUs: event.nowUs, reason: event.reason },
    actions: [{ type: "verdictChanged", from: state.verdict, to, atUs: event.nowUs, reason: event.reason }],
  };
}
