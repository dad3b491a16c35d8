import { chmodSync, chownSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { DirectorError, errnoNameOf, messageOf } from "../base/director-error.ts";
import type { Result } from "../base/result.ts";
import type { ControlError, DirectorStatus, HandoverAnswer, ReloadReport } from "./status.ts";

/** Name of the control socket in the run directory. */
export const CONTROL_SOCKET = "control.sock";

/** What the daemon does for the control API. */
export interface ControlHandlers {
  status(): DirectorStatus;
  reload(): Promise<Result<ReloadReport, ControlError>>;
  handover(instance: string): Promise<Result<HandoverAnswer, ControlError>>;
}

export interface ControlServerOptions {
  readonly path: string;
  /** Group that may use the socket besides root; null = root only. */
  readonly groupId: number | null;
}

/** Requests carry no large bodies; more is refused. */
const MAX_BODY_BYTES = 65_536;
const MAX_CONNECTIONS = 64;
const SOCKET_MODE = 0o660;
/** Names as the configuration accepts them. */
const HANDOVER_PATH = /^\/v1\/instances\/([A-Za-z0-9][A-Za-z0-9._-]{0,62})\/handover$/;

/** HTTP/1.1 + JSON over a unix socket. A request can never delay or end the daemon. */
export class ControlServer {
  readonly #server: Server;

  private constructor(handlers: ControlHandlers) {
    this.#server = createServer({ maxHeaderSize: 8_192, requestTimeout: 30_000 }, (request, response) => {
      route(handlers, request, response).catch((thrown: unknown) => {
        answer(response, 500, { code: "OWN_FAULT", message: messageOf(thrown) });
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Listens on the socket; a socket file that nobody serves is replaced.
   * @throws DirectorError DAEMON_RUNNING when another daemon answers there, FILE_UNWRITABLE when it cannot be made
   */
  static async listen(options: ControlServerOptions, handlers: ControlHandlers): Promise<ControlServer> {
    if (await isServed(options.path)) {
      throw new DirectorError("DAEMON_RUNNING", `another holdfast serves ${options.path}`, { path: options.path });
    }
    const control = new ControlServer(handlers);
    try {
      rmSync(options.path, { force: true });
      await new Promise<void>((resolve, reject) => {
        control.#server.once("error", reject);
        control.#server.listen(options.path, resolve);
      });
      chmodSync(options.path, SOCKET_MODE);
      if (options.groupId !== null) chownSync(options.path, process.getuid?.() ?? 0, options.groupId);
    } catch (thrown) {
      control.#server.close();
      throw new DirectorError(
        "FILE_UNWRITABLE",
        `cannot make the control socket ${options.path}: ${messageOf(thrown)}`,
        { path: options.path, errno: errnoNameOf(thrown) },
        thrown,
      );
    }
    return control;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Whether a process accepts connections on that socket now. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (served: boolean) => {
      socket.destroy();
      resolve(served);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

async function route(handlers: ControlHandlers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "GET", url = "/" } = request;
  if (!(await drained(request))) {
    return answer(response, 413, {
      code: "CONTROL_REFUSED",
      message: `the request body is larger than ${MAX_BODY_BYTES} bytes`,
    });
  }
  if (url === "/v1/status" && method === "GET") return answer(response, 200, handlers.status());
  if (url === "/v1/reload" && method === "POST") {
    const result = await handlers.reload();
    return result.ok ? answer(response, 200, result.value) : answer(response, 409, result.error);
  }
  const handover = HANDOVER_PATH.exec(url);
  if (handover?.[1] !== undefined && method === "POST") {
    const result = await handlers.handover(handover[1]);
    return result.ok ? answer(response, 200, result.value) : answer(response, 409, result.error);
  }
  const known = url === "/v1/status" || url === "/v1/reload" || handover !== null;
  answer(response, known ? 405 : 404, {
    code: "CONTROL_REFUSED",
    message: `${method} ${url.slice(0, 100)} is not part of the control API; it has GET /v1/status, POST /v1/reload and POST /v1/instances/NAME/handover`,
  });
}

/** Reads and discards a body within the bound; false = it was larger. */
async function drained(request: IncomingMessage): Promise<boolean> {
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return false;
  }
  return true;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}
