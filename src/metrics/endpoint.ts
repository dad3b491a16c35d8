import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { errnoNameOf, messageOf } from "../base/director-error.ts";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import type { Logger, LogLevel } from "../ports/logger.ts";
import type { Exposed } from "./exposition.ts";

const PATH = "/metrics";

/** Some Prometheus servers and a person; more are refused. */
const MAX_CONNECTIONS = 16;
/** Requests have a line and some headers. */
const REQUEST_MS = 5_000;
/** Who takes no byte for so long is gone. A scraper that comes each quarter of a minute keeps its connection. */
const IDLE_MS = 30_000;
/** An address that is in use, or not there, is tried again after this long. */
const RETRY_MS = 10_000;

export interface MetricsEndpointCollaborators {
  readonly logger: Logger;
  expose(accept: string | undefined): Promise<Exposed>;
}

/**
 * Serves the metrics by HTTP on a TCP address. Whatever is wrong with the address or with who asks is a problem in the status,
 * and never the daemon's end.
 */
export class MetricsEndpoint {
  readonly #with: MetricsEndpointCollaborators;
  #listen: Endpoint | null = null;
  #server: Server | null = null;
  #retry: NodeJS.Timeout | null = null;
  #problem: string | null = null;

  constructor(collaborators: MetricsEndpointCollaborators) {
    this.#with = collaborators;
  }

  /** A sentence: why it does not serve as configured; null = it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /**
   * Serves here from now on; null = nowhere.
   * @returns when it does, or has found out that it cannot
   */
  async configure(listen: Endpoint | null): Promise<void> {
    const isSame = listen?.address === this.#listen?.address && listen?.port === this.#listen?.port;
    if (isSame && this.#problem === null) return;
    this.close();
    this.#listen = listen;
    if (listen !== null) await this.#open(listen);
  }

  close(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#problem = null;
    this.#listen = null;
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = null;
  }

  #open(listen: Endpoint): Promise<void> {
    const options = { maxHeaderSize: 8_192, requestTimeout: REQUEST_MS, keepAliveTimeout: IDLE_MS };
    const server = createServer(options, (request, response) => void this.#answer(request, response));
    server.maxConnections = MAX_CONNECTIONS;
    server.timeout = IDLE_MS;
    this.#server = server;
    return new Promise((resolve) => {
      // Given up before it listened.
      server.on("close", resolve);
      server.on("error", (error) => {
        if (this.#server === server) this.#failed(listen, error);
        resolve();
      });
      server.listen({ host: listen.address, port: listen.port }, () => {
        // Node looks addresses up, also numeric ones, and listens although it was told to close meanwhile.
        if (this.#server === server) this.#opened(listen);
        else server.close();
        resolve();
      });
    });
  }

  #opened(listen: Endpoint): void {
    this.#problem = null;
    this.#say("info", `metrics are served on http://${formatEndpoint(listen)}${PATH}`);
  }

  #failed(listen: Endpoint, error: Error): void {
    this.#server = null;
    const problem = `metrics are not served on ${formatEndpoint(listen)}: ${reasonOf(error)}`;
    if (problem !== this.#problem) this.#say("error", `${problem}; it is tried again`);
    this.#problem = problem;
    this.#retry = setTimeout(() => void this.#open(listen), RETRY_MS).unref();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    // A body is neither wanted nor read.
    request.resume();
    if (url.split("?", 1)[0] !== PATH) return end(response, 404, `this address has ${PATH} and nothing else\n`);
    if (method !== "GET" && method !== "HEAD") return end(response, 405, `${PATH} is read with GET\n`);
    try {
      const { contentType, body } = await this.#with.expose(headers.accept);
      end(response, 200, body, contentType);
    } catch (thrown) {
      this.#say("error", `a scrape failed: ${messageOf(thrown)}; please report this`);
      end(response, 500, "the metrics could not be written; the log says why\n");
    }
  }

  #say(level: LogLevel, message: string): void {
    this.#with.logger.log({ level, source: "supervisor", message });
  }
}

function end(response: ServerResponse, status: number, body: string | Buffer, contentType = "text/plain"): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  // To HEAD, Node sends the headers alone.
  response.end(body);
}

function reasonOf(error: Error): string {
  switch (errnoNameOf(error)) {
    case "EADDRINUSE":
      return "the address is in use by another program";
    case "EADDRNOTAVAIL":
      return "this machine does not have that address";
    case "EACCES":
      return "a port below 1024 takes the capability CAP_NET_BIND_SERVICE";
    default:
      return messageOf(error);
  }
}
