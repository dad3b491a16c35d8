import type { DrillKind } from "../drill/model.ts";

/** Body of a request for a drill; what is absent follows from the configuration and the protocol. */
export interface DrillRequest {
  readonly kind: DrillKind;
  /** `icmp://…`, `tcp://…`, `http://…`; default: icmp to the first address of the instance. */
  readonly target?: string;
  readonly everyUs?: number;
  readonly timeoutUs?: number;
  readonly maxGapUs?: number;
  readonly maxFailed?: number;
  readonly maxSteadyUs?: number;
  readonly maxReturnGapUs?: number;
  /** false = a handover drill ends with the peer. */
  readonly returns?: boolean;
  /** Where the prober runs whose lines the asker brings, as the report is to call it; absent = this director asks. */
  readonly broughtFrom?: string;
}

/** Lines of a prober for the drill under way. */
export interface BroughtProbe {
  readonly lines: readonly string[];
  /** How the prober ended; absent = it goes on. */
  readonly ended?: string;
}

export interface BroughtAnswer {
  /** Whether the drill wants more; otherwise the prober is to end. */
  readonly wantsMore: boolean;
}
