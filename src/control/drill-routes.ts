import type { Result } from "../base/result.ts";
import type { DrillReport, DrillSummary } from "../drill/report.ts";
import type { BroughtAnswer } from "./drill-api.ts";
import type { ControlError } from "./status.ts";

/** What the daemon does about drills for the control API. */
export interface DrillHandlers {
  /** Ends when the drill does. @param body a DrillRequest, not validated */
  run(instance: string, body: unknown, askedBy: string): Promise<Result<DrillReport, ControlError>>;
  list(): Promise<readonly DrillSummary[]>;
  /** @param id `latest`, or one of the list */
  show(id: string): Result<DrillReport, ControlError>;
  /** @param body a BroughtProbe, not validated */
  bring(body: unknown): Result<BroughtAnswer, ControlError>;
}
