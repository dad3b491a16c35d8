import * as z from "zod";
import { localEndpoint, multicastAddress } from "./addresses.ts";
import { checkDefaultsSchema } from "./checks.ts";
import { key, listOf, mapOf, namedMap, optionalKey } from "./kit.ts";
import { boolean, choice, duration, integer, interfaceName, text } from "./scalars.ts";
import { drillsSchema, scheduleSchema } from "./schedules.ts";
import { serviceSchema } from "./services.ts";
import { instanceSchema } from "./vrrp.ts";

/** Names of nodes, instances and services: they become parts of log lines, URLs and shell commands. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
export const NAME_ACCEPTS =
  "a name of letters, digits, dots, dashes and underscores, at most 63, that begins with a letter or digit";

export const groupSchema = listOf(
  "a list with the name of at least one instance",
  text("the name of an instance", () => null, 63),
  1,
);

const syncSchema = mapOf("a map with the keys instance and interface", {
  instance: key(
    text("the name of an instance", () => null, 63),
    "The instance that it follows: its master sends, the others receive.",
  ),
  interface: key(
    interfaceName(),
    "The interface between the directors; a private one, because the kernel does not authenticate what it hears.",
  ),
  id: optionalKey(integer(1, 255), "1", "Sync id, the same on both directors."),
  group: optionalKey(multicastAddress(), "224.0.0.81", "Multicast group, the same on both directors."),
  port: optionalKey(integer(1, 65_535), "8848", "UDP port, the same on both directors."),
  ttl: optionalKey(integer(1, 255), "1", "TTL of what is sent."),
});

const NAMED = { propertyNames: { pattern: NAME_PATTERN.source } };

/** The schema of a whole file, with the named parts read by the schemas given: the real ones, or none for a first look. */
function rootSchemaOf<I extends z.ZodType, G extends z.ZodType, V extends z.ZodType, C extends z.ZodType>(
  instance: I,
  group: G,
  service: V,
  schedule: C,
) {
  const vrrpParts = {
    instances: optionalKey(
      namedMap("a map of instances, each under its name", instance, NAMED),
      "none",
      "VRRP instances by name.",
    ),
    groups: optionalKey(
      namedMap("a map of groups, each a list of instances under its name", group, NAMED),
      "none",
      "Instances that are master on the same director, such as the two sides of a director that forwards by nat.",
    ),
  };
  const shared = {
    services: optionalKey(
      namedMap("a map of services, each under its name", service, NAMED),
      "none",
      "IPVS services by name.",
    ),
    schedules: optionalKey(listOf("a list of schedules", schedule), "none", "Calendar work."),
  };
  const VRRP = "Virtual addresses that the directors share.";
  const main = mapOf("a map with keys such as vrrp and services", {
    vrrp: optionalKey(
      mapOf("a map with the keys instances, groups and realtime", {
        ...vrrpParts,
        realtime: optionalKey(
          boolean(),
          "false",
          "Run the vrrp process with real-time priority (SCHED_RR, 10) and its program locked in memory (about 100 MB), so that a busy machine does not delay adverts. Wants CAP_SYS_NICE and CAP_IPC_LOCK; what is refused is warned about.",
        ),
      }),
      "no instances",
      VRRP,
    ),
    sync: optionalKey(
      syncSchema,
      "none",
      "The kernel's connection synchronisation: established connections survive a handover and a takeover.",
    ),
    node: optionalKey(
      text(
        NAME_ACCEPTS,
        (value) => (NAME_PATTERN.test(value) ? null : { message: "is not a name" }),
        undefined,
        NAME_PATTERN,
      ),
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
      mapOf("a map with the keys onStop, manageSysctls, drift and driftInterval", {
        onStop: optionalKey(
          choice(["remove", "keep"]),
          "remove",
          "What becomes of holdfast's services in the kernel when it stops. With the last service of a family gone, the kernel answers packets of established connections itself: where the VIP is still local, clients get a reset. `keep` lets them go on.",
        ),
        manageSysctls: optionalKey(
          boolean(),
          "false",
          "Set the sysctls that a forwarding method needs; otherwise `status` is degraded and names the command until they are set.",
        ),
        drift: optionalKey(
          choice(["repair", "report", "ignore"]),
          "repair",
          "What is done when somebody else changed holdfast's part of the kernel's table: repaired, with an event that names object and values; reported by an event and in `status` while it lasts; or nothing. A reload makes the table as configured in each case.",
        ),
        driftInterval: optionalKey(
          duration(1_000_000, 3_600_000_000),
          "10s",
          "How often the table is read back and compared. It is also read back a second after each change.",
        ),
      }),
      "onStop remove, manageSysctls false, drift repair, driftInterval 10s",
      "The kernel's table.",
    ),
    scripts: optionalKey(
      mapOf("a map with the key maxConcurrent", {
        maxConcurrent: optionalKey(integer(1, 1024), "64", "Check scripts that may run at the same time."),
      }),
      "maxConcurrent 64",
      "Check scripts.",
    ),
    metrics: optionalKey(
      mapOf("a map with the key listen", {
        listen: key(
          localEndpoint(),
          "Where Prometheus reads /metrics by HTTP, beside the control socket. Whoever reaches it reads it.",
        ),
      }),
      "on the control socket only",
      "Numbers for Prometheus.",
    ),
    drills: optionalKey(drillsSchema, "see below", "Practised failovers."),
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
  const included = mapOf("a map with the keys vrrp, services and schedules", {
    vrrp: optionalKey(mapOf("a map with the keys instances and groups", vrrpParts), "no instances", VRRP),
    ...shared,
  });
  return { main, included };
}

/** The whole schema, for the reference page. */
export const rootSchema = rootSchemaOf(instanceSchema, groupSchema, serviceSchema, scheduleSchema).main;

const skeleton = rootSchemaOf(z.unknown(), z.unknown(), z.unknown(), z.unknown());
/** The main file without a look into instances, services and schedules: each of these is read on its own. */
export const skeletonSchema = skeleton.main;
export const includedSkeletonSchema = skeleton.included;

export type RawRoot = z.output<typeof skeletonSchema>;
