import { formatEndpoint } from "../../base/endpoint.ts";
import type { GroupConfig, ScheduleConfig } from "../model.ts";
import { nearest } from "../nearest.ts";
import type { ParsedFile } from "../parsed-file.ts";
import type { Placed } from "../placed.ts";
import { type ConfigProblem, type Finding, type KeyPath, type Location, quoteKey } from "../problem.ts";
import type { RawRoot } from "../schema/root.ts";
import type { PlacedInstance } from "./instances.ts";
import type { PlacedService } from "./services.ts";

export interface References {
  readonly main: ParsedFile;
  readonly raw: RawRoot | null;
  readonly instances: readonly PlacedInstance[];
  readonly groups: readonly Placed<GroupConfig>[];
  readonly services: readonly PlacedService[];
  readonly schedules: readonly Placed<ScheduleConfig>[];
  /** Whether every instance of the files was read: otherwise a name that is not found may stand in a broken one. */
  readonly areAllKnown: boolean;
}

/** Names that stand for other parts: of instances in groups, `sync` and `schedules`, of services in `track` and `schedules`. */
export function referenceProblems(references: References): ConfigProblem[] {
  return [
    ...groupProblems(references),
    ...syncProblems(references),
    ...trackProblems(references),
    ...scheduleProblems(references),
  ];
}

/** Why a name means nothing, or null. */
function unknownName(kind: "instance" | "service", name: string, known: readonly string[]): Finding | null {
  if (known.includes(name)) return null;
  const near = nearest(name, known);
  return {
    code: "impossible",
    message: `there is no ${kind} ${quoteKey(name)}`,
    expected:
      known.length === 0
        ? `the name of ${kind === "instance" ? "an instance" : "a service"}`
        : `one of ${known.map(quoteKey).join(", ")}`,
    ...(near === undefined ? {} : { hint: `did you mean \`${near}\`?` }),
  };
}

function groupProblems({ groups, instances, areAllKnown }: References): ConfigProblem[] {
  const known = instances.map(({ value }) => value.name);
  const member = new Map<string, { readonly group: string; readonly location: Location }>();
  return groups.flatMap((group) =>
    group.value.instances.flatMap((name, index): ConfigProblem[] => {
      const at: KeyPath = [index];
      const unknown = areAllKnown ? unknownName("instance", name, known) : null;
      if (unknown !== null) return [group.problem(at, unknown)];
      const other = member.get(name);
      if (other === undefined) {
        member.set(name, { group: group.value.name, location: group.locate(...at) });
        return [];
      }
      const finding: Finding = {
        code: "conflict",
        message:
          other.group === group.value.name
            ? `instance ${quoteKey(name)} stands twice in the group`
            : `instance ${quoteKey(name)} is in two groups, ${quoteKey(other.group)} and ${quoteKey(group.value.name)}`,
        hint: "an instance belongs to one group; make one group of both, or remove it from one",
      };
      return [group.problem(at, finding, { message: "first here", location: other.location })];
    }),
  );
}

function syncProblems({ main, raw, instances, areAllKnown }: References): ConfigProblem[] {
  if (raw?.sync === undefined || !areAllKnown) return [];
  const finding = unknownName(
    "instance",
    raw.sync.instance,
    instances.map(({ value }) => value.name),
  );
  return finding === null ? [] : [main.problem(["sync", "instance"], finding)];
}

function trackProblems({ instances, services }: References): ConfigProblem[] {
  const known = services.map(({ value }) => value.name);
  return instances.flatMap((instance) =>
    instance.value.track.services.flatMap(({ service, quorum }, index): ConfigProblem[] => {
      const at: KeyPath = ["track", "services", index];
      const unknown = unknownName("service", service, known);
      if (unknown !== null)
        return [instance.problem(instance.has(...at, "service") ? [...at, "service"] : at, unknown)];
      const servers = services.find(({ value }) => value.name === service)?.value.servers.length ?? 0;
      if (quorum <= servers) return [];
      return [
        instance.problem(instance.has(...at, "quorum") ? [...at, "quorum"] : at, {
          code: "impossible",
          message: `the quorum of ${quorum} can never be reached: service ${quoteKey(service)} has ${servers} server${servers === 1 ? "" : "s"}`,
          hint: "lower the quorum, or add servers",
        }),
      ];
    }),
  );
}

/** Every service. */
const ALL = "all";

function scheduleProblems({ schedules, instances, services, areAllKnown }: References): ConfigProblem[] {
  if (!areAllKnown) return [];
  return schedules.flatMap((schedule): ConfigProblem[] => {
    const { action } = schedule.value;
    if (action.type === "drill") {
      const known = instances.map(({ value }) => value.name);
      const unknown = unknownName("instance", action.instance, known);
      return unknown === null ? [] : [schedule.problem(["action", "drill"], unknown)];
    }
    if (action.type !== "drain" && action.type !== "enable") return [];
    const at: KeyPath = ["action", action.type];
    const known = services.map(({ value }) => value.name);
    const unknown = action.service === ALL ? null : unknownName("service", action.service, known);
    if (unknown !== null) return [schedule.problem([...at, "service"], unknown)];
    const servers = services
      .filter(({ value }) => action.service === ALL || value.name === action.service)
      .flatMap(({ value }) => value.servers.map(formatEndpoint));
    const server = formatEndpoint(action.server);
    if (servers.includes(server)) return [];
    const near = nearest(server, servers);
    return [
      schedule.problem([...at, "server"], {
        code: "impossible",
        message: `${action.service === ALL ? "no service" : `service ${quoteKey(action.service)}`} has ${action.service === ALL ? "a" : "no"} server ${server}`,
        ...(near === undefined ? {} : { hint: `did you mean \`${near}\`?` }),
      }),
    ];
  });
}
