import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { ControlClient } from "../control/client.ts";
import {
  EVENTS_FOLDER,
  type EventPage,
  type EventQuery,
  isEventLine,
  type JournalEvent,
  MAX_EVENTS_PER_PAGE,
  pageOf,
} from "../control/events.ts";
import { EventLines } from "./events-view.ts";
import { paintsFor, type Terminal } from "./terminal.ts";

const ASK_TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;

export interface EventsCommandOptions {
  readonly controlSocket: string;
  readonly query: EventQuery;
  readonly follow: boolean;
  readonly json: boolean;
}

/** What the daemon left on disk. */
export interface StoredEvents {
  /** Where it stands. */
  readonly dir: string;
  readonly events: readonly JournalEvent[];
  /** One sentence for each thing that is damaged. */
  readonly problems: readonly string[];
}

export interface EventsCollaborators {
  /** Reads what the daemon left, for when it does not run. */
  readStored(): StoredEvents;
  /** Ends `follow`. */
  readonly signal: AbortSignal;
  /** How often a daemon that went away is looked for; once a second unless told. */
  readonly retryMs?: number;
}

/** `holdfast events`: from the daemon, or from its files where none runs. 4 where there is neither. */
export async function eventsCommand(
  options: EventsCommandOptions,
  terminal: Terminal,
  collaborators: EventsCollaborators,
): Promise<ExitCode> {
  const { query, json } = options;
  const lines = new EventLines(paintsFor(terminal));
  const print = (events: readonly JournalEvent[]) =>
    terminal.out.write(json ? events.map((event) => `${JSON.stringify(event)}\n`).join("") : lines.render(events));
  const client = new ControlClient({ path: options.controlSocket, timeoutMs: ASK_TIMEOUT_MS });
  let page: EventPage;
  let isUp = true;
  try {
    page = await client.events(query);
  } catch (thrown) {
    const { events, dir, problems } = collaborators.readStored();
    const gone = goneOf(thrown);
    isUp = false;
    page = pageOf(events, query);
    for (const problem of problems) terminal.err.write(`holdfast: ${problem}.\n`);
    if (page.newest === null && !options.follow) {
      terminal.err.write(`holdfast: ${gone.message}, and there are no events in ${dir}. ${gone.remedy}\n`);
      return EXIT.NO_DAEMON;
    }
    terminal.err.write(`holdfast: ${gone.message}; these are the events in ${dir}.\n`);
  }
  print(page.events);
  if (options.follow) await follow({ client, query, after: page.newest ?? 0, isUp }, terminal, collaborators, print);
  return EXIT.OK;
}

/**
 * @param readLines of sys/
 * @throws DirectorError FILE_UNREADABLE
 */
export function readStoredEvents(
  stateDir: string,
  readLines: (
    dir: string,
    maxLines: number,
    isGood: (line: string) => boolean,
  ) => { readonly lines: readonly string[]; readonly problems: readonly string[] },
): StoredEvents {
  const dir = join(stateDir, EVENTS_FOLDER);
  try {
    const { lines, problems } = readLines(dir, MAX_EVENTS_PER_PAGE, isEventLine);
    return { dir, problems, events: lines.map((line) => JSON.parse(line) as JournalEvent) };
  } catch (thrown) {
    throw new DirectorError("FILE_UNREADABLE", `${dir} could not be read: ${messageOf(thrown)}`, { dir }, thrown);
  }
}

/** Prints what happens until the signal; a daemon that goes away is waited for. */
async function follow(
  from: { readonly client: ControlClient; readonly query: EventQuery; readonly after: number; readonly isUp: boolean },
  terminal: Terminal,
  { signal, retryMs = RETRY_MS }: EventsCollaborators,
  print: (events: readonly JournalEvent[]) => void,
): Promise<void> {
  let { after, isUp } = from;
  if (!isUp) terminal.err.write("holdfast: waiting for the daemon.\n");
  while (!signal.aborted) {
    try {
      for await (const event of from.client.follow(after, from.query.types, signal)) {
        isUp = true;
        after = event.id;
        print([event]);
      }
    } catch (thrown) {
      goneOf(thrown);
      if (isUp) terminal.err.write("holdfast: the daemon does not answer any more; waiting for it.\n");
      isUp = false;
    }
    await sleep(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

/** That no daemon answers is for us to handle; anything else is thrown on. */
function goneOf(thrown: unknown): DirectorError {
  if (thrown instanceof DirectorError && thrown.code === "DAEMON_UNREACHABLE") return thrown;
  throw thrown;
}
