import type { Change, ModelDiff, PartsDiff } from "../config/diff.ts";

/** What a reload changes, one clause each, in the order a person thinks of it. */
export function describeChanges(diff: ModelDiff): readonly string[] {
  return [
    ...diff.node.map((key) => `${key} changed`),
    ...describeParts("instance", diff.instances),
    ...describeParts("group", diff.groups),
    ...describeParts("service", diff.services),
    ...Object.entries(diff.servers).flatMap(([service, parts]) => describeParts(`service ${service}: server`, parts)),
    ...describeParts("schedule", diff.schedules),
    ...diff.notLive.map(({ reason }) => reason),
  ];
}

function describeParts(what: string, { added, removed, changed }: PartsDiff): readonly string[] {
  return [
    ...added.map((name) => `${what} ${name} added`),
    ...removed.map((name) => `${what} ${name} removed`),
    ...changed.map(({ name, fields }: Change) => `${what} ${name}: ${fields.join(", ")} changed`),
  ];
}
