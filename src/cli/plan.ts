import { resolve } from "node:path";
import { DirectorError } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { err, ok, type Result } from "../base/result.ts";
import { asSentence } from "../base/sentence.ts";
import type { ConfigProblem } from "../config/problem.ts";
import { countProblems, renderPieces } from "../config/render.ts";
import { ControlClient } from "../control/client.ts";
import type { DirectorStatus } from "../control/status.ts";
import type { KernelPlan } from "../plan/model.ts";
import { planLines } from "../plan/text.ts";
import { paint, paintsFor, printable, type Terminal, wantsColour } from "./terminal.ts";

/** The daemon may be at work for a table of ten thousand servers. */
const PLAN_TIMEOUT_MS = 60_000;

export interface PlanOptions {
  readonly file: string;
  readonly controlSocket: string;
  readonly json: boolean;
}

/** Why there is no plan. */
export type NoPlan =
  | { readonly type: "config"; readonly problems: readonly ConfigProblem[] }
  | { readonly type: "system"; readonly error: DirectorError };

export interface PlanCollaborators {
  /** Makes the plan in this process. @param status what a daemon that runs says; null = none answers */
  planOffline(status: DirectorStatus | null): Result<KernelPlan, NoPlan>;
}

/**
 * `holdfast plan`: 0 nothing to do, 2 changes, 1 no plan. A daemon that runs with the same file is asked, because it knows its
 * servers best; otherwise the plan is made here.
 */
export async function planCommand(
  options: PlanOptions,
  terminal: Terminal,
  { planOffline }: PlanCollaborators,
): Promise<ExitCode> {
  const client = new ControlClient({ path: options.controlSocket, timeoutMs: PLAN_TIMEOUT_MS });
  const status = await orNull(() => client.status());
  const isSame = status !== null && status.config.file === resolve(options.file);
  const asked = isSame ? await orNull(() => fromDaemon(client)) : null;
  // A daemon that ended meanwhile is none.
  const plan = asked ?? toText(planOffline(isSame ? null : status), options.file, terminal);
  if (!plan.ok) {
    if (options.json) terminal.out.write(`${JSON.stringify({ error: plan.error }, null, 2)}\n`);
    else terminal.err.write(plan.error);
    return EXIT.FAILED;
  }
  if (options.json) terminal.out.write(`${JSON.stringify(plan.value, null, 2)}\n`);
  else terminal.out.write(renderPlan(plan.value, terminal));
  return plan.value.summary.hasChanges ? EXIT.CHANGES : EXIT.OK;
}

/** The plan as text, its changes in colour where that is wanted. */
export function renderPlan(plan: KernelPlan, terminal: Terminal): string {
  const { good, bad, strong } = paintsFor(terminal);
  return planLines(plan)
    .map(printable)
    .map((line) => {
      if (line.startsWith("+")) return good(line);
      if (line.startsWith("-")) return bad(line);
      return line.startsWith("~") ? strong(line) : line;
    })
    .map((line) => `${line}\n`)
    .join("");
}

/** What a daemon answers; null = none does. */
async function orNull<Value>(ask: () => Promise<Value>): Promise<Value | null> {
  try {
    return await ask();
  } catch (thrown) {
    if (thrown instanceof DirectorError && thrown.code === "DAEMON_UNREACHABLE") return null;
    throw thrown;
  }
}

async function fromDaemon(client: ControlClient): Promise<Result<KernelPlan, string>> {
  const plan = await client.plan();
  if (plan.ok) return plan;
  const { message, details = "" } = plan.error;
  return err(`${details}holdfast: no plan: ${asSentence(message)}\n`);
}

function toText(plan: Result<KernelPlan, NoPlan>, file: string, terminal: Terminal): Result<KernelPlan, string> {
  if (plan.ok) return ok(plan.value);
  if (plan.error.type === "system") {
    const { message, remedy } = plan.error.error;
    return err(`holdfast: no plan: ${asSentence(message)} ${remedy}\n`);
  }
  const { problems } = plan.error;
  const inColour = wantsColour(terminal.err, terminal.env);
  const text = problems.map((problem) => `${paint(renderPieces(problem), inColour)}\n\n`).join("");
  return err(`${text}holdfast: no plan: ${file}: ${countProblems(problems)}\n`);
}
