import type { Dispatcher } from "undici";
import { formatDurationUs } from "../base/duration.ts";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import type { HttpCheckConfig, StatusRange } from "../config/model.ts";
import type { BodyMatcher } from "./body-matcher.ts";
import type { Attempt } from "./checker.ts";
import { connectFailure } from "./connect-errors.ts";
import { fail, type Outcome, pass, quote } from "./outcome.ts";

/** Status line and headers together. */
export const MAX_HEADER_BYTES = 16_384;

/** How far an attempt got; tells a dead host from a hung program when the deadline strikes. */
export type HttpPhase = "connecting" | "tls" | "waiting" | "body";

/**
 * One attempt, as undici's handler: it judges the status, feeds the body to the matcher and decides once.
 * `onDecided` is called exactly once, perhaps from inside undici's parser.
 */
export class HttpAttempt implements Attempt, Dispatcher.DispatchHandler {
  phase: HttpPhase = "connecting";
  /** Undici is done with this request: the response was read to its end, or no connection came about. */
  leavesClientClean = false;
  #isDecided = false;
  readonly #check: HttpCheckConfig;
  readonly #endpoint: Endpoint;
  readonly #matcher: BodyMatcher | null;
  readonly #onDecided: (outcome: Outcome) => void;

  constructor(
    options: { readonly check: HttpCheckConfig; readonly endpoint: Endpoint; readonly matcher: BodyMatcher | null },
    onDecided: (outcome: Outcome) => void,
  ) {
    this.#check = options.check;
    this.#endpoint = options.endpoint;
    this.#matcher = options.matcher;
    this.#onDecided = onDecided;
  }

  get isDecided(): boolean {
    return this.#isDecided;
  }

  decide(outcome: Outcome): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.#onDecided(outcome);
  }

  abort(): void {
    const within = `within ${formatDurationUs(this.#check.timeoutUs)}`;
    const where = formatEndpoint(this.#endpoint);
    const sentences: Readonly<Record<HttpPhase, string>> = {
      connecting: `no connection to ${where} ${within}`,
      tls: `${where} accepted the connection but did not finish the TLS handshake ${within}`,
      waiting: `${where} accepted the connection but sent no complete response header ${within}`,
      body: `the body from ${where} neither matched nor ended ${within}`,
    };
    this.decide(fail("timeout", sentences[this.phase]));
  }

  onRequestStart(): void {
    this.phase = "waiting";
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.phase = "body";
    const expected = this.#check.expectStatus;
    if (!expected.some((range) => status >= range.from && status <= range.to)) {
      this.decide(fail("status", `status ${status}, expected ${formatRanges(expected)}`));
    } else if (this.#matcher === null) {
      // A redirect is a status like any other: it is not followed.
      this.decide(pass(`status ${status}`));
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isDecided || this.#matcher === null) return;
    const progress = this.#matcher.push(chunk);
    if (progress.type === "decided") this.decide(progress.outcome);
  }

  onResponseEnd(): void {
    this.leavesClientClean = true;
    withoutStacks();
    if (!this.#isDecided && this.#matcher !== null) this.decide(this.#matcher.end());
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.leavesClientClean = !this.#isDecided && this.phase === "connecting";
    this.decide(errorOutcome(error, this.phase, this.#endpoint));
  }
}

/** What a fault of the program shows. */
const STACK_FRAMES = Error.stackTraceLimit;

/**
 * To close a connection in good order, undici makes an error that nobody sees, and Node spells out its stack: a fifth of the price of
 * an attempt. Until the parser has finished the piece that it is reading, errors come without one.
 */
function withoutStacks(): void {
  Error.stackTraceLimit = 0;
  queueMicrotask(restoreStacks);
}

function restoreStacks(): void {
  Error.stackTraceLimit = STACK_FRAMES;
}

function formatRanges(ranges: readonly StatusRange[]): string {
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Codes of OpenSSL's verification (X509_V_ERR_…) as Node names them; they have no common prefix. */
const CERTIFICATE_CODES =
  /^(ERR_TLS_CERT_ALTNAME|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH)/;

/** What an error of undici, of a socket or of TLS says about the server. */
export function errorOutcome(error: Error, phase: HttpPhase, endpoint: Endpoint): Outcome {
  const code = codeOf(error);
  const where = formatEndpoint(endpoint);
  if (CERTIFICATE_CODES.test(code)) {
    return fail("tls_certificate", `the certificate of ${where} does not verify: ${quote(error.message)} (${code})`);
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_")) {
    return fail("tls_handshake", `TLS with ${where} failed: ${quote(error.message)}`);
  }
  if (code === "UND_ERR_INVALID_ARG") return fail("request_invalid", `the request cannot be sent: ${error.message}`);
  if (phase === "connecting") return connectFailure(code === "" ? quote(error.message) : code, endpoint);
  if (code === "ECONNRESET" && phase === "tls") {
    return fail("tls_handshake", `${where} closed the connection during the TLS handshake`);
  }
  if (code === "ECONNRESET" || code === "EPIPE") {
    return fail("connection_reset", `${where} reset the connection before its response was complete`);
  }
  if (code === "UND_ERR_HEADERS_OVERFLOW") {
    return fail("headers_too_large", `the response header of ${where} is longer than ${MAX_HEADER_BYTES} bytes`);
  }
  if (code === "UND_ERR_SOCKET" && /closed/.test(error.message)) {
    return fail("connection_closed", `${where} closed the connection before its response was complete`);
  }
  return fail("protocol_error", `${where} does not speak HTTP/1.1 as it should: ${quote(error.message)}`);
}
