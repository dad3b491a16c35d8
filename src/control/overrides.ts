import { parseDurationUs } from "../base/duration.ts";
import { err, ok, type Result } from "../base/result.ts";

/** What was ordered about a server, as the daemon shows it. Times are ISO 8601, UTC. */
export interface OverrideStatus {
  readonly type: "drain" | "disable" | "weight";
  /** `draining`, `drained`, `disabled`, `weight 5`. */
  readonly state: string;
  /** The weight that was set; null = another kind. */
  readonly weight: number | null;
  readonly since: string;
  /** When it ends by itself; null = when somebody takes it off. */
  readonly until: string | null;
  /** When a drain takes the server out whatever connections are left; null = never, or no drain. */
  readonly deadline: string | null;
  /** Active connections of a draining server; null = not counted yet, or nothing is awaited. */
  readonly connections: number | null;
  /** Connections that the deadline cut; null = not drained. */
  readonly cut: number | null;
  readonly reason: string | null;
  readonly by: string;
}

/** An override with the server that it is about. */
export interface ServerOverrideStatus {
  readonly service: string;
  /** `10.0.0.11:80`. */
  readonly server: string;
  /** Whether the configuration has this server; if not, the override is kept for a while. */
  readonly isConfigured: boolean;
  readonly override: OverrideStatus;
}

/** Answer to an order. */
export interface OverrideAnswer {
  readonly servers: readonly OrderedServer[];
  /** One line for each change to the kernel's table. */
  readonly changes: readonly string[];
  /** Sentences about what the order brings along, or what keeps it from working as meant. */
  readonly warnings: readonly string[];
}

export interface OrderedServer {
  readonly service: string;
  readonly server: string;
  /** State of the override before; null = there was none. */
  readonly before: string | null;
  /** What stands now; null = its checks decide alone. */
  readonly override: OverrideStatus | null;
}

/** When an override ends: at an instant, or after a length of time. */
export type Until = { readonly type: "at"; readonly atMs: number } | { readonly type: "for"; readonly us: number };

/** What somebody wants of a server. */
export interface OverrideOrder {
  readonly type: "drain" | "disable" | "weight" | "enable";
  /** Name of a service, or `all`. */
  readonly service: string;
  /** `10.0.0.11:80`, or an address for every port of it. With `enable` also `all`. */
  readonly server: string;
  /** 0–65535; with `weight` alone. */
  readonly weight: number | null;
  readonly until: Until | null;
  /** With `drain` alone: longest wait for connections to end; null = as long as it takes. */
  readonly deadlineUs: number | null;
  readonly reason: string | null;
  readonly by: string;
}

/** Every service, or every server. A service that is really called so is meant by it instead. */
export const ALL = "all";

export const ORDER_TYPES: readonly OverrideOrder["type"][] = ["drain", "disable", "weight", "enable"];

const MAX_WEIGHT = 65_535;
const MAX_NAME_LENGTH = 256;
export const MAX_REASON_LENGTH = 200;
/** Ten years: what is meant for longer belongs into the configuration. */
const MAX_LENGTH_US = 3_650 * 86_400_000_000;
const KEYS = ["type", "service", "server", "weight", "until", "deadline", "reason", "by"];
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * Reads the body of an order: `{"type": "drain", "service": "web", "server": "10.0.0.11:80", "deadline": "10m"}`.
 * @returns the order, or a sentence that says what is wrong with it
 */
export function parseOverrideOrder(body: unknown): Result<OverrideOrder, string> {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return err("an order is a JSON object with type, service and server");
  const given = body as Readonly<Record<string, unknown>>;
  const stranger = Object.keys(given).find((key) => !KEYS.includes(key));
  if (stranger !== undefined) return err(`${stranger.slice(0, 40)} is not known here; ${KEYS.join(", ")} are`);
  const type = ORDER_TYPES.find((known) => known === given.type);
  if (type === undefined) return err(`type is one of ${ORDER_TYPES.join(", ")}`);
  const { service, server } = given;
  if (!isWord(service)) return err(`service is the name of a service, or ${ALL}`);
  if (!isWord(server)) return err("server is an address such as 10.0.0.11, or with a port 10.0.0.11:80");
  const weight = optional(given.weight, (value) =>
    isWeight(value) ? ok(value) : err(`weight is a whole number from 0 to ${MAX_WEIGHT}`),
  );
  if (!weight.ok) return weight;
  if ((type === "weight") !== (weight.value !== null))
    return err(type === "weight" ? "weight is missing" : `weight does not go with ${type}`);
  const until = optional(given.until, (value) => parseUntil(value));
  if (!until.ok) return until;
  const deadline = optional(given.deadline, (value) => parseLength("deadline", value));
  if (!deadline.ok) return deadline;
  if (deadline.value !== null && type !== "drain") return err(`deadline does not go with ${type}`);
  if (until.value !== null && type === "enable") return err("until does not go with enable");
  const reason = optional(given.reason, (value) => textOf("reason", value));
  if (!reason.ok) return reason;
  const by = optional(given.by, (value) => textOf("by", value));
  if (!by.ok) return by;
  return ok({
    type,
    service,
    server,
    weight: weight.value,
    until: until.value,
    deadlineUs: deadline.value,
    reason: reason.value,
    by: by.value ?? "control API",
  });
}

/** Reads `2h` or `2026-11-27T18:00:00Z`. An instant needs its zone: who asks may sit in another one. */
export function parseUntil(value: unknown): Result<Until, string> {
  if (typeof value === "string" && INSTANT.test(value) && !Number.isNaN(Date.parse(value)))
    return ok({ type: "at", atMs: Date.parse(value) });
  const length = parseLength("until", value);
  if (length.ok) return ok({ type: "for", us: length.value });
  return err(
    typeof value === "string" && /^\d+[a-z]+$/.test(value)
      ? length.error
      : "until is a length of time such as 2h, or an instant such as 2026-11-27T18:00:00Z",
  );
}

function parseLength(name: string, value: unknown): Result<number, string> {
  if (typeof value !== "string") return err(`${name} is a length of time such as 10m`);
  const us = parseDurationUs(value);
  if (!us.ok) return err(`${name}: ${us.error}`);
  if (us.value === 0) return err(`${name} is longer than 0`);
  return us.value > MAX_LENGTH_US ? err(`${name} is at most ten years`) : us;
}

function optional<Value>(
  value: unknown,
  parse: (value: unknown) => Result<Value, string>,
): Result<Value | null, string> {
  return value === undefined || value === null ? ok(null) : parse(value);
}

function isWord(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_NAME_LENGTH;
}

function isWeight(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_WEIGHT;
}

/** One line of words: it goes into logs and onto screens. */
function textOf(name: string, value: unknown): Result<string, string> {
  if (typeof value !== "string") return err(`${name} is a text`);
  const text = value.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
  if (text === "") return err(`${name} is empty`);
  return text.length > MAX_REASON_LENGTH ? err(`${name} is at most ${MAX_REASON_LENGTH} characters long`) : ok(text);
}
