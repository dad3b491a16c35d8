import { validateDetailed } from "node-cron";
import type * as z from "zod";
import { MICROSECONDS_PER_SECOND as S } from "../../base/duration.ts";
import { ok } from "../../base/result.ts";
import { DRILL_KINDS } from "../../drill/model.ts";
import { parseTarget, TARGET_ACCEPTS } from "../../drill/target.ts";
import { nearest } from "../nearest.ts";
import { serverEndpoint } from "./addresses.ts";
import { commandSchema } from "./checks.ts";
import { byShape, key, mapOf, optionalKey, refuse, ruled, scalar } from "./kit.ts";
import { choice, duration, integer, text, wrongShape } from "./scalars.ts";

const DAY = 86_400 * S;

function cronExpression() {
  const json = { type: "string", maxLength: 200 };
  return scalar("a cron expression of 5 or 6 fields, for example 0 4 * * *", json, (input) => {
    if (typeof input !== "string") return wrongShape(input, "put it in quotes");
    if (input.length > 200) return refuse("is too long for a cron expression");
    // The library writes a range out before it looks at its ends.
    if (/\d{3}/.test(input)) return refuse("holds a number with more than two digits");
    const result = validateDetailed(input);
    if (result.valid) return ok(input.trim());
    const [first] = result.errors;
    const field = first?.field ?? "expression";
    if (field === "expression")
      return refuse(
        "is not a cron expression",
        first?.message.startsWith("expected") ? first.message.replace(" but got", ", got") : undefined,
      );
    const words = field.replace(/([A-Z])/g, " $1").toLowerCase();
    return refuse(
      `is not a cron expression: the field for the ${words} is wrong`,
      "the fields are minute, hour, day of month, month, day of week",
    );
  });
}

function timeZone() {
  return scalar("the name of a time zone, for example Europe/Berlin", { type: "string" }, (input) => {
    if (typeof input !== "string") return wrongShape(input);
    if (/^[A-Za-z][\w+/-]{0,63}$/.test(input)) {
      try {
        new Intl.DateTimeFormat("en", { timeZone: input });
        return ok(input);
      } catch {
        // Not a zone; said below.
      }
    }
    const near = nearest(input, [...Intl.supportedValuesOf("timeZone"), "UTC"]);
    return refuse("is not a known time zone", near === undefined ? undefined : `did you mean \`${near}\`?`);
  });
}

function probeTarget() {
  return scalar(TARGET_ACCEPTS, { type: "string" }, (input) => {
    if (typeof input !== "string") return wrongShape(input);
    const target = parseTarget(input);
    return target.ok
      ? ok(input)
      : refuse("cannot be asked by a probe", target.error.startsWith("expected icmp") ? undefined : target.error);
  });
}

const serverOf = (what: string) => ({
  service: key(
    text("the name of a service, or all", () => null, 63),
    `Where ${what}; \`all\` for every service.`,
  ),
  server: key(serverEndpoint(), "Address and port of the server."),
});

const drainAction = mapOf("a map with the keys service and server", {
  ...serverOf("the server is drained"),
  deadline: optionalKey(
    duration(S, 30 * DAY),
    "none",
    "When it is taken out whatever connections are left; without it, when the last one ends.",
  ),
  until: optionalKey(duration(S, 365 * DAY), "none", "How long the drain stands; without it, until an enable."),
});

const enableAction = mapOf("a map with the keys service and server", serverOf("a drain or another override ends"));

const ACTIONS = "`reload`, `reconcile`, or a map with one of the keys drill, drain, enable";

const mapAction = ruled(
  mapOf("a map with one of the keys drill, drain, enable", {
    drill: optionalKey(
      text("the name of an instance", () => null, 63),
      "none",
      "A drill of this instance and the others of its group. Refused, which is an event, where this node is not their master.",
    ),
    kind: optionalKey(
      choice(DRILL_KINDS),
      "handover",
      "Of a drill. `handover`: the master makes way, planned. `takeover`: it plays dead, and clients wait for the peer's down interval.",
    ),
    target: optionalKey(probeTarget(), "icmp to the instance's first address", "What the probe of a drill asks."),
    maxGap: optionalKey(
      duration(0, 600 * S),
      "by kind and intervals",
      "The longest time between two answers with which a drill passes.",
    ),
    maxFailed: optionalKey(
      integer(0, 1_000_000),
      "as many as the gap holds",
      "Questions of a drill that may have no answer.",
    ),
    drain: optionalKey(drainAction, "none", "Let a server finish its connections and take no new ones."),
    enable: optionalKey(enableAction, "none", "Let the checks of a server decide alone again."),
  }),
  (action) => {
    const named = (["drill", "drain", "enable"] as const).filter((name) => action[name] !== undefined);
    if (named.length !== 1)
      return [
        {
          path: [],
          code: "impossible",
          message:
            named.length === 0 ? "the action does not say what to do" : `the action names ${named.length} things to do`,
          expected: ACTIONS,
          hint: "write a schedule for each",
        },
      ];
    if (named[0] === "drill") return [];
    return (["kind", "target", "maxGap", "maxFailed"] as const)
      .filter((name) => action[name] !== undefined)
      .map((name) => ({
        path: [name],
        code: "impossible",
        message: `${name} belongs to a drill`,
        hint: "remove it",
        isAtKey: true,
      }));
  },
  {
    oneOf: ["drill", "drain", "enable"].map((name) => ({ required: [name] })),
    dependentRequired: Object.fromEntries(["kind", "target", "maxGap", "maxFailed"].map((name) => [name, ["drill"]])),
  },
);

export const scheduleSchema = mapOf("a map with the keys name, cron and action", {
  name: key(
    text("a name, at most 63 characters", () => null, 63),
    "How logs call it; unique.",
  ),
  cron: key(
    cronExpression(),
    "When: minute, hour, day of month, month, day of week; with a sixth field in front for seconds.",
  ),
  timezone: optionalKey(timeZone(), "the machine's", "IANA name of the time zone that the fields are meant in."),
  action: key(
    byShape(ACTIONS, { text: choice(["reload", "reconcile"]), map: mapAction }),
    "`reload` reads the configuration again; `reconcile` compares the kernel's table with what is wanted and repairs it.",
  ),
});

export const drillsSchema = mapOf("a map with the keys probe and keep", {
  probe: optionalKey(
    commandSchema,
    "this host asks",
    "Program and arguments that run `holdfast probe` elsewhere for scheduled drills, and for others where nothing else is said; target and pace are appended. Without a shell.",
  ),
  keep: optionalKey(integer(1, 1_000), "50", "Reports that are kept."),
});

export type RawSchedule = z.output<typeof scheduleSchema>;
