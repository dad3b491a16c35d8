import { formatEndpoint, formatListenEndpoint } from "../base/endpoint.ts";
import type { DirectorConfig, ServiceConfig } from "../config/model.ts";
import type { OverrideStatus } from "../control/overrides.ts";
import type {
  DriftStatus,
  InstanceStatus,
  KernelStatus,
  ServerStatus,
  ServiceStatus,
  SyncStatus,
} from "../control/status.ts";
import type { StateEntry } from "../ipc/messages.ts";
import { connectionsOf, type ServerTraffic, type Traffic } from "../ipvs/traffic.ts";
import {
  type CheckedServer,
  type CheckerState,
  DRIFT_KEY,
  instanceKey,
  KERNEL_KEY,
  SYNC_KEY,
  serverKey,
  serverTrafficKey,
  serviceTrafficKey,
  type TrafficState,
  type VrrpState,
} from "./messages.ts";

type OverrideOf = (service: string, server: string) => OverrideStatus | null;

/** Under which keys a configured server stands here. */
interface ServerKeys {
  readonly state: string;
  readonly traffic: string;
}

/** What the children last said about each object; `status` is answered from here and never waits for a child. */
export class StatusBoard {
  /** Bounded by the configured objects: children remove what is gone. */
  readonly #instances = new Map<string, InstanceStatus>();
  /** Keys of those that rest; kept when their process is gone, for the next one. Bounded as above. */
  readonly #resting = new Set<string>();
  readonly #servers = new Map<string, CheckedServer>();
  readonly #traffic = new Map<string, TrafficState>();

  /** Made once for each service of a configuration: they are most of what a status of ten thousand servers costs. */
  readonly #keys = new WeakMap<ServiceConfig, readonly ServerKeys[]>();

  #sync: SyncStatus | null = null;
  #drift: DriftStatus | null = null;
  #kernel: KernelStatus | null = null;

  updateInstances(entries: readonly StateEntry<VrrpState>[]): void {
    update(this.#instances, entries);
    for (const [key, status] of entries) {
      if (status?.isResting === true) this.#resting.add(key);
      else this.#resting.delete(key);
    }
  }

  updateServers(entries: readonly StateEntry<CheckerState>[]): void {
    update(this.#servers, entries.filter(isServer));
    for (const [key, value] of entries) {
      if (key === SYNC_KEY) this.#sync = value as SyncStatus | null;
      if (key === DRIFT_KEY) this.#drift = value as DriftStatus | null;
      if (key === KERNEL_KEY) this.#kernel = value as KernelStatus | null;
    }
  }

  updateTraffic(entries: readonly StateEntry<TrafficState>[]): void {
    update(this.#traffic, entries);
  }

  /** What the kernel counted for each listen endpoint of a service. */
  serviceTraffic(service: string): readonly Traffic[] {
    return this.#traffic.get(serviceTrafficKey(service)) ?? [];
  }

  /** As above, of one server behind each. */
  serverTraffic(service: string, server: string): readonly ServerTraffic[] {
    return (this.#traffic.get(serverTrafficKey(service, server)) ?? []) as readonly ServerTraffic[];
  }

  /** The vrrp process is gone: nothing it said holds any more. @returns the keys of what it had said */
  forgetInstances(): readonly string[] {
    const keys = [...this.#instances.keys()];
    this.#instances.clear();
    return keys;
  }

  /** Names of the instances that rest, or did when their process ended. */
  resting({ instances }: DirectorConfig): readonly string[] {
    return instances.map(({ name }) => name).filter((name) => this.#resting.has(instanceKey(name)));
  }

  instances(config: DirectorConfig): readonly InstanceStatus[] {
    return config.instances
      .map(({ name }) => this.#instances.get(instanceKey(name)))
      .filter((status) => status !== undefined);
  }

  get drift(): DriftStatus | null {
    return this.#drift;
  }

  get kernel(): KernelStatus | null {
    return this.#kernel;
  }

  sync({ sync }: DirectorConfig): SyncStatus | null {
    if (sync === null) return null;
    const { instance, interface: device, id } = sync;
    return this.#sync ?? { instance, interface: device, id, role: "none", note: "its process is not running yet" };
  }

  /** @param overrideOf what was ordered about a server */
  services(config: DirectorConfig, overrideOf: OverrideOf = () => null): readonly ServiceStatus[] {
    return config.services.map((service) => ({
      name: service.name,
      listen: service.listen.map(formatListenEndpoint),
      scheduler: service.scheduler,
      forward: service.forward,
      servers: this.servers(service, overrideOf),
    }));
  }

  /** Whether every server has had its first verdict. */
  isTableKnown({ services }: DirectorConfig): boolean {
    return services.every((service) =>
      this.#keysOf(service).every(({ state }) => {
        const status = this.#servers.get(state);
        return status !== undefined && status.verdict !== "unknown";
      }),
    );
  }

  servers(service: ServiceConfig, overrideOf: OverrideOf = () => null): readonly ServerStatus[] {
    return this.#keysOf(service).flatMap(({ state, traffic }) => {
      const status = this.#servers.get(state);
      if (status === undefined) return [];
      const counted = (this.#traffic.get(traffic) ?? []) as readonly ServerTraffic[];
      const override = overrideOf(service.name, status.server);
      return [{ ...status, connections: connectionsOf(counted), override }];
    });
  }

  #keysOf(service: ServiceConfig): readonly ServerKeys[] {
    const known = this.#keys.get(service);
    if (known !== undefined) return known;
    const keys = service.servers.map((server) => {
      const name = formatEndpoint(server);
      return { state: serverKey(service.name, name), traffic: serverTrafficKey(service.name, name) };
    });
    this.#keys.set(service, keys);
    return keys;
  }
}

/** The checker's states are of servers, except three. */
function isServer(entry: StateEntry<CheckerState>): entry is StateEntry<CheckedServer> {
  return ![SYNC_KEY, DRIFT_KEY, KERNEL_KEY].includes(entry[0]);
}

function update<Value>(board: Map<string, Value>, entries: readonly StateEntry<Value>[]): void {
  for (const [key, value] of entries) {
    if (value === null) board.delete(key);
    else board.set(key, value);
  }
}
