import { type Command, InvalidArgumentError } from "commander";
import { parseDurationUs } from "../../base/duration.ts";
import type { ExitCode } from "../../base/exit-codes.ts";
import { type EventQuery, MAX_EVENTS_PER_PAGE, parseEventTypes } from "../../control/events.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf, type GlobalOptions, globalsOf } from "./command.ts";

/** Events that are shown unless told otherwise: a screen of them. */
const DEFAULT_COUNT = 40;

export interface EventsOptions extends GlobalOptions {
  readonly query: EventQuery;
  readonly follow: boolean;
  readonly json: boolean;
}

export interface EventsHandler {
  events(options: EventsOptions): Promise<ExitCode>;
}

export function addEvents({ program, handlers, finish }: CommandLine<EventsHandler>): void {
  addCommand(
    program,
    "events",
    "what happened and why; read from the files of the daemon where none runs",
    "holdfast events --since 2h --type instance,server",
    "holdfast events -f --json",
  )
    .option("-f, --follow", "go on with what happens from now on")
    .option("-n, --lines <count>", `the newest so many; ${DEFAULT_COUNT}, or all with --since`, parseCount)
    .option("--since <when>", "not older: 90s, 2h, 3d, or a time such as 2026-01-31T04:00", parseSince)
    .option("--type <types>", "only of these types, with commas between them", parseTypes)
    .option("--json", "print one JSON object a line")
    .addHelpText("after", exitCodes("0 shown, 4 no daemon and no files of one"))
    .action(async (_options: unknown, command: Command) => {
      const {
        lines,
        since = null,
        type = [],
      } = command.opts<{
        readonly lines?: number;
        readonly since?: number;
        readonly type?: EventQuery["types"];
      }>();
      const limit = lines ?? (since === null ? DEFAULT_COUNT : MAX_EVENTS_PER_PAGE);
      const query = { after: null, limit, types: type, sinceMs: since };
      const { follow, json } = flagsOf(command, "follow", "json");
      finish(await handlers.events({ ...globalsOf(command), query, follow, json }));
    });
}

function parseCount(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_EVENTS_PER_PAGE) return Number(text);
  throw new InvalidArgumentError(`It is a whole number up to ${MAX_EVENTS_PER_PAGE}.`);
}

function parseTypes(text: string): EventQuery["types"] {
  const types = parseEventTypes([text]);
  if (types.ok) return types.value;
  throw new InvalidArgumentError(`${types.error}.`);
}

/** @returns milliseconds since 1970 */
function parseSince(text: string): number {
  const ago = parseDurationUs(text);
  if (ago.ok) return Date.now() - ago.value / 1000;
  // A date alone is midnight of this machine's day, as a date with a time is of its clock.
  const atMs = Date.parse(text.length === "2026-01-31".length ? `${text}T00:00` : text);
  // Date.parse takes a lone 7 for a month.
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(atMs)) return atMs;
  throw new InvalidArgumentError("Write how long ago, such as 2h, or a time, such as 2026-01-31T04:00.");
}
