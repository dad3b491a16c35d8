/** One run of a program, without a shell, in a process group of its own. */
export interface ProcessRequest {
  /** Absolute path first, then its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Bytes of standard output to keep; the rest is read and thrown away. */
  readonly maxOutputBytes: number;
  /** After the signal aborts the group gets SIGTERM, and SIGKILL this much later. */
  readonly killGraceMs: number;
}

export type ProcessOutcome =
  | { readonly type: "exited"; readonly code: number; readonly stdout: string }
  | { readonly type: "signalled"; readonly signal: string }
  | { readonly type: "aborted" }
  | { readonly type: "failed"; readonly message: string };

/** Runs programs. Never throws: what went wrong is the outcome. Resolves at once when aborted; the killing goes on behind. */
export interface ProcessRunner {
  run(request: ProcessRequest, signal: AbortSignal): Promise<ProcessOutcome>;
}
