import { formatEndpoint } from "../base/endpoint.ts";
import type { DirectorConfig, InstanceConfig, ServiceConfig } from "./model.ts";

/** One thing that is in both models and differs. */
export interface Change {
  readonly name: string;
  /** Names of the model's fields that differ. */
  readonly fields: readonly string[];
}

export interface PartsDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly Change[];
}

/** A change that a reload cannot make without an interruption. */
export interface NotLive {
  /** `vrrp.instances.web4.vrid`. */
  readonly key: string;
  /** A sentence for the operator. */
  readonly reason: string;
}

export interface ModelDiff {
  /** Settings of the node that differ: `node`, `log.level`, … */
  readonly node: readonly string[];
  readonly instances: PartsDiff;
  readonly groups: PartsDiff;
  readonly services: PartsDiff;
  /** Servers by service, for services that are in both models; a service without changes is absent. */
  readonly servers: Readonly<Record<string, PartsDiff>>;
  readonly schedules: PartsDiff;
  readonly notLive: readonly NotLive[];
}

/** What a reload would change. Servers are the same when address and port are; other parts when their names are. */
export function diffModels(before: DirectorConfig, after: DirectorConfig): ModelDiff {
  const instances = diffParts(before.instances, after.instances, byName);
  const servers: Record<string, PartsDiff> = Object.create(null);
  const oldServices = new Map(before.services.map((service) => [service.name, service]));
  for (const service of after.services) {
    const old = oldServices.get(service.name);
    if (old === undefined) continue;
    const parts = diffParts(old.servers, service.servers, formatEndpoint);
    if (!isUnchanged(parts)) servers[service.name] = parts;
  }
  return {
    node: nodeChanges(before, after),
    instances,
    groups: diffParts(before.groups, after.groups, byName),
    services: diffParts(before.services.map(withoutServers), after.services.map(withoutServers), byName),
    servers,
    schedules: diffParts(before.schedules, after.schedules, byName),
    notLive: instances.changed.flatMap(instanceNotLive),
  };
}

function isUnchanged({ added, removed, changed }: PartsDiff): boolean {
  return added.length + removed.length + changed.length === 0;
}

function byName({ name }: { readonly name: string }): string {
  return name;
}

function withoutServers({ servers: _, ...service }: ServiceConfig): Omit<ServiceConfig, "servers"> {
  return service;
}

function diffParts<T extends object>(
  before: readonly T[],
  after: readonly T[],
  nameOf: (part: T) => string,
): PartsDiff {
  const old = new Map(before.map((part) => [nameOf(part), part]));
  const now = new Map(after.map((part) => [nameOf(part), part]));
  const changed: Change[] = [];
  for (const [name, part] of now) {
    const other = old.get(name);
    const fields = other === undefined ? [] : changedFields(other, part);
    if (fields.length > 0) changed.push({ name, fields });
  }
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed,
  };
}

function changedFields<T extends object>(before: T, after: T): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof T & string>;
  return [...keys].filter((key) => !isEqual(before[key], after[key]));
}

/** Deep equality of plain data. */
function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return left.length === right.size && left.every(([key, value]) => right.has(key) && isEqual(value, right.get(key)));
}

function nodeChanges(before: DirectorConfig, after: DirectorConfig): string[] {
  const changed: string[] = before.node === after.node ? [] : ["node"];
  for (const key of ["log", "ipvs", "scripts", "vrrp", "drills"] as const) {
    changed.push(...changedFields(before[key], after[key]).map((field) => `${key}.${field}`));
  }
  if (!isEqual(before.metrics, after.metrics)) changed.push("metrics.listen");
  if (before.sync === null || after.sync === null) return before.sync === after.sync ? changed : [...changed, "sync"];
  return [...changed, ...changedFields(before.sync, after.sync).map((field) => `sync.${field}`)];
}

/** What another virtual router is: it must leave the old one before it joins the new one. */
function instanceNotLive({ name, fields }: Change): NotLive[] {
  const identity: readonly (keyof InstanceConfig)[] = ["interface", "vrid"];
  return identity
    .filter((field) => fields.includes(field))
    .map((field) => ({
      key: `vrrp.instances.${name}.${field}`,
      reason: `another ${field} makes another virtual router: instance ${name} gives up its addresses and starts anew`,
    }));
}
