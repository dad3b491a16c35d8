import type { Result } from "../base/result.ts";
import type { ControlError, DirectorStatus, HandoverAnswer, ReloadReport } from "./status.ts";

/** What the daemon does for the control API. */
export interface ControlHandlers {
  status(): DirectorStatus;
  reload(): Promise<Result<ReloadReport, ControlError>>;
  handover(instance: string): Promise<Result<HandoverAnswer, ControlError>>;
}

/** What a request brought along. */
export interface RouteRequest {
  /** The parts of the path that the route names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** JSON as sent; undefined = none. Not validated. */
  readonly body: unknown;
}

export type Answer =
  | { readonly type: "json"; readonly status: number; readonly body: unknown }
  | { readonly type: "text"; readonly status: number; readonly contentType: string; readonly text: string }
  /** Goes on until the client leaves. */
  | {
      readonly type: "stream";
      readonly contentType: string;
      /** @returns what ends it; called once, when the connection closes */
      start(write: (text: string) => void): () => void;
    };

/** One operation of the API. */
export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** `/v1/instances/:instance/handover`; a part that begins with a colon takes one part of the path. */
  readonly path: string;
  run(request: RouteRequest): Answer | Promise<Answer>;
}

/** The whole API, in the order in which it is described. */
export function routesOf(handlers: ControlHandlers): readonly Route[] {
  return [
    { method: "GET", path: "/v1/status", run: () => json(handlers.status()) },
    { method: "POST", path: "/v1/reload", run: async () => resultOf(await handlers.reload()) },
    {
      method: "POST",
      path: "/v1/instances/:instance/handover",
      run: async ({ params }) => resultOf(await handlers.handover(params.instance ?? "")),
    },
  ];
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

function json(body: unknown): Answer {
  return { type: "json", status: 200, body };
}

function resultOf(result: Result<unknown, ControlError>): Answer {
  return result.ok ? json(result.value) : { type: "json", status: 409, body: result.error };
}
