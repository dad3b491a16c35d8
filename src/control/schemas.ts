import * as z from "zod";
import { EVENT_TYPES, EVENTS_VERSION, type EventPage, type JournalEvent } from "./events.ts";
import type { OverrideStatus } from "./overrides.ts";
import { type DirectorStatus, STATUS_VERSION } from "./status.ts";

/**
 * The answers of the control API as schemas, for programs that read them: `holdfast schema` prints them, and a test holds the
 * answers of a running daemon against them. Only those two load this; the compiler holds it against the types that the
 * daemon goes by.
 */

const count = z.int().min(0);
const time = z.iso.datetime().describe("ISO 8601, UTC");
const sentence = z.string();

function named<S extends z.ZodType>(schema: S, description: string): S {
  return schema.describe(description);
}

const process = z.object({
  name: z.enum(["vrrp", "checker"]),
  state: named(
    z.enum(["starting", "running", "silent", "restarting", "stopped"]),
    "`silent`: it runs and does not answer",
  ),
  pid: z.int().nullable(),
  restarts: named(count, "unexpected ends since the daemon started"),
});

const track = z.object({
  what: named(z.string(), "`interface eth1`, `script disk`, `service web`"),
  weight: named(z.int().nullable(), "null = the instance is in fault while it fails"),
  isPassing: z.boolean(),
  effect: named(z.int(), "what it adds to the priority now"),
  state: sentence,
});

const phase = z.enum(["initialize", "backup", "master", "fault"]);

const counters = z.object({
  advertsSent: count,
  advertsReceived: count,
  sendErrors: count,
  becameMaster: count,
  handovers: named(count, "planned handovers in which a successor was heard"),
  strayPackets: named(count, "packets on its interface for a VRID that nobody here speaks"),
  transitions: named(
    z.array(z.object({ from: phase, to: phase, reason: named(z.string(), "a code: `master_silent`"), count })),
    "changes of phase, by what changed and why",
  ),
  rejected: named(z.record(z.string(), count), "packets refused, by reason"),
  checksumForms: named(z.record(z.string(), count), "adverts received, by the form of their checksum"),
  events: named(
    z.record(z.string(), count),
    "two masters, a standstill, adverts that differ from this node's, by kind",
  ),
});

const spread = z.object({
  count,
  sumUs: count,
  within: named(z.array(count), "how many values are at most 100 µs, 1 ms, 5 ms, 10 ms, 50 ms, 100 ms, 1 s"),
  p50Us: count,
  p99Us: count,
  p999Us: count,
  maxUs: count,
});

const instance = z.object({
  name: z.string(),
  interface: z.string(),
  vrid: z.int().min(1).max(255),
  transport: z.enum(["multicast", "unicast", "udp"]),
  isSigned: named(z.boolean(), "whether its adverts carry a signature"),
  phase,
  since: time,
  reason: named(sentence, "why it is in this phase"),
  priority: named(z.int().min(0).max(255), "what it advertises: the effective priority"),
  basePriority: named(z.int().min(1).max(255), "as configured"),
  priorityText: named(z.string(), "how the one follows from the other: `150 - 20 (interface eth1 is down)`"),
  track: named(z.array(track), "everything that is tracked, with what it does to the priority"),
  group: named(z.string().nullable(), "the group that it belongs to"),
  advertIntervalUs: count,
  isResting: named(z.boolean(), "it was handed over, and leaves whoever serves alone until it is needed"),
  isHandingOver: named(z.boolean(), "it has said that it leaves, and serves until its successor is heard"),
  isSilent: named(z.boolean(), "it plays dead for a drill"),
  source: named(z.string().nullable(), "own address on the interface, the source of adverts"),
  addresses: z.array(z.string()),
  held: named(z.array(z.string()), "addresses that holdfast put on the interface and holds now"),
  refused: named(
    z.array(z.object({ address: z.string(), change: z.enum(["add", "remove"]), why: sentence })),
    "what the kernel refused to add or to remove of its addresses, tried again every second",
  ),
  heard: named(
    z.object({ address: z.string(), priority: z.int().min(0).max(255), at: time }).nullable(),
    "the last advert of a peer that counted",
  ),
  counters,
  lateness: named(
    z.object({ advert: spread, down: spread, other: spread }),
    "how long after their instant timers were acted upon, by what they are for",
  ),
});

const override = z.object({
  type: z.enum(["drain", "disable", "weight"]),
  state: named(z.string(), "`draining`, `drained`, `disabled`, `weight 5`"),
  weight: named(z.int().nullable(), "the weight that was set; null = another kind"),
  since: time,
  until: named(time.nullable(), "when it ends by itself; null = when somebody takes it off"),
  deadline: named(time.nullable(), "when a drain takes the server out whatever connections are left"),
  connections: named(count.nullable(), "active connections of a draining server"),
  cut: named(count.nullable(), "connections that the deadline cut; null = not drained"),
  reason: z.string().nullable(),
  by: z.string(),
});

const verdict = z.enum(["unknown", "up", "down"]);

const check = z.object({
  name: z.string(),
  verdict,
  since: time,
  last: named(z.string().nullable(), "what the last attempt said; null before the first"),
  latencyUs: named(z.number().min(0).nullable(), "of the last attempt"),
  attempts: count,
  failed: count,
  notRun: named(count, "times that an attempt could not be made: this machine's fault, not the server's"),
  latencySumUs: named(z.number().min(0), "of all attempts together"),
});

