import { spawnSync } from "node:child_process";
import { DirectorError } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";

/** ip and nft answer in milliseconds; one that does not hangs. */
const TOOL_TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** How a program ended. */
export interface ToolOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of the system to its end, for commands that a person waits for: never in the daemon, whose event loop this would
 * block.
 * @returns its outcome, whatever its exit status; an error only where it could not be run, or did not end
 */
export function runTool(command: readonly [string, ...string[]], input = ""): Result<ToolOutcome, DirectorError> {
  const [program, ...args] = command;
  const { error, status, signal, stdout, stderr } = spawnSync(program, args, {
    input,
    encoding: "utf8",
    timeout: TOOL_TIMEOUT_MS,
    killSignal: "SIGKILL",
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { PATH: TOOL_PATH, LC_ALL: "C" },
  });
  if (error === undefined && status !== null) return ok({ status, stdout, stderr });
  const isMissing = error !== undefined && "code" in error && error.code === "ENOENT";
  const reason = isMissing ? "it is not installed" : (error?.message ?? `it was ended by ${signal}`);
  return err(
    new DirectorError("TOOL_FAILED", `running \`${command.join(" ")}\` failed: ${reason}`, { program }, error),
  );
}

/** As runTool; an exit status other than 0 is an error that quotes what the program said. */
export function runToolWell(command: readonly [string, ...string[]], input = ""): Result<string, DirectorError> {
  const outcome = runTool(command, input);
  if (!outcome.ok) return outcome;
  const { status, stdout, stderr } = outcome.value;
  if (status === 0) return ok(stdout);
  const [said = `exit ${status}`] = `${stderr}\n${stdout}`.trim().split("\n");
  const isForbidden = /not permitted|Permission denied/i.test(said);
  return err(
    new DirectorError(isForbidden ? "PRIVILEGE_MISSING" : "TOOL_FAILED", `\`${command.join(" ")}\` failed: ${said}`, {
      program: command[0],
      status,
    }),
  );
}
