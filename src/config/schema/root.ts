import { validateDetailed } from "node-cron";
import { z } from "zod";
import { ok } from "../../base/result.ts";
import { nearest } from "../nearest.ts";
import { checkDefaultsSchema } from "./checks.ts";
import { byShape, key, listOf, mapOf, namedMap, notSupported, optionalKey, refuse, scalar } from "./kit.ts";
import { boolean, choice, integer, text, wrongShape } from "./scalars.ts";
import { serviceSchema } from "./services.ts";
import { instanceSchema } from "./vrrp.ts";

/** Names of nodes, instances and services: they become parts of log lines, URLs and shell commands. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
export const NAME_ACCEPTS =
  "a name of letters, digits, dots, dashes and underscores, at most 63, that begins with a letter or digit";

function cronExpression() {
  return scalar("a cron expression of 5 or 6 fields, for example 0 4 * * *", (input) => {
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
  return scalar("the name of a time zone, for example Europe/Berlin", (input) => {
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

const laterAction = scalar<never>("one of `reload`, `reconcile`", () =>
  notSupported(
    "drills and other actions with settings are not supported in this version of holdfast",
    "write `action: reload` or `action: reconcile`",
  ),
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
    byShape("one of `reload`, `reconcile`", {
      text: choice(["reload", "reconcile"], {
        later: { drill: "drills are not supported in this version of holdfast" },
      }),
      map: laterAction,
    }),
    "`reload` reads the configuration again; `reconcile` compares the kernel's table with what is wanted and repairs it.",
  ),
});

/** The schema of a whole file, with the named parts read by the schemas given: the real ones, or none for a first look. */
function rootSchemaOf<I extends z.ZodType, V extends z.ZodType, C extends z.ZodType>(
  instance: I,
  service: V,
  schedule: C,
) {
  const shared = {
    vrrp: optionalKey(
      mapOf("a map with the key instances", {
        instances: optionalKey(
          namedMap("a map of instances, each under its name", instance),
          "none",
          "VRRP instances by name.",
        ),
      }),
      "no instances",
      "Virtual addresses that the directors share.",
    ),
    services: optionalKey(
      namedMap("a map of services, each under its name", service),
      "none",
      "IPVS services by name.",
    ),
    schedules: optionalKey(listOf("a list of schedules", schedule), "none", "Calendar work."),
  };
  const main = mapOf("a map with keys such as vrrp and services", {
    node: optionalKey(
      text(NAME_ACCEPTS, (value) => (NAME_PATTERN.test(value) ? null : { message: "is not a name" })),
      "the host name",
      "Name of this node in logs and status.",
    ),
    log: optionalKey(
      mapOf("a map with the keys level and format", {
        level: optionalKey(
          choice(["error", "warning", "notice", "info", "debug"]),
          "info",
          "The least severe lines that are written.",
        ),
        format: optionalKey(choice(["text", "json"]), "text", "One line of text, or one JSON object, per event."),
      }),
      "level info, format text",
      "What goes to standard output.",
    ),
    ipvs: optionalKey(
      mapOf("a map with the keys onStop and manageSysctls", {
        onStop: optionalKey(
          choice(["remove", "keep"]),
          "remove",
          "What becomes of holdfast's services in the kernel when it stops. With the last service of a family gone, the kernel answers packets of established connections itself: where the VIP is still local, clients get a reset. `keep` lets them go on.",
        ),
        manageSysctls: optionalKey(
          boolean(),
          "false",
          "Set the sysctls that a forwarding method needs; otherwise a warning names the command.",
        ),
      }),
      "onStop remove, manageSysctls false",
      "The kernel's table.",
    ),
    scripts: optionalKey(
      mapOf("a map with the key maxConcurrent", {
        maxConcurrent: optionalKey(integer(1, 1024), "64", "Check scripts that may run at the same time."),
      }),
      "maxConcurrent 64",
      "Check scripts.",
    ),
    include: optionalKey(
      listOf(
        "a list of file names or patterns",
        text("a file name, with * and ? as wildcards", () => null),
      ),
      "none",
      "Further files, relative to this one; each may hold `vrrp.instances`, `services` and `schedules`.",
    ),
    defaults: optionalKey(
      mapOf("a map with the key check", {
        check: optionalKey(checkDefaultsSchema, "see below", "What checks do not say themselves."),
      }),
      "see below",
      "Defaults of several places.",
    ),
    ...shared,
  });
  return { main, included: mapOf("a map with the keys vrrp, services and schedules", shared) };
}

/** The whole schema, for the reference page. */
export const rootSchema = rootSchemaOf(instanceSchema, serviceSchema, scheduleSchema).main;

const skeleton = rootSchemaOf(z.unknown(), z.unknown(), z.unknown());
/** The main file without a look into instances, services and schedules: each of these is read on its own. */
export const skeletonSchema = skeleton.main;
export const includedSkeletonSchema = skeleton.included;

export type RawRoot = z.output<typeof skeletonSchema>;
export type RawIncluded = z.output<typeof includedSkeletonSchema>;
export type RawSchedule = z.output<typeof scheduleSchema>;
