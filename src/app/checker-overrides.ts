import { formatEndpoint } from "../base/endpoint.ts";
import type { ServiceConfig } from "../config/model.ts";
import { letsConnectionsEnd, type Override, overrule } from "../health/overrides.ts";
import type { Decision } from "../health/weights.ts";
import { type Draining, DrainWatch, type DrainWatchCollaborators } from "./drain-watch.ts";
import type { OverrideChange, ServerOverride } from "./messages.ts";

/** The overrides as the checker process knows them. They are the supervisor's; nothing here ends one. */
export class CheckerOverrides {
  /** By service and server; bounded by what the supervisor keeps. */
  #overrides = new Map<string, ServerOverride>();
  #services: ReadonlyMap<string, ServiceConfig> = new Map();
  readonly #watch: DrainWatch;

  constructor(collaborators: DrainWatchCollaborators) {
    this.#watch = new DrainWatch(collaborators);
  }

  /** Takes a configuration, and all overrides with it. @returns those that stand, and those that stood until now */
  configure(services: readonly ServiceConfig[], overrides: readonly ServerOverride[]): readonly ServerOverride[] {
    const before = [...this.#overrides.values()];
    this.#services = new Map(services.map((service) => [service.name, service]));
    this.#overrides = new Map(overrides.map((one) => [keyOf(one.service, one.server), one]));
    this.#follow();
    return [...before, ...overrides];
  }

  /** Takes what became of some. */
  take(changes: readonly OverrideChange[]): void {
    for (const { service, server, override } of changes) {
      if (override === null) this.#overrides.delete(keyOf(service, server));
      else this.#overrides.set(keyOf(service, server), { service, server, override });
    }
    this.#follow();
  }

  /** What the table should hold for a server of which the checks say this. */
  rule(service: string, server: string, decision: Decision): Decision {
    const key = keyOf(service, server);
    const override = this.#overrides.get(key)?.override ?? null;
    if (override === null) return decision;
    return overrule(decision, override, this.#services.get(service)?.onDown ?? "remove", this.#watch.active(key));
  }

  /** Whether a server has an override that lets its connections end. */
  isEnding(key: string): boolean {
    return letsConnectionsEnd(this.#overrides.get(key)?.override ?? null);
  }

  stop(): void {
    this.#watch.stop();
  }

  /** Sees to it that those are watched whose connections are awaited. */
  #follow(): void {
    const drains = [...this.#overrides.values()].filter((one) => isDraining(one.override));
    const wanted = new Map<string, Map<string, number>>(); // bounded by the overrides
    for (const { service, server, override } of drains) {
      const servers = wanted.get(service) ?? new Map<string, number>();
      wanted.set(service, servers.set(server, override.sinceMs));
    }
    const draining: Draining[] = [];
    for (const [name, servers] of wanted) {
      const service = this.#services.get(name);
      for (const server of service?.servers ?? []) {
        const sinceMs = servers.get(formatEndpoint(server));
        if (service !== undefined && sinceMs !== undefined) draining.push({ service, server, sinceMs });
      }
    }
    this.#watch.watch(draining);
  }
}

function isDraining(override: Override): boolean {
  return override.type === "drain" && override.drained === null;
}

function keyOf(service: string, server: string): string {
  return `${service} ${server}`;
}
