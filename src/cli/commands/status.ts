import { type Command, InvalidArgumentError } from "commander";
import { parseDurationUs } from "../../base/duration.ts";
import type { ExitCode } from "../../base/exit-codes.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf, type GlobalOptions, globalsOf } from "./command.ts";

const DEFAULT_INTERVAL_US = 2_000_000;
const MIN_INTERVAL_US = 100_000;
const MAX_INTERVAL_US = 3_600_000_000;

export interface StatusOptions extends GlobalOptions {
  readonly json: boolean;
  readonly all: boolean;
  readonly service: string | null;
  readonly watchUs: number | null;
}

export interface StatusHandler {
  status(options: StatusOptions): Promise<ExitCode>;
}

export function addStatus({ program, handlers, finish }: CommandLine<StatusHandler>): void {
  addCommand(
    program,
    "status",
    "print instances, services and the servers that are not well, with the reason for each state",
    "holdfast status",
    "holdfast status --watch",
    "holdfast status --service web",
  )
    .option("--all", "every server of every service")
    .option("--service <service>", "only this service, with every server")
    .option("--watch [interval]", "draw it again and again, every 2s unless said", parseInterval)
    .option("--json", "print the state as JSON; one line each with --watch")
    .addHelpText("after", exitCodes("0 healthy, 3 degraded, 4 no daemon"))
    .action(async (_options: unknown, command: Command) => {
      const { service = null, watch } = command.opts<{ readonly service?: string; readonly watch?: number | true }>();
      const watchUs = watch === undefined ? null : watch === true ? DEFAULT_INTERVAL_US : watch;
      const { json, all } = flagsOf(command, "json", "all");
      finish(await handlers.status({ ...globalsOf(command), json, all, service, watchUs }));
    });
}

function parseInterval(text: string): number {
  const interval = parseDurationUs(text);
  if (!interval.ok) throw new InvalidArgumentError("Write how often, with a unit: 500ms, 2s, 1m.");
  if (interval.value >= MIN_INTERVAL_US && interval.value <= MAX_INTERVAL_US) return interval.value;
  throw new InvalidArgumentError("It is from 100ms to 1h.");
}
