import type { IpText } from "../base/ip.ts";

/** `handover`: the master makes way, planned. `takeover`: it plays dead, and nobody was told. */
export const DRILL_KINDS = ["handover", "takeover"] as const;
export type DrillKind = (typeof DRILL_KINDS)[number];

/** One question of a probe and what came of it; times on the prober's clock, from its start. */
export interface Sample {
  readonly id: number;
  readonly sentUs: number;
  /** Until the answer; null = there was none in time, or a refusal. */
  readonly tookUs: number | null;
  /** Why there is no answer; `` with one. */
  readonly reason: string;
}

/** What a drill is judged against. */
export interface DrillLimits {
  /** The longest time between two answers. */
  readonly maxGapUs: number;
  /** Questions without an answer. */
  readonly maxFailed: number;
  /** From the event until answers come without interruption. */
  readonly maxSteadyUs: number;
  /** The longest time between two answers on the way back. */
  readonly maxReturnGapUs: number;
}

export interface ProbeSettings {
  /** `icmp://192.0.2.10`, `tcp://192.0.2.10:80`, `http://192.0.2.10/healthz`. */
  readonly target: string;
  readonly everyUs: number;
  /** Each question fails after this long. */
  readonly timeoutUs: number;
}

export interface DrillSettings {
  readonly kind: DrillKind;
  readonly instance: string;
  /** Its configured interval. */
  readonly advertIntervalUs: number;
  readonly probe: ProbeSettings;
  readonly limits: DrillLimits;
  /** Whether the former master takes the address back afterwards. */
  readonly returns: boolean;
}

/** How one instance moved, as the vrrp process tells it. */
export interface Move {
  readonly instance: string;
  /** null = nobody was heard. */
  readonly successor: IpText | null;
  readonly tookUs: number;
  readonly reason: string;
}

/** When what began; on the director's clock, null = it never did. */
export interface DrillMarks {
  /** The probe had answered for a while, and the drill was let go. */
  readonly eventUs: number | null;
  readonly returnUs: number | null;
  /** The former master serves again. */
  readonly returnedUs: number | null;
  readonly endUs: number | null;
}

/** `refused`: nothing was risked, for the reasons given. */
export type DrillResult = "passed" | "failed" | "refused";

/** What a probe saw over a while. */
export interface Span {
  readonly sent: number;
  readonly failed: number;
  /** The longest time between two answers, and when it began, on the prober's clock. */
  readonly gapUs: number;
  readonly gapFromUs: number;
  /** What of that gap the prober itself asked nothing, beside its pace: its machine was busy. */
  readonly stallUs: number;
  /** From the beginning of the span until answers came without interruption to its end; null = they never did. */
  readonly steadyUs: number | null;
}
