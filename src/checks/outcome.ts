/**
 * Why an attempt failed. Codes are stable: logs, JSON, documentation and tests refer to them; the sentence beside them
 * (`detail`) may change.
 */
export const FAILURE_REASONS = [
  "timeout",
  "connect_refused",
  "unreachable",
  "connect_failed",
  "connection_reset",
  "connection_closed",
  "tls_certificate",
  "tls_handshake",
  "tls_files",
  "secret_file",
  "status",
  "body_mismatch",
  "body_pattern_slow",
  "headers_too_large",
  "response_too_large",
  "protocol_error",
  "request_invalid",
  "script_exit",
  "script_weight",
  "script_signal",
  "script_start",
  "stuck",
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** Why an attempt could not be made for want of something on this machine; it says nothing about the server. */
export const NOT_RUN_REASONS = ["local_resources", "no_slot"] as const;
export type NotRunReason = (typeof NOT_RUN_REASONS)[number];

/** What one attempt found out. */
export type Outcome =
  | { readonly passed: true; readonly weight?: number; readonly detail: string }
  | { readonly passed: false; readonly reason: FailureReason; readonly detail: string }
  | { readonly passed: null; readonly reason: NotRunReason; readonly detail: string };

export function pass(detail: string): Outcome {
  return { passed: true, detail };
}

export function fail(reason: FailureReason, detail: string): Outcome {
  return { passed: false, reason, detail };
}

export function notRun(reason: NotRunReason, detail: string): Outcome {
  return { passed: null, reason, detail };
}

const MAX_QUOTE_LENGTH = 120;

/** Text from outside, made fit for one line of a log: control characters become spaces, the length is bounded. */
export function quote(text: string): string {
  const line = text
    .slice(0, 4 * MAX_QUOTE_LENGTH)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim();
  return line.length > MAX_QUOTE_LENGTH ? `${line.slice(0, MAX_QUOTE_LENGTH - 1)}…` : line;
}