const server = z.object({
  server: named(z.string(), "`10.0.0.11:80`"),
  verdict,
  since: time,
  present: named(z.boolean(), "whether it is in the kernel's table: wanted there, and not refused"),
  weight: z.int().min(0).max(65_535),
  why: named(sentence, "where verdict and weight come from"),
  connections: named(
    z.object({ active: count, inactive: count }).nullable(),
    "those that the kernel holds for it, as of some seconds ago",
  ),
  override: named(override.nullable(), "what people or schedules ordered over what the checks say"),
  checks: z.array(check),
});

const service = z.object({
  name: z.string(),
  listen: z.array(z.string()),
  scheduler: z.string(),
  forward: z.string(),
  servers: z.array(server),
});

const sync = z.object({
  instance: named(z.string(), "the instance that it follows"),
  interface: z.string(),
  id: z.int(),
  role: named(z.enum(["master+backup", "master", "backup", "none"]), "the daemons that run"),
  note: named(sentence, "what is not as it should be; empty if nothing is"),
});

const drift = z.object({
  mode: named(z.enum(["repair", "report", "ignore"]), "what is done about differences"),
  repairs: named(count, "objects repaired since the checker process started"),
  differences: named(count, "objects that differ and are left so"),
  examples: z.array(z.string()),
  since: named(time.nullable(), "since when anything differs"),
});

const kernel = z.object({
  refused: named(count.nullable(), "objects of its table that are not as wanted; null = the table cannot be made"),
  reasons: named(z.array(sentence), "why, for the first of them; empty = the table is as wanted"),
  since: named(time.nullable(), "since when it is not"),
  sysctls: named(
    z.array(sentence),
    "settings that services need and that it lacks, each with the command that sets it",
  ),
});

const schedule = z.object({
  name: z.string(),
  cron: z.string(),
  timezone: named(z.string(), "IANA name"),
  action: named(z.string(), "`takeover drill of web4`"),
  next: named(z.array(time), "the next runs; empty = never"),
  lastRun: named(
    z.object({ at: time, isGood: z.boolean(), cause: sentence }).nullable(),
    "since the daemon started; null = none yet",
  ),
  missed: named(
    z.object({ count, last: time, why: sentence }).nullable(),
    "runs that nobody made, since the last one that was good; they are not made up for",
  ),
});

/** `holdfast status --json`, `GET /v1/status`. */
export const statusSchema = z
  .object({
    version: z.literal(STATUS_VERSION),
    node: z.string(),
    program: named(z.string(), "version of the program"),
    pid: z.int(),
    startedAt: time,
    config: z.object({
      file: z.string(),
      loadedAt: time,
      confirmBy: named(time.nullable(), "until when a reload is to be confirmed, or it undoes itself"),
      isReverted: named(z.boolean(), "the files hold what nobody confirmed; the configuration before is in force"),
    }),
    health: z.enum(["healthy", "degraded"]),
    problems: named(z.array(sentence), "one for each thing that is not as it should be"),
    processes: z.array(process),
    instances: z.array(instance),
    services: z.array(service),
    sync: named(sync.nullable(), "null = no connection synchronisation is configured"),
    drift: named(drift.nullable(), "null = the checker process has not looked yet"),
    kernel: named(kernel.nullable(), "what the kernel lacks of what services need; null = it was told nothing yet"),
    schedules: z.array(schedule),
  })
  .meta({
    title: "status of a holdfast director",
    description: "Fields are added without notice; one that is changed or removed gets a new version.",
  });

/** One line of `holdfast events --json`, the data of a server-sent event. */
export const eventSchema = z
  .object({
    id: named(z.int().min(1), "grows with each event, also across restarts; of no other use"),
    at: time,
    type: z.enum(EVENT_TYPES),
    subject: named(z.string(), "`instance web4`, `service web server 10.0.0.11:80`"),
    from: named(z.string().nullable(), "how it was; null = absent or not known"),
    to: named(z.string().nullable(), "how it is now; null = gone"),
    cause: named(sentence, "the reason"),
    level: z.enum(["error", "warning", "notice", "info", "debug"]),
    source: named(z.string(), "the process that saw it"),
  })
  .meta({ title: "event of a holdfast director" });

/** `GET /v1/events`. */
export const eventPageSchema = z.object({
  version: z.literal(EVENTS_VERSION),
  events: named(z.array(eventSchema), "oldest first"),
  oldest: named(z.int().nullable(), "id of the oldest event that is kept"),
  newest: named(z.int().nullable(), "id of the newest event"),
});

export type JsonSchema = Readonly<Record<string, unknown>>;

/** @param isExact refuses further fields, which a program that reads the answer must not: some are added one day */
export function statusJsonSchema(isExact = false): JsonSchema {
  return z.toJSONSchema(statusSchema, { io: isExact ? "output" : "input" });
}

export function eventJsonSchema(isExact = false): JsonSchema {
  return z.toJSONSchema(eventSchema, { io: isExact ? "output" : "input" });
}

/** The compiler's part of the bargain: a field that one side has and the other has not is an error here. */
type Plain<T> = T extends readonly (infer Item)[]
  ? readonly Plain<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Plain<T[Key]> }
    : T;
type Same<A, B> = [Plain<A>, Plain<B>] extends [Plain<B>, Plain<A>] ? true : never;

export const SCHEMAS_ARE_THE_TYPES: readonly [
  Same<z.output<typeof statusSchema>, DirectorStatus>,
  Same<z.output<typeof override>, OverrideStatus>,
  Same<z.output<typeof eventSchema>, JournalEvent>,
  Same<z.output<typeof eventPageSchema>, EventPage>,
] = [true, true, true, true];
