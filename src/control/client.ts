import { Client } from "undici";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
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
    const { status, body } = await this.#request("GET", "/v1/status");
    if (status !== 200) throw new DirectorError("CONTROL_REFUSED", (body as ControlError).message);
    return body as DirectorStatus;
  }

  async reload(): Promise<Result<ReloadReport, ControlError>> {
    const { status, body } = await this.#request("POST", "/v1/reload");
    return status === 200 ? ok(body as ReloadReport) : err(body as ControlError);
  }

  /** @param instance a name as the configuration accepts it */
  async handover(instance: string): Promise<Result<HandoverAnswer, ControlError>> {
    const { status, body } = await this.#request("POST", `/v1/instances/${encodeURIComponent(instance)}/handover`);
    return status === 200 ? ok(body as HandoverAnswer) : err(body as ControlError);
  }

  async #request(method: "GET" | "POST", path: string): Promise<{ readonly status: number; readonly body: unknown }> {
    const { path: socketPath, timeoutMs } = this.#options;
    const client = new Client("http://holdfast", { socketPath, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
    try {
      const response = await client.request({ method, path });
      return { status: response.statusCode, body: await response.body.json() };
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
