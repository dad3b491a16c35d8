import { Client } from "undici";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { KernelPlan } from "../plan/model.ts";
import type { ControlError, DirectorStatus, HandoverAnswer, ReloadReport } from "./status.ts";

export interface ControlClientOptions {
  readonly path: string;
  readonly timeoutMs: number;
}

/** Speaks to a running daemon. Every method throws DirectorError DAEMON_UNREACHABLE when nobody answers. */
export class ControlClient {
  readonly #options: ControlClientOptions;

  constructor(options: ControlClientOptions) {
    this.#options = options;
  }

  async status(): Promise<DirectorStatus> {
    const status = await this.#ask<DirectorStatus>("GET", "/v1/status");
    if (!status.ok) throw new DirectorError("CONTROL_REFUSED", status.error.message);
    return status.value;
  }

  /** What a reload would change; nothing is changed. */
  plan(): Promise<Result<KernelPlan, ControlError>> {
    return this.#ask("GET", "/v1/plan");
  }

  reload(): Promise<Result<ReloadReport, ControlError>> {
    return this.#ask("POST", "/v1/reload");
  }

  /** @param instance a name as the configuration accepts it */
  handover(instance: string): Promise<Result<HandoverAnswer, ControlError>> {
    return this.#ask("POST", `/v1/instances/${encodeURIComponent(instance)}/handover`);
  }

  async #ask<Value>(
    method: "GET" | "POST" | "DELETE",
    path: string,
    body?: unknown,
  ): Promise<Result<Value, ControlError>> {
    const { path: socketPath, timeoutMs } = this.#options;
    const client = new Client("http://holdfast", { socketPath, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
    try {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await client.request({ method, path, ...sent });
      const answer = await response.body.json();
      return response.statusCode === 200 ? ok(answer as Value) : err(answer as ControlError);
    } catch (thrown) {
      throw new DirectorError(
        "DAEMON_UNREACHABLE",
        `no daemon answers on ${socketPath}: ${messageOf(thrown)}`,
        { path: socketPath },
        thrown,
      );
    } finally {
      await client.destroy();
    }
  }
}
