import { formatEndpoint } from "../base/endpoint.ts";
import type { Result } from "../base/result.ts";
import type { ScheduleAction } from "../config/model.ts";
import type { DrillRequest } from "../control/drill-api.ts";
import type { OverrideAnswer, OverrideOrder } from "../control/overrides.ts";
import type { ControlError, ReloadReport } from "../control/status.ts";
import type { DrillReport } from "../drill/report.ts";
import type { ReplyOutcome } from "../ipc/messages.ts";
import type { RunOutcome } from "./calendar.ts";

/** Who does what a schedule asks for. */
export interface ScheduledWork {
  reload(): Promise<Result<ReloadReport, ControlError>>;
  reconcile(): Promise<ReplyOutcome>;
  drill(instance: string, request: DrillRequest, askedBy: string): Promise<Result<DrillReport, ControlError>>;
  order(order: OverrideOrder): Promise<Result<OverrideAnswer, ControlError>>;
}

/** Does what a schedule asks for. @param name of the schedule, for whoever wonders later */
export async function doScheduled(name: string, action: ScheduleAction, work: ScheduledWork): Promise<RunOutcome> {
  switch (action.type) {
    case "reload":
      return outcomeOf(await work.reload(), () => "the configuration was read again");
    case "reconcile": {
      const outcome = await work.reconcile();
      return outcome.ok ? good("the kernel's table was compared") : bad(outcome.message);
    }
    case "drill": {
      const { instance, kind, target, maxGapUs, maxFailed } = action;
      const request = { kind, ...given({ target, maxGapUs, maxFailed }) };
      const report = await work.drill(instance, request, `schedule ${name}`);
      if (!report.ok) return bad(report.error.message);
      const { result, reasons, id, isForPeer } = report.value;
      // The usual case on one of two directors with the same schedule.
      return { isGood: result === "passed" || isForPeer, cause: [`the drill ${id} ${result}`, ...reasons].join(": ") };
    }
    case "drain":
    case "enable":
      return outcomeOf(await work.order(orderOf(name, action)), ({ servers, warnings }) =>
        [`${action.type} of ${servers.length} server${servers.length === 1 ? "" : "s"}`, ...warnings].join("; "),
      );
  }
}

function orderOf(name: string, action: Extract<ScheduleAction, { type: "drain" | "enable" }>): OverrideOrder {
  const { type, service, server } = action;
  const untilUs = action.type === "drain" ? action.untilUs : null;
  return {
    type,
    service,
    server: formatEndpoint(server),
    weight: null,
    until: untilUs === null ? null : { type: "for", us: untilUs },
    deadlineUs: action.type === "drain" ? action.deadlineUs : null,
    reason: null,
    by: `schedule ${name}`,
  };
}

/** Without what is null. */
function given<Value>(values: Readonly<Record<string, Value | null>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}

function outcomeOf<Value>(result: Result<Value, ControlError>, tell: (value: Value) => string): RunOutcome {
  return result.ok ? good(tell(result.value)) : bad(result.error.message);
}

function good(cause: string): RunOutcome {
  return { isGood: true, cause };
}

function bad(cause: string): RunOutcome {
  return { isGood: false, cause };
}
