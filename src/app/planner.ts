import { messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import { withHeaderSecrets } from "../config/header-secrets.ts";
import type { DirectorConfig } from "../config/model.ts";
import type { ControlError } from "../control/status.ts";
import type { ReplyOutcome } from "../ipc/messages.ts";
import type { Phases } from "../plan/addresses.ts";
import { joinPlan, type KernelPlan, type PlanGroup } from "../plan/model.ts";
import { planSurroundings } from "./kernel-now.ts";
import type { CheckerPlanRequest } from "./messages.ts";
import type { LoadedConfig } from "./reloader.ts";

/** Where such a plan takes what it says of the servers from. */
export const DAEMON_BASIS = "by what the running daemon knows of the servers";

export interface PlannerCollaborators {
  /** The checker process knows what it would decide about each server, and reads the kernel's table. */
  askChecker(request: CheckerPlanRequest, withinMs: number): Promise<ReplyOutcome>;
  phases(): Phases;
  /** The configuration that is in force. */
  present(): DirectorConfig;
}

/** Says what a reload would change, from inside the running daemon. Changes nothing. */
export class Planner {
  readonly #stateDir: string;
  readonly #with: PlannerCollaborators;

  constructor(options: { readonly stateDir: string }, collaborators: PlannerCollaborators) {
    this.#stateDir = options.stateDir;
    this.#with = collaborators;
  }

  /**
   * @param configuration what differs from the configuration in force, one clause each
   * @param withinMs      a checker that has not answered by then is not waited for
   */
  async plan(
    { config, headerSecrets }: Pick<LoadedConfig, "config" | "headerSecrets">,
    configuration: readonly string[],
    withinMs: number,
  ): Promise<Result<KernelPlan, ControlError>> {
    const services = withHeaderSecrets(config.services, headerSecrets);
    const request = { services, stateDir: this.#stateDir };
    const tables = await this.#with.askChecker(request, withinMs);
    if (!tables.ok) return err({ code: tables.code, message: `there is no plan: ${tables.message}` });
    const around = planSurroundings(config, this.#with.phases(), this.#with.present());
    if (!around.ok) return err({ code: around.error.code, message: `there is no plan: ${messageOf(around.error)}` });
    const groups = [...(tables.value as readonly PlanGroup[]), ...around.value];
    return ok(joinPlan(groups, { basis: DAEMON_BASIS, configuration }));
  }
}
