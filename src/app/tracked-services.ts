import type { ServiceConfig } from "../config/model.ts";
import type { Decision } from "../health/weights.ts";
import { decisionKey } from "../ipvs/desired.ts";
import type { TrackFact } from "../vrrp/track.ts";
import { serviceFactKey } from "./messages.ts";

export interface TrackedServicesCollaborators {
  /** What the kernel's table holds for a server, by decisionKey: what it is to hold, unless that was refused. */
  decisionOf(key: string): Decision | undefined;
  publish(key: string, fact: TrackFact | null): void;
}

/** Tells how many servers the services have that instances track. */
export class TrackedServices {
  readonly #with: TrackedServicesCollaborators;
  /** Names; bounded by the configuration, as what follows is. */
  #tracked: readonly string[] = [];
  #services: readonly ServiceConfig[] = [];
  /** To tell about when the turn ends. */
  readonly #changed = new Set<string>();

  constructor(collaborators: TrackedServicesCollaborators) {
    this.#with = collaborators;
  }

  /** @param tracked names of those that instances track; all of them are told about with the next `tell` */
  configure(services: readonly ServiceConfig[], tracked: readonly string[]): void {
    for (const name of this.#tracked) if (!tracked.includes(name)) this.#with.publish(serviceFactKey(name), null);
    this.#tracked = tracked;
    this.#services = services;
    for (const name of tracked) this.#changed.add(name);
  }

  /** What the table holds for a server of this service changed. */
  changed(service: string): void {
    if (this.#tracked.includes(service)) this.#changed.add(service);
  }

  /** The turn ends. */
  tell(): void {
    for (const { name, servers } of this.#services) {
      if (!this.#changed.has(name)) continue;
      const serving = servers.filter((server) => {
        const decision = this.#with.decisionOf(decisionKey(name, server));
        return decision?.present === true && decision.weight > 0;
      });
      const fact = { type: "service", serving: serving.length, servers: servers.length } as const;
      this.#with.publish(serviceFactKey(name), fact);
    }
    this.#changed.clear();
  }
}
