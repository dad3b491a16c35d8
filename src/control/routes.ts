import type { IncomingHttpHeaders } from "node:http";
import { err, ok, type Result } from "../base/result.ts";
import type { KernelPlan } from "../plan/model.ts";
import { parseConfirmTime } from "./confirm-time.ts";
import type { DrillHandlers } from "./drill-routes.ts";
import { type EventSource, EventStreams } from "./event-stream.ts";
import { parseEventQuery } from "./events.ts";
import { jsonPieces } from "./json-pieces.ts";
import { type OverrideAnswer, type OverrideOrder, parseOverrideOrder, type ServerOverrideStatus } from "./overrides.ts";
import type { ConfirmAnswer, ControlError, DirectorStatus, HandoverAnswer, ReloadReport } from "./status.ts";

/** What the daemon does for the control API. */
export interface ControlHandlers {
  status(): DirectorStatus;
  /** What a reload would change; nothing is changed. */
  plan(): Promise<Result<KernelPlan, ControlError>>;
  /** @param confirmMs it undoes itself after so long unless it is confirmed; null = it stays */
  reload(confirmMs: number | null): Promise<Result<ReloadReport, ControlError>>;
  confirm(): Promise<Result<ConfirmAnswer, ControlError>>;
  undo(): Promise<Result<ConfirmAnswer, ControlError>>;
  handover(instance: string): Promise<Result<HandoverAnswer, ControlError>>;
  readonly events: EventSource;
  overrides(): readonly ServerOverrideStatus[];
  order(order: OverrideOrder): Promise<Result<OverrideAnswer, ControlError>>;
  /** Numbers for Prometheus, in a format that the request's Accept header names. */
  metrics(accept: string | undefined): Promise<{ readonly contentType: string; readonly body: Buffer }>;
  readonly drills: DrillHandlers;
}

/** What a request brought along. */
export interface RouteRequest {
  /** The parts of the path that the route names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** JSON as sent; undefined = none. Not validated. */
  readonly body: unknown;
}

export type Answer =
  | { readonly type: "json"; readonly status: number; readonly body: unknown }
  | { readonly type: "text"; readonly status: number; readonly contentType: string; readonly text: string | Buffer }
  /** JSON that may be long: written piece by piece, as fast as it is taken, with a turn for everybody else in between. */
  | { readonly type: "pieces"; readonly pieces: Iterable<string> }
  /** Goes on until the client leaves. */
  | {
      readonly type: "stream";
      readonly contentType: string;
      /** @returns what ends it; called once, when the connection closes */
      start(sink: StreamSink): () => void;
    };

/** Where a stream goes. */
export interface StreamSink {
  /** @returns false = the reader is behind, and `onDrain` says when it is not any more */
  write(text: string): boolean;
  onDrain(listener: () => void): void;
  /** Ends the connection at once. */
  drop(): void;
}

/** One operation of the API. */
export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** `/v1/instances/:instance/handover`; a part that begins with a colon takes one part of the path. */
  readonly path: string;
  run(request: RouteRequest): Answer | Promise<Answer>;
}

/** A status, its services, one of them, its servers. */
const STATUS_DEPTH = 4;

/** The whole API, in the order in which it is described. */
export function routesOf(handlers: ControlHandlers): readonly Route[] {
  const streams = new EventStreams(handlers.events);
  return [
    { method: "GET", path: "/v1/status", run: () => long(handlers.status(), STATUS_DEPTH) },
    { method: "GET", path: "/v1/plan", run: async () => resultOf(await handlers.plan()) },
    {
      method: "POST",
      path: "/v1/reload",
      run: async ({ body }) => {
        const confirmMs = confirmMsOf(body);
        return confirmMs.ok ? resultOf(await handlers.reload(confirmMs.value)) : refused(400, confirmMs.error);
      },
    },
    { method: "POST", path: "/v1/reload/confirm", run: async () => resultOf(await handlers.confirm()) },
    { method: "POST", path: "/v1/reload/undo", run: async () => resultOf(await handlers.undo()) },
    {
      method: "POST",
      path: "/v1/instances/:instance/handover",
      run: async ({ params }) => resultOf(await handlers.handover(params.instance ?? "")),
    },
    { method: "GET", path: "/v1/overrides", run: () => json({ overrides: handlers.overrides() }) },
    {
      method: "POST",
      path: "/v1/overrides",
      run: async ({ body }) => {
        const order = parseOverrideOrder(body);
        return order.ok ? resultOf(await handlers.order(order.value)) : refused(400, order.error);
      },
    },
    { method: "GET", path: "/metrics", run: async ({ headers }) => numbers(await handlers.metrics(headers.accept)) },
    {
      method: "POST",
      path: "/v1/instances/:instance/drill",
      run: async ({ params, body }) => resultOf(await handlers.drills.run(params.instance ?? "", body, "a person")),
    },
    { method: "GET", path: "/v1/drills", run: async () => json({ drills: await handlers.drills.list() }) },
    { method: "POST", path: "/v1/drills/lines", run: ({ body }) => resultOf(handlers.drills.bring(body)) },
    {
      method: "GET",
      path: "/v1/drills/:drill",
      run: ({ params }) => resultOf(handlers.drills.show(params.drill ?? "")),
    },
    { method: "GET", path: "/v1/events", run: (request) => eventsOf(handlers.events, streams, request) },
  ];
}

/** Reads the body of a reload: nothing, or `{"confirm": "5m"}`. */
function confirmMsOf(body: unknown): Result<number | null, string> {
  if (body === undefined) return ok(null);
  if (typeof body !== "object" || body === null || Array.isArray(body)) return err("a reload takes a JSON object");
  const { confirm, ...rest } = body as Readonly<Record<string, unknown>>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) return err(`${unknown.slice(0, 40)} is not known here; confirm is`);
  return confirm === undefined ? ok(null) : parseConfirmTime(confirm);
}

/** A page of events, or those to come to a reader that accepts a stream. */
function eventsOf(source: EventSource, streams: EventStreams, { query, headers }: RouteRequest): Answer {
  const wanted = parseEventQuery(query);
  if (!wanted.ok) return refused(400, wanted.error);
  if (headers.accept?.includes("text/event-stream") !== true) return json(source.page(wanted.value));
  const { "last-event-id": last } = headers;
  // A reader that connects again says by itself where it was.
  const isLast = typeof last === "string" && /^\d{1,15}$/.test(last);
  const stream = streams.answer(isLast ? Number(last) : wanted.value.after, wanted.value.types);
  return stream ?? refused(503, "the events have as many readers as they may have; end one of them");
}

/** @returns the named parts, or null if the path is another one */
export function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | null {
  const wanted = pattern.split("/");
  const parts = path.split("/");
  if (wanted.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const given = parts[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== given) return null;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(given);
    } catch {
      return null;
    }
    if (given === "") return null;
  }
  return params;
}

export function refused(status: number, message: string): Answer {
  return { type: "json", status, body: { code: "CONTROL_REFUSED", message } };
}

function numbers({ contentType, body }: { readonly contentType: string; readonly body: Buffer }): Answer {
  return { type: "text", status: 200, contentType, text: body };
}

function json(body: unknown): Answer {
  return { type: "json", status: 200, body };
}

/** @param depth levels that are opened between pieces */
function long(body: unknown, depth: number): Answer {
  return { type: "pieces", pieces: jsonPieces(body, depth) };
}

function resultOf(result: Result<unknown, ControlError>): Answer {
  return result.ok ? json(result.value) : { type: "json", status: 409, body: result.error };
}
