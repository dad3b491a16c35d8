import { chmodSync, chownSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as turn } from "node:timers/promises";
import { DirectorError, errnoNameOf, messageOf } from "../base/director-error.ts";
import { type Answer, type ControlHandlers, matchPath, type Route, refused, routesOf } from "./routes.ts";

/** Name of the control socket in the run directory. */
export const CONTROL_SOCKET = "control.sock";

export interface ControlServerOptions {
  readonly path: string;
  /** Group that may use the socket besides root; null = root only. */
  readonly groupId: number | null;
}

/** Requests carry small bodies; more is refused. */
const MAX_BODY_BYTES = 65_536;
const MAX_CONNECTIONS = 64;
const SOCKET_MODE = 0o660;

/** HTTP/1.1 + JSON over a unix socket. A request can never delay or end the daemon. */
export class ControlServer {
  readonly #server: Server;

  private constructor(handlers: ControlHandlers) {
    const routes = routesOf(handlers);
    this.#server = createServer({ maxHeaderSize: 8_192, requestTimeout: 30_000 }, (request, response) => {
      route(routes, request, response).catch((thrown: unknown) => {
        answer(response, { type: "json", status: 500, body: { code: "OWN_FAULT", message: messageOf(thrown) } });
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

async function route(routes: readonly Route[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "GET", url = "/" } = request;
  const text = await bodyOf(request);
  if (text === null) return answer(response, refused(413, `the request body is larger than ${MAX_BODY_BYTES} bytes`));
  const { pathname, searchParams: query } = new URL(url, "http://holdfast");
  const known = routes.flatMap((candidate) => {
    const params = matchPath(candidate.path, pathname);
    return params === null ? [] : [{ candidate, params }];
  });
  const found = known.find(({ candidate }) => candidate.method === method);
  if (found === undefined) {
    const offer = routes.map((candidate) => `${candidate.method} ${candidate.path}`).join(", ");
    const message = `${method} ${url.slice(0, 100)} is not part of the control API; it has ${offer}`;
    return answer(response, refused(known.length > 0 ? 405 : 404, message));
  }
  let body: unknown;
  try {
    body = text === "" ? undefined : JSON.parse(text);
  } catch (thrown) {
    return answer(response, refused(400, `the request body is no JSON: ${messageOf(thrown)}`));
  }
  answer(response, await found.candidate.run({ params: found.params, query, headers: request.headers, body }));
}

/** Reads a body within the bound; null = it was larger. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []; // bounded by MAX_BODY_BYTES
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function answer(response: ServerResponse, reply: Answer): void {
  if (response.headersSent) return;
  if (reply.type === "pieces") {
    response.writeHead(200, { "content-type": "application/json" });
    // A reader that left in the middle; nobody is told.
    pipeline(Readable.from(inTurns(reply.pieces)), response).catch(() => undefined);
    return;
  }
  if (reply.type === "stream") {
    response.writeHead(200, { "content-type": reply.contentType, "cache-control": "no-store" });
    response.flushHeaders();
    const stop = reply.start({
      write: (text) => response.write(text),
      onDrain: (listener) => response.on("drain", listener),
      drop: () => response.destroy(),
    });
    response.once("close", stop);
    // A reader that left in the middle of a line; "close" follows.
    response.on("error", () => undefined);
    return;
  }
  const [contentType, text] =
    reply.type === "json" ? ["application/json", `${JSON.stringify(reply.body)}\n`] : [reply.contentType, reply.text];
  response.writeHead(reply.status, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function* inTurns(pieces: Iterable<string>): AsyncGenerator<string, void> {
  for (const piece of pieces) {
    yield piece;
    await turn();
  }
  yield "\n";
}
