import type { DirectorError } from "../base/director-error.ts";
import { MICROSECONDS_PER_MILLISECOND, MICROSECONDS_PER_SECOND } from "../base/duration.ts";
import { formatEndpoint, formatListenEndpoint } from "../base/endpoint.ts";
import { familyOf } from "../base/ip.ts";
import type { Result } from "../base/result.ts";
import type { ServiceConfig } from "../config/model.ts";
import { serviceKey } from "../ipvs/keys.ts";
import { isSameTraffic, type ServerTraffic, type Totals, type Traffic, trafficOf } from "../ipvs/traffic.ts";
import type { DestinationTraffic } from "../netlink/ipvs-destinations.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { IpvsKernel } from "./ipvs-kernel.ts";
import { serverTrafficKey, serviceTrafficKey, type TrafficState } from "./messages.ts";

/** The kernel's counters are read this often where servers are few; each server adds some, so that the price stays the same. */
const PERIOD_US = MICROSECONDS_PER_SECOND;
const PERIOD_PER_SERVER_US = MICROSECONDS_PER_MILLISECOND;
/** At most one part in so many of this process's time goes into reading, also on a machine that is slow. */
const SHARE = 50;
/** After so long other events get their turn; one service is read in one piece. */
const SLICE_US = 5 * MICROSECONDS_PER_MILLISECOND;

/** The part of the kernel that counts. */
export type CountingKernel = Pick<IpvsKernel, "serviceTotals" | "destinationTraffic" | "close">;

export interface TrafficMeterCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  openKernel(): Result<CountingKernel, DirectorError>;
  publish(key: string, state: TrafficState | null): void;
}

/**
 * Reads what the kernel counted for the configured services and their servers, on a period that follows their number, and
 * tells what changed. Nobody's question causes a reading, and a reading delays checks by one service at most.
 */
export class TrafficMeter {
  readonly #with: TrafficMeterCollaborators;
  readonly #alarm: Alarm;
  #services: readonly ServiceConfig[] = [];
  #servers = 0;
  #kernel: CountingKernel | null = null;
  /** What was told last, by key; an empty list = that there is nothing. Bounded by the configuration. */
  readonly #told = new Map<string, TrafficState>();
  /** The pass under way: what the kernel counts of its services, by key. Bounded by the kernel's table. */
  #totals: ReadonlyMap<string, Totals> | null = null;
  #nextService = 0;
  #spentUs = 0;
  #problem = "";

  constructor(collaborators: TrafficMeterCollaborators) {
    this.#with = collaborators;
    this.#alarm = collaborators.alarms.create(() => this.#onAlarm());
  }

  configure(services: readonly ServiceConfig[]): void {
    this.#services = services;
    this.#servers = services.reduce((sum, { servers }) => sum + servers.length, 0);
    this.#totals = null;
    const keys = new Set(services.flatMap(keysOf));
    for (const key of [...this.#told.keys()].filter((told) => !keys.has(told))) {
      this.#told.delete(key);
      this.#with.publish(key, null);
    }
    if (services.length === 0) this.#alarm.disarm();
    else this.#alarm.arm(this.#with.clock.nowUs() + PERIOD_US);
  }

  stop(): void {
    this.#alarm.close();
    this.#kernel?.close();
    this.#kernel = null;
  }

  #onAlarm(): void {
    const { clock } = this.#with;
    const startUs = clock.nowUs();
    const isDone = this.#readSome(startUs);
    const nowUs = clock.nowUs();
    this.#spentUs += nowUs - startUs;
    if (!isDone) {
      this.#alarm.arm(nowUs);
      return;
    }
    this.#alarm.arm(nowUs + Math.max(PERIOD_US, this.#servers * PERIOD_PER_SERVER_US, this.#spentUs * SHARE));
    this.#totals = null;
    this.#spentUs = 0;
  }

  /** @returns whether the pass is over, at the last service or because reading failed */
  #readSome(startUs: number): boolean {
    const kernel = this.#openKernel();
    if (kernel === null) return true;
    if (this.#totals === null) {
      const totals = this.#understood(kernel.serviceTotals());
      if (totals === null) return true;
      this.#totals = new Map(totals.map((service) => [serviceKey(service), service.totals]));
      this.#nextService = 0;
    }
    while (this.#nextService < this.#services.length) {
      const service = this.#services[this.#nextService++];
      if (service !== undefined && !this.#read(kernel, service, this.#totals)) return true;
      if (this.#with.clock.nowUs() - startUs >= SLICE_US) return this.#nextService >= this.#services.length;
    }
    return true;
  }

  #openKernel(): CountingKernel | null {
    this.#kernel ??= this.#understood(this.#with.openKernel());
    return this.#kernel;
  }

  /** @returns whether the kernel could be read */
  #read(kernel: CountingKernel, service: ServiceConfig, totals: ReadonlyMap<string, Totals>): boolean {
    const whole: Traffic[] = []; // these two bounded by the service's endpoints and servers
    const parts = service.servers.map((): ServerTraffic[] => []);
    for (const endpoint of service.listen) {
      const identity = { ...endpoint, family: familyOf(endpoint.address) };
      const listen = formatListenEndpoint(endpoint);
      const counted = totals.get(listen);
      // Not in the kernel's table, or not yet.
      if (counted === undefined) continue;
      whole.push(trafficOf(listen, counted, service.forward));
      const destinations = this.#understood(kernel.destinationTraffic(identity));
      if (destinations === null) return false;
      const found = new Map(destinations.map((destination) => [formatEndpoint(destination), destination]));
      service.servers.forEach(({ address, port }, index) => {
        const destination = found.get(
          formatEndpoint({ address, port: service.forward === "nat" ? port : endpoint.port }),
        );
        if (destination !== undefined) parts[index]?.push(serverTrafficOf(listen, destination, service));
      });
    }
    this.#tell(serviceTrafficKey(service.name), whole);
    service.servers.forEach((server, index) => {
      this.#tell(serverTrafficKey(service.name, formatEndpoint(server)), parts[index] ?? []);
    });
    return true;
  }

  #tell(key: string, traffic: TrafficState): void {
    const told = this.#told.get(key);
    if (told !== undefined && isSameTraffic(told, traffic)) return;
    this.#told.set(key, traffic);
    this.#with.publish(key, traffic.length === 0 ? null : traffic);
  }

  /** Says why the kernel cannot be read, once until it can; the next pass begins with a new socket. */
  #understood<Value>(read: Result<Value, DirectorError>): Value | null {
    if (read.ok) {
      this.#problem = "";
      return read.value;
    }
    this.#kernel?.close();
    this.#kernel = null;
    const problem = `the kernel's counters cannot be read: ${read.error.message}. ${read.error.remedy}`;
    if (problem !== this.#problem) this.#with.logger.log({ level: "warning", source: "checker", message: problem });
    this.#problem = problem;
    return null;
  }
}

function keysOf({ name, servers }: ServiceConfig): readonly string[] {
  return [serviceTrafficKey(name), ...servers.map((server) => serverTrafficKey(name, formatEndpoint(server)))];
}

function serverTrafficOf(listen: string, destination: DestinationTraffic, service: ServiceConfig): ServerTraffic {
  const { activeConnections: active, inactiveConnections: inactive, totals } = destination;
  return { ...trafficOf(listen, totals, service.forward), active, inactive };
}
