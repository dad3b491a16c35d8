import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type buildConnector, Client } from "undici";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { HttpCheckConfig } from "../config/model.ts";
import { type BodyMatcher, ContainsMatcher, PatternMatcher } from "./body-matcher.ts";
import type { BodyPattern } from "./body-pattern.ts";
import type { Attempt, Checker, CheckTarget } from "./checker.ts";
import { HttpAttempt, MAX_HEADER_BYTES } from "./http-attempt.ts";
import { fail, type Outcome } from "./outcome.ts";
import { type TlsContexts, type TlsSettings, tlsSettings } from "./tls-settings.ts";

/** Bytes beyond header and body that a connection may carry: one read of the kernel's, and small change. */
const READ_SLACK_BYTES = 65_536;
/** Chunked framing of a body sent byte by byte costs six bytes for one. */
const FRAMING_FACTOR = 6;

function ignore(): void {}

export interface HttpCheckerOptions {
  readonly check: HttpCheckConfig;
  readonly target: CheckTarget;
}

export interface HttpCheckerParts {
  readonly contexts: TlsContexts;
  /** The shared compiled form of a pattern text. */
  readonly pattern: (source: string) => BodyPattern;
}

/**
 * HTTP/1.1 over a fresh connection per attempt, with or without TLS. One undici Client is kept between attempts that
 * end in good order (a new one costs as much as the attempt), and thrown away after any other: undici would connect
 * again to find out that an aborted request is gone.
 */
export class HttpChecker implements Checker {
  readonly #check: HttpCheckConfig;
  readonly #endpoint: Endpoint;
  readonly #headers: readonly string[];
  readonly #tls: TlsSettings | null;
  readonly #fault: Outcome | null;
  readonly #pattern: BodyPattern | null;
  readonly #maxReadBytes: number;
  #client: Client | null = null;
  #attempt: HttpAttempt | null = null;
  #socket: Socket | null = null;

  constructor(options: HttpCheckerOptions, parts: HttpCheckerParts) {
    const { check, target } = options;
    this.#check = check;
    this.#endpoint = { address: target.address, port: check.port ?? target.port };
    const headers = requestHeaders(check, this.#endpoint);
    this.#headers = headers.ok ? headers.value : [];
    this.#pattern = check.expectBody?.type === "matches" ? parts.pattern(check.expectBody.pattern) : null;
    this.#maxReadBytes = MAX_HEADER_BYTES + READ_SLACK_BYTES + FRAMING_FACTOR * check.maxBodyBytes;
    const context = check.tls === null ? null : parts.contexts.get(check.tls);
    this.#fault = !headers.ok
      ? fail("secret_file", headers.error)
      : context !== null && !context.ok
        ? fail("tls_files", context.error)
        : null;
    this.#tls = check.tls !== null && context?.ok ? tlsSettings(check.tls, check, target, context.value) : null;
  }

  begin(done: (outcome: Outcome) => void): Attempt {
    const fault = this.#fault;
    const options = { check: this.#check, endpoint: this.#endpoint, matcher: this.#matcher() };
    const attempt = new HttpAttempt(options, (outcome) => {
      // After the parser has finished the piece that it is reading: a small response has ended by then. The caller
      // hears last, since it may begin the next attempt at once.
      queueMicrotask(() => {
        this.#finish(attempt);
        done(outcome);
      });
    });
    if (fault !== null) {
      attempt.decide(fault);
      return attempt;
    }
    this.#attempt = attempt;
    this.#client ??= this.#newClient();
    const { method, path } = this.#check;
    this.#client.dispatch({ method, path, headers: [...this.#headers], reset: true }, attempt);
    return attempt;
  }

  close(): void {
    this.#drop();
  }

  #finish(attempt: HttpAttempt): void {
    this.#attempt = null;
    if (!attempt.leavesClientClean) this.#drop();
    this.#socket = null;
  }

  #drop(): void {
    const client = this.#client;
    this.#client = null;
    client?.destroy(null, ignore);
    this.#socket?.destroy();
    this.#socket = null;
  }

  #matcher(): BodyMatcher | null {
    const { expectBody, maxBodyBytes } = this.#check;
    if (this.#pattern !== null) return new PatternMatcher(this.#pattern, maxBodyBytes);
    return expectBody?.type === "contains" ? new ContainsMatcher(expectBody.text, maxBodyBytes) : null;
  }

  #newClient(): Client {
    const origin = `${this.#tls === null ? "http" : "https"}://${formatEndpoint(this.#endpoint)}`;
    return new Client(origin, {
      // The attempt's signal is the only deadline; undici's own timers are off.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
      connect: (_options, callback) => this.#connect(callback),
    });
  }

  /**
   * Our own connector rather than undici's: it can be cut off while it connects, arms no timer, and resumes no TLS
   * session, since a resumed one would not look at the certificate again.
   */
  #connect(callback: buildConnector.Callback): void {
    const attempt = this.#attempt;
    const to = { host: this.#endpoint.address, port: this.#endpoint.port };
    const socket = this.#tls === null ? connectTcp(to) : connectTls({ ...to, ...this.#tls });
    this.#socket = socket;
    let isOpen = false;
    socket.on("error", (error) => {
      if (!isOpen) callback(error, null);
    });
    if (this.#tls !== null) {
      socket.once("connect", () => {
        if (attempt !== null) attempt.phase = "tls";
      });
    }
    socket.once(this.#tls === null ? "connect" : "secureConnect", () => {
      isOpen = true;
      socket.on("readable", () => this.#limitReading(socket, attempt));
      callback(null, socket);
    });
  }

  /** Parsers forgive endless chunk extensions, interim responses and trailers; this does not. */
  #limitReading(socket: Socket, attempt: HttpAttempt | null): void {
    if (socket.bytesRead <= this.#maxReadBytes) return;
    const detail = `${formatEndpoint(this.#endpoint)} sent more than ${this.#maxReadBytes} bytes without an answer to judge`;
    attempt?.decide(fail("response_too_large", detail));
  }
}

/** @returns names and values by turns, or what keeps a value from being known */
function requestHeaders(check: HttpCheckConfig, endpoint: Endpoint): Result<readonly string[], string> {
  const headers = ["host", check.host ?? formatEndpoint(endpoint)];
  const names = new Set(Object.keys(check.headers).map((name) => name.toLowerCase()));
  if (!names.has("user-agent")) headers.push("user-agent", "holdfast");
  if (!names.has("accept")) headers.push("accept", "*/*");
  for (const [name, value] of Object.entries(check.headers)) {
    if (typeof value !== "string") {
      const place = value.type === "file" ? `the file ${value.path}` : `the credential ${value.name}`;
      return err(`the header ${name} has no value: ${place} could not be used when the configuration was read`);
    }
    if (name.toLowerCase() !== "host") headers.push(name, value);
  }
  return ok(headers);
}
