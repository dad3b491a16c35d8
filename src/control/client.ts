import { Client } from "undici";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { DrillReport, DrillSummary } from "../drill/report.ts";
import type { KernelPlan } from "../plan/model.ts";
import type { EventType } from "../ports/logger.ts";
import type { BroughtAnswer, BroughtProbe, DrillRequest } from "./drill-api.ts";
import { EventStreamReader } from "./event-stream.ts";
import { type EventPage, type EventQuery, formatEventQuery, type JournalEvent } from "./events.ts";
import type { OverrideAnswer, ServerOverrideStatus } from "./overrides.ts";
import type { ConfirmAnswer, ControlError, DirectorStatus, HandoverAnswer, ReloadReport } from "./status.ts";

/** Three of the daemon's heartbeats: a stream that is silent for longer is dead. */
const STREAM_SILENCE_MS = 45_000;

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

  /** @param confirm `5m`: it undoes itself after so long unless it is confirmed; null = it stays */
  reload(confirm: string | null = null): Promise<Result<ReloadReport, ControlError>> {
    return this.#ask("POST", "/v1/reload", confirm === null ? undefined : { confirm });
  }

  confirm(): Promise<Result<ConfirmAnswer, ControlError>> {
    return this.#ask("POST", "/v1/reload/confirm");
  }

  undo(): Promise<Result<ConfirmAnswer, ControlError>> {
    return this.#ask("POST", "/v1/reload/undo");
  }

  /** @param instance a name as the configuration accepts it */
  handover(instance: string): Promise<Result<HandoverAnswer, ControlError>> {
    return this.#ask("POST", `/v1/instances/${encodeURIComponent(instance)}/handover`);
  }

  /** Everything that people and schedules ordered over what checks say. */
  async overrides(): Promise<readonly ServerOverrideStatus[]> {
    const list = await this.#ask<{ readonly overrides: readonly ServerOverrideStatus[] }>("GET", "/v1/overrides");
    if (!list.ok) throw new DirectorError("CONTROL_REFUSED", list.error.message);
    return list.value.overrides;
  }

  /** @param order as `parseOverrideOrder` reads it */
  order(order: unknown): Promise<Result<OverrideAnswer, ControlError>> {
    return this.#ask("POST", "/v1/overrides", order);
  }

  /** Ends when the drill does. */
  drill(instance: string, request: DrillRequest): Promise<Result<DrillReport, ControlError>> {
    return this.#ask("POST", `/v1/instances/${encodeURIComponent(instance)}/drill`, request);
  }

  /** Reports that are kept, the latest first. */
  async drills(): Promise<readonly DrillSummary[]> {
    const list = await this.#ask<{ readonly drills: readonly DrillSummary[] }>("GET", "/v1/drills");
    if (!list.ok) throw new DirectorError("CONTROL_REFUSED", list.error.message);
    return list.value.drills;
  }

  /** @param id `latest`, or one of the list */
  drillReport(id: string): Promise<Result<DrillReport, ControlError>> {
    return this.#ask("GET", `/v1/drills/${encodeURIComponent(id)}`);
  }

  /** Brings lines of a prober to the drill under way. */
  bringLines(brought: BroughtProbe): Promise<Result<BroughtAnswer, ControlError>> {
    return this.#ask("POST", "/v1/drills/lines", brought);
  }

  async events(query: EventQuery): Promise<EventPage> {
    const page = await this.#ask<EventPage>("GET", `/v1/events?${formatEventQuery(query)}`);
    if (!page.ok) throw new DirectorError("CONTROL_REFUSED", page.error.message);
    return page.value;
  }

  /**
   * Events as they happen, until the signal; then it ends without an error. That the daemon goes away is one.
   * @param after id of the last event that was seen
   */
  async *follow(after: number, types: readonly EventType[], signal: AbortSignal): AsyncGenerator<JournalEvent> {
    const { path: socketPath, timeoutMs } = this.#options;
    const query = formatEventQuery({ after, limit: 0, types, sinceMs: null });
    const client = new Client("http://holdfast", {
      socketPath,
      headersTimeout: timeoutMs,
      bodyTimeout: STREAM_SILENCE_MS,
    });
    try {
      const headers = { accept: "text/event-stream" };
      const response = await client.request({ method: "GET", path: `/v1/events?${query}`, headers, signal });
      if (response.statusCode !== 200) {
        const refusal = (await response.body.json()) as ControlError;
        throw new DirectorError("CONTROL_REFUSED", refusal.message);
      }
      const reader = new EventStreamReader();
      response.body.setEncoding("utf8");
      for await (const chunk of response.body) yield* reader.push(chunk as string);
      throw new Error("the daemon closed the connection");
    } catch (thrown) {
      if (signal.aborted) return;
      if (thrown instanceof DirectorError) throw thrown;
      throw this.#unreachable(thrown);
    } finally {
      await client.destroy();
    }
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
      throw this.#unreachable(thrown);
    } finally {
      await client.destroy();
    }
  }

  #unreachable(thrown: unknown): DirectorError {
    const { path } = this.#options;
    return new DirectorError(
      "DAEMON_UNREACHABLE",
      `no daemon answers on ${path}: ${messageOf(thrown)}`,
      { path },
      thrown,
    );
  }
}
