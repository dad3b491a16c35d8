import { destinationKey, serviceKey } from "./keys.ts";
import type {
  Destination,
  DestinationIdentity,
  IpvsOperation,
  IpvsTable,
  ServiceIdentity,
  ServiceSettings,
  Tunnel,
  VirtualService,
} from "./model.ts";
import type { CurrentDestination, CurrentService, CurrentTable } from "./observed.ts";

/**
 * The operations that turn one table into another, in an order that never takes away before it has given.
 * @param current what is there, whoever put it there
 * @param desired what is wanted; a service that is already there is taken over, owned or not
 * @param owned   keys of services that may be deleted when they are not wanted; all others are left alone
 * @returns operations that the kernel refuses none of, if `current` is true; empty if nothing differs
 */
export function diff(current: CurrentTable, desired: IpvsTable, owned: ReadonlySet<string>): IpvsOperation[] {
  const plan = new Plan();
  const found = new Map(current.map((service) => [serviceKey(service), service])); // bounded by the table
  const wanted = new Set<string>();
  for (const service of desired) {
    const key = serviceKey(service);
    wanted.add(key);
    const existing = found.get(key);
    if (existing === undefined) plan.addService(service);
    else if (existing !== service) plan.changeService(existing, service);
  }
  for (const [key, service] of found) {
    if (owned.has(key) && !wanted.has(key)) {
      plan.deletedServices.push({ type: "deleteService", service: identityOf(service) });
    }
  }
  return plan.operations();
}

/**
 * Operations by phase; the phases run one after the other over the whole table. Thus a service gets its new servers
 * before it loses old ones, and a family gets its new services before it loses its last old one, which would unhook
 * IPVS and hand the packets of established connections to the local stack. Bounded by the two tables.
 */
class Plan {
  readonly #added: IpvsOperation[] = [];
  readonly #settings: IpvsOperation[] = [];
  readonly #raised: IpvsOperation[] = [];
  readonly #changed: IpvsOperation[] = [];
  readonly #quiesced: IpvsOperation[] = [];
  readonly #deleted: IpvsOperation[] = [];
  readonly deletedServices: IpvsOperation[] = [];

  operations(): IpvsOperation[] {
    return [
      ...this.#added,
      ...this.#settings,
      ...this.#raised,
      ...this.#changed,
      ...this.#quiesced,
      ...this.#deleted,
      ...this.deletedServices,
    ];
  }

  addService(desired: VirtualService): void {
    const service = identityOf(desired);
    this.#added.push({ type: "addService", service, settings: settingsOf(desired) });
    for (const destination of desired.destinations) this.#added.push({ type: "addDestination", service, destination });
  }

  changeService(current: CurrentService, desired: VirtualService): void {
    // One object for all operations of a service: encoding recognises it and reuses the bytes.
    const service = identityOf(desired);
    if (!sameSettings(current, desired)) {
      this.#settings.push({ type: "setService", service, settings: settingsOf(desired) });
    }
    const leaving = this.#changeDestinations(service, current.destinations, desired.destinations);
    // The first deletion would move new connections to those that leave right after it.
    const quiesceFirst = leaving.length > 1 && desired.destinations.some(({ weight }) => weight > 0);
    for (const destination of leaving) {
      const { address, port, method, weight, extras = [], tunnel } = destination;
      if (quiesceFirst && weight > 0 && method !== null && extras.length === 0) {
        const quiesced = { address, port, method, weight: 0, ...(tunnel === undefined ? {} : { tunnel }) };
        this.#quiesced.push({ type: "setDestination", service, destination: quiesced });
      }
      this.#deleted.push({ type: "deleteDestination", service, destination: { address, port } });
    }
  }

  /** @returns those that are there and not wanted */
  #changeDestinations(
    service: ServiceIdentity,
    current: readonly CurrentDestination[],
    desired: readonly Destination[],
  ): readonly CurrentDestination[] {
    // Mostly one table comes from the other: what stands in step, but for single ones that came or went, is compared
    // without looking anything up.
    const left: CurrentDestination[] = []; // these two bounded by the tables
    const fresh: Destination[] = [];
    let at = 0;
    let wantedAt = 0;
    for (; at < current.length && wantedAt < desired.length; ) {
      const was = current[at];
      const wanted = desired[wantedAt];
      if (was === undefined || wanted === undefined) break;
      if (isSame(was, wanted)) {
        this.#compare(service, was, wanted);
        at++;
        wantedAt++;
      } else if (isSame(current[at + 1], wanted)) {
        left.push(was);
        at++;
      } else if (isSame(desired[wantedAt + 1], was)) {
        fresh.push(wanted);
        wantedAt++;
      } else {
        break;
      }
    }
    const found = new Map<string, CurrentDestination>(); // as well
    for (const destination of left.concat(current.slice(at))) found.set(destinationKey(destination), destination);
    for (const wanted of fresh.concat(desired.slice(wantedAt))) {
      const key = destinationKey(wanted);
      const was = found.get(key);
      if (was === undefined) {
        this.#added.push({ type: "addDestination", service, destination: wanted });
      } else {
        found.delete(key);
        this.#compare(service, was, wanted);
      }
    }
    return [...found.values()];
  }

  #compare(service: ServiceIdentity, current: CurrentDestination, desired: Destination): void {
    const { method, weight, extras = [] } = current;
    const isAlike = method === desired.method && weight === desired.weight && extras.length === 0;
    if (isAlike && isSameTunnel(current.tunnel, desired.tunnel)) return;
    const phase = weight === 0 ? this.#raised : desired.weight === 0 ? this.#quiesced : this.#changed;
    phase.push({ type: "setDestination", service, destination: desired });
  }
}

function isSame(one: DestinationIdentity | undefined, other: DestinationIdentity): boolean {
  return one !== undefined && one.port === other.port && one.address === other.address;
}

function isSameTunnel(one: Tunnel | undefined, other: Tunnel | undefined): boolean {
  if (one === other) return true;
  return one?.type === other?.type && portOf(one) === portOf(other);
}

function portOf(tunnel: Tunnel | undefined): number {
  return tunnel?.type === "gue" ? tunnel.port : 0;
}

function sameSettings(current: CurrentService, desired: VirtualService): boolean {
  return (
    (current.extras ?? []).length === 0 &&
    current.scheduler === desired.scheduler &&
    current.flags.fallback === desired.flags.fallback &&
    current.flags.port === desired.flags.port &&
    current.persistence?.timeoutS === desired.persistence?.timeoutS &&
    current.persistence?.prefixLength === desired.persistence?.prefixLength
  );
}

/** The identity alone, so that operations carry nothing else of the service. */
export function identityOf({ family, protocol, address, port }: ServiceIdentity): ServiceIdentity {
  return { family, protocol, address, port };
}

export function settingsOf({ scheduler, flags, persistence }: ServiceSettings): ServiceSettings {
  return { scheduler, flags, persistence };
}
