import { DirectorError } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { ControlClient } from "../control/client.ts";
import { type Paint, renderStatus } from "./status-view.ts";

/** A reload of many servers on a slow machine takes a while. */
const RELOAD_TIMEOUT_MS = 70_000;
const STATUS_TIMEOUT_MS = 5_000;

export interface Output {
  out(text: string): void;
  err(text: string): void;
  readonly paint: Paint;
}

export interface DaemonCommandOptions {
  readonly controlSocket: string;
  readonly json: boolean;
}

/** `holdfast status`: 0 healthy, 3 degraded, 4 no daemon. */
export async function statusCommand(options: DaemonCommandOptions, output: Output): Promise<ExitCode> {
  return withDaemon(output, async () => {
    const status = await new ControlClient({ path: options.controlSocket, timeoutMs: STATUS_TIMEOUT_MS }).status();
    output.out(options.json ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status, Date.now(), output.paint));
    return status.health === "healthy" ? EXIT.OK : EXIT.DEGRADED;
  });
}

/** `holdfast reload`: 0 applied, 78 refused (nothing changed), 4 no daemon. */
export async function reloadCommand(options: DaemonCommandOptions, output: Output): Promise<ExitCode> {
  return withDaemon(output, async () => {
    const result = await new ControlClient({ path: options.controlSocket, timeoutMs: RELOAD_TIMEOUT_MS }).reload();
    if (options.json) output.out(`${JSON.stringify(result.ok ? result.value : result.error, null, 2)}\n`);
    if (!result.ok) {
      if (!options.json) output.err(`${result.error.details ?? ""}holdfast: reload refused: ${result.error.message}\n`);
      return result.error.code === "CONFIG_INVALID" ? EXIT.BAD_CONFIG : EXIT.FAILED;
    }
    const { changes, warnings } = result.value;
    if (!options.json) {
      for (const warning of warnings) output.err(`${warning}\n`);
      output.out(changes.length === 0 ? "nothing to do\n" : changes.map((change) => `${change}\n`).join(""));
    }
    return EXIT.OK;
  });
}

async function withDaemon(output: Output, act: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await act();
  } catch (thrown) {
    if (!(thrown instanceof DirectorError) || thrown.code !== "DAEMON_UNREACHABLE") throw thrown;
    output.err(`holdfast: ${thrown.message}. ${thrown.remedy}\n`);
    return EXIT.NO_DAEMON;
  }
}
