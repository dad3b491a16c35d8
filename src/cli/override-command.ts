import { setTimeout as sleep } from "node:timers/promises";
import { DirectorError } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { ControlClient } from "../control/client.ts";
import type { OrderedServer, OverrideAnswer, OverrideStatus, ServerOverrideStatus } from "../control/overrides.ts";
import type { OverrideCommand } from "./commands/overrides.ts";
import type { Terminal } from "./terminal.ts";
import { localTime } from "./when.ts";

/** The checker process has a minute to change the table of many servers on a slow machine. */
const ORDER_TIMEOUT_MS = 70_000;
/** The daemon counts once a second. */
const ASK_EVERY_MS = 500;

export interface OverrideCommandOptions extends Pick<OverrideCommand, "order" | "wait" | "json"> {
  readonly controlSocket: string;
  /** Who orders. */
  readonly by: string;
  /** How often `--wait` asks; half a second unless told. */
  readonly askEveryMs?: number;
}

/** `holdfast drain|disable|weight|enable`: 0 done, 1 refused, 4 no daemon. */
export async function overrideCommand(options: OverrideCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const client = new ControlClient({ path: options.controlSocket, timeoutMs: ORDER_TIMEOUT_MS });
  try {
    const result = await client.order({ ...options.order, by: options.by });
    if (!result.ok) {
      if (options.json) terminal.out.write(`${JSON.stringify(result.error, null, 2)}\n`);
      else terminal.err.write(`holdfast: ${options.order.type} refused: ${result.error.message}\n`);
      return EXIT.FAILED;
    }
    const answer = result.value;
    if (!options.json) print(answer, terminal);
    const waited = options.wait ? await waitFor(answer.servers, client, options, terminal) : null;
    if (options.json) {
      const servers = answer.servers.map((server) => ({ ...server, override: standing(server, waited?.last) }));
      terminal.out.write(`${JSON.stringify({ ...answer, servers }, null, 2)}\n`);
    }
    return waited === null || waited.areOut ? EXIT.OK : EXIT.FAILED;
  } catch (thrown) {
    if (!(thrown instanceof DirectorError) || thrown.code !== "DAEMON_UNREACHABLE") throw thrown;
    terminal.err.write(`holdfast: ${thrown.message}. ${thrown.remedy}\n`);
    return EXIT.NO_DAEMON;
  }
}

function print({ servers, warnings }: OverrideAnswer, terminal: Terminal): void {
  const now = new Date();
  for (const { service, server, before, override } of servers) {
    const was = before === null || before === override?.state ? "" : `, was ${before}`;
    const state = override === null ? stateWithout(before) : `${override.state}${was}${limitsOf(override, now)}`;
    terminal.out.write(`${service} ${server}: ${state}\n`);
  }
  for (const warning of warnings) terminal.err.write(`holdfast: warning: ${warning}\n`);
}

function stateWithout(before: string | null): string {
  return before === null ? "nothing to take off, its checks decide" : `${before} no more, its checks decide`;
}

/** `, out at the latest 14:30, until 18:00`. */
function limitsOf(override: OverrideStatus, now: Date): string {
  const { state, deadline, until } = override;
  const latest = deadline === null || state !== "draining" ? "" : `, out at the latest ${localTime(deadline, now)}`;
  return `${latest}${until === null ? "" : `, until ${localTime(until, now)}`}`;
}

interface Waited {
  /** Whether all were drained; otherwise some orders were taken off before. */
  readonly areOut: boolean;
  readonly last: readonly ServerOverrideStatus[];
}

/** Asks until every server is drained, or not to be drained any more, and says what changes meanwhile, except as JSON. */
async function waitFor(
  servers: readonly OrderedServer[],
  client: ControlClient,
  { json, askEveryMs = ASK_EVERY_MS }: OverrideCommandOptions,
  terminal: Terminal,
): Promise<Waited> {
  const told = new Map<OrderedServer, string>(); // bounded by the servers
  for (;;) {
    const last = await client.overrides();
    const states = servers.map((server) => progressOf(standing(server, last)));
    servers.forEach((server, index) => {
      const text = states[index]?.text ?? "";
      if (text === "" || told.get(server) === text) return;
      told.set(server, text);
      if (!json) terminal.out.write(`${server.service} ${server.server}: ${text}\n`);
    });
    if (states.every(({ phase }) => phase !== "waiting"))
      return { areOut: states.every(({ phase }) => phase === "out"), last };
    await sleep(askEveryMs);
  }
}

function progressOf(override: OverrideStatus | null): {
  readonly phase: "waiting" | "out" | "off";
  readonly text: string;
} {
  if (override?.type !== "drain")
    return { phase: "off", text: `not draining any more: ${override?.state ?? "enabled"}` };
  const { state, connections, cut } = override;
  if (state === "drained")
    return { phase: "out", text: cut === null || cut === 0 ? "drained" : `drained, ${connectionCount(cut)} cut` };
  // Without connections the daemon looks once more before it says that the server is drained.
  const isCounted = connections !== null && connections > 0;
  return { phase: "waiting", text: isCounted ? `${connectionCount(connections)} left` : "" };
}

/** What stands of a server: as asked last, or as it was answered. */
function standing(server: OrderedServer, last: readonly ServerOverrideStatus[] | undefined): OverrideStatus | null {
  if (last === undefined) return server.override;
  const found = last.find((one) => one.service === server.service && one.server === server.server);
  return found?.override ?? null;
}

function connectionCount(count: number): string {
  return `${count} connection${count === 1 ? "" : "s"}`;
}
