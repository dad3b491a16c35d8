import { listed } from "../base/listed.ts";
import type { ModelDiff, PartsDiff } from "../config/diff.ts";

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

/** What happens to several parts is one clause: a changed default changes every server of a file. */
function describeParts(what: string, { added, removed, changed }: PartsDiff): readonly string[] {
  const byFields = new Map<string, string[]>();
  for (const { name, fields } of changed) {
    const key = fields.join(", ");
    const names = byFields.get(key) ?? [];
    byFields.set(key, names);
    names.push(name);
  }
  return [
    ...(added.length === 0 ? [] : [`${listed(what, added)} added`]),
    ...(removed.length === 0 ? [] : [`${listed(what, removed)} removed`]),
    ...[...byFields].map(([fields, names]) => `${listed(what, names)}: ${fields} changed`),
  ];
}
