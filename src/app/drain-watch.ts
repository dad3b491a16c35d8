import { formatEndpoint } from "../base/endpoint.ts";
import { familyOf } from "../base/ip.ts";
import type { ServerConfig, ServiceConfig } from "../config/model.ts";
import { type DrainCount, EMPTY_LOOKS } from "../health/overrides.ts";
import type { Decision } from "../health/weights.ts";
import { decisionKey, destinationPort } from "../ipvs/desired.ts";
import { destinationKey } from "../ipvs/keys.ts";
import type { ServiceIdentity } from "../ipvs/model.ts";
import type { ObservedDestination } from "../ipvs/observed.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";

/** How often the connections of draining servers are counted. */
const LOOK_EVERY_US = 1_000_000;
/** Time that one look may take; services that it did not come to are first with the next one. */
const LOOK_BUDGET_US = 50_000;

/** A server whose connections are awaited. */
export interface Draining {
  readonly service: ServiceConfig;
  readonly server: ServerConfig;
  /** Of its drain. */
  readonly sinceMs: number;
}

export interface DrainWatchCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  /** The destinations of one of the kernel's services; null = they could not be read now. */
  read(service: ServiceIdentity): readonly ObservedDestination[] | null;
  /** What the table is to hold for a server, by its decision key; undefined = nothing is known of it. */
  decisionOf(key: string): Decision | undefined;
  /** The count of a server is another one than before. */
  onCount(service: string, server: string, count: DrainCount): void;
}

/**
 * Counts the connections of draining servers, from the kernel's table. Only the services concerned are read, for a bounded
 * time: a table of ten thousand servers in which one drains costs little.
 */
export class DrainWatch {
  readonly #with: DrainWatchCollaborators;
  readonly #alarm: Alarm;
  /** By service; bounded by the configuration. */
  #draining = new Map<ServiceConfig, Draining[]>();
  /** By decision key; bounded by the draining servers. */
  #counts = new Map<string, DrainCount>();
  #isArmed = false;

  constructor(collaborators: DrainWatchCollaborators) {
    this.#with = collaborators;
    this.#alarm = collaborators.alarms.create(() => this.#look());
  }

  /** Watches these and no others. Those that were watched before keep their count. */
  watch(draining: readonly Draining[]): void {
    const before = this.#counts;
    this.#counts = new Map();
    this.#draining = new Map();
    for (const one of draining) {
      const others = this.#draining.get(one.service);
      if (others === undefined) this.#draining.set(one.service, [one]);
      else others.push(one);
      const key = keyOf(one);
      const count = before.get(key);
      if (count?.sinceMs === one.sinceMs) this.#counts.set(key, count);
    }
    if (draining.length === 0) this.stop();
    else if (!this.#isArmed) this.#arm();
  }

  /** @returns active connections; null = not counted yet */
  active(key: string): number | null {
    return this.#counts.get(key)?.active ?? null;
  }

  stop(): void {
    this.#alarm.disarm();
    this.#isArmed = false;
  }

  #arm(): void {
    this.#isArmed = true;
    this.#alarm.arm(this.#with.clock.nowUs() + LOOK_EVERY_US);
  }

  #look(): void {
    this.#arm();
    const { clock } = this.#with;
    const endUs = clock.nowUs() + LOOK_BUDGET_US;
    for (const [service, draining] of [...this.#draining]) {
      if (clock.nowUs() > endUs) break;
      // To the end of the line.
      this.#draining.delete(service);
      this.#draining.set(service, draining);
      this.#lookAt(service, draining);
    }
  }

  #lookAt(service: ServiceConfig, draining: readonly Draining[]): void {
    const tables: { readonly port: number; readonly destinations: ReadonlyMap<string, ObservedDestination> }[] = [];
    for (const { protocol, address, port } of service.listen) {
      const read = this.#with.read({ family: familyOf(address), protocol, address, port });
      if (read === null) return;
      tables.push({ port, destinations: new Map(read.map((one) => [destinationKey(one), one])) });
    }
    for (const one of draining) {
      const decision = this.#with.decisionOf(keyOf(one));
      // Before its first result it is not in the table, and its connections wait for it to be.
      if (decision === undefined || decision.verdict === "unknown") continue;
      const found = tables.map(({ port, destinations }) =>
        destinations.get(
          destinationKey({ address: one.server.address, port: destinationPort(service, one.server, port) }),
        ),
      );
      const active = found.reduce((sum, destination) => sum + (destination?.counters.activeConnections ?? 0), 0);
      // One that is down is not in the table, and has no connections any more.
      const isQuiet = decision.present ? found.every((destination) => destination?.weight === 0) : true;
      this.#count(one, active, isQuiet && active === 0);
    }
  }

  #count(one: Draining, active: number, isEmpty: boolean): void {
    const key = keyOf(one);
    const before = this.#counts.get(key);
    const emptyLooks = isEmpty ? Math.min((before?.emptyLooks ?? 0) + 1, EMPTY_LOOKS) : 0;
    if (before?.active === active && before.emptyLooks === emptyLooks) return;
    const count = { sinceMs: one.sinceMs, active, emptyLooks };
    this.#counts.set(key, count);
    this.#with.onCount(one.service.name, formatEndpoint(one.server), count);
  }
}

function keyOf({ service, server }: Draining): string {
  return decisionKey(service.name, server);
}
