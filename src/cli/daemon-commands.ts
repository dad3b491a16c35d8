import { DirectorError } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { asSentence } from "../base/sentence.ts";
import { ControlClient } from "../control/client.ts";
import type { ReloadReport } from "../control/status.ts";
import { renderPlan } from "./plan.ts";
import { printable, type Terminal } from "./terminal.ts";
import { localTime } from "./when.ts";

/** A reload of many servers on a slow machine takes a while, and it may have to wait for one that is under way. */
const RELOAD_TIMEOUT_MS = 130_000;
/** Three of the longest intervals, and a little more. */
const HANDOVER_TIMEOUT_MS = 140_000;

export interface DaemonCommandOptions {
  readonly controlSocket: string;
  readonly json: boolean;
}

/** `holdfast reload`: 0 applied, 78 refused (nothing changed), 4 no daemon. */
export async function reloadCommand(
  options: DaemonCommandOptions & { readonly confirm: string | null },
  terminal: Terminal,
): Promise<ExitCode> {
  return withDaemon(terminal, async () => {
    const result = await new ControlClient({ path: options.controlSocket, timeoutMs: RELOAD_TIMEOUT_MS }).reload(
      options.confirm,
    );
    if (options.json) terminal.out.write(`${JSON.stringify(result.ok ? result.value : result.error, null, 2)}\n`);
    if (!result.ok) {
      const isRefused = result.error.code === "CONFIG_INVALID";
      if (!options.json)
        terminal.err.write(
          `${result.error.details ?? ""}holdfast: reload ${isRefused ? "refused" : "failed"}: ${result.error.message}\n`,
        );
      return isRefused ? EXIT.BAD_CONFIG : EXIT.FAILED;
    }
    if (!options.json) printReload(result.value, terminal);
    return result.value.remaining.length === 0 ? EXIT.OK : EXIT.FAILED;
  });
}

/** The plan that was carried out, and whether the kernel has it. */
function printReload({ plan, changes, remaining, warnings, confirmBy }: ReloadReport, terminal: Terminal): void {
  for (const warning of warnings) terminal.err.write(`${warning}\n`);
  if (plan !== null) terminal.out.write(renderPlan(plan, terminal));
  else terminal.out.write(changes.map((change) => `${printable(change)}\n`).join(""));
  for (const sentence of remaining) terminal.err.write(`holdfast: not applied: ${sentence}\n`);
  if (remaining.length === 0 && plan?.summary.hasChanges === true)
    terminal.out.write("applied, and read back: the kernel is as configured\n");
  if (confirmBy !== null)
    terminal.out.write(`undoes itself at ${localTime(confirmBy, new Date())} unless you run \`holdfast confirm\`\n`);
}

/** `holdfast confirm`: 0 done, 1 nothing waits to be confirmed, 4 no daemon. */
export async function confirmCommand(
  options: DaemonCommandOptions & { readonly undo: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  return withDaemon(terminal, async () => {
    const client = new ControlClient({ path: options.controlSocket, timeoutMs: RELOAD_TIMEOUT_MS });
    const result = await (options.undo ? client.undo() : client.confirm());
    if (options.json) terminal.out.write(`${JSON.stringify(result.ok ? result.value : result.error, null, 2)}\n`);
    if (!result.ok) {
      if (!options.json) terminal.err.write(`holdfast: ${asSentence(result.error.message)}\n`);
      return EXIT.FAILED;
    }
    if (!options.json)
      terminal.out.write(
        result.value.state === "confirmed"
          ? "confirmed: the configuration stays\n"
          : "undone: the configuration before is in force; the files are as they were edited\n",
      );
    return EXIT.OK;
  });
}

/** `holdfast handover INSTANCE`: 0 when the peer has it, 1 otherwise, 4 no daemon. */
export async function handoverCommand(
  options: DaemonCommandOptions & { readonly instance: string },
  terminal: Terminal,
): Promise<ExitCode> {
  return withDaemon(terminal, async () => {
    const client = new ControlClient({ path: options.controlSocket, timeoutMs: HANDOVER_TIMEOUT_MS });
    const result = await client.handover(options.instance);
    if (options.json) terminal.out.write(`${JSON.stringify(result.ok ? result.value : result.error, null, 2)}\n`);
    if (!result.ok) {
      if (!options.json) terminal.err.write(`holdfast: no handover: ${asSentence(result.error.message)}\n`);
      return EXIT.FAILED;
    }
    if (!options.json) {
      for (const { instance, successor, tookMs } of result.value.moved)
        terminal.out.write(`${instance}: ${successor} serves, heard after ${tookMs} ms\n`);
    }
    return EXIT.OK;
  });
}

/** Runs what needs a daemon; without one it says so and ends with 4. */
export async function withDaemon(terminal: Terminal, act: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await act();
  } catch (thrown) {
    if (!(thrown instanceof DirectorError) || thrown.code !== "DAEMON_UNREACHABLE") throw thrown;
    terminal.err.write(`holdfast: ${thrown.message}. ${thrown.remedy}\n`);
    return EXIT.NO_DAEMON;
  }
}
