import { assert } from "../base/assert.ts";
import { DirectorError, messageOf } from "../base/director-error.ts";
import type { InstanceKeys } from "../config/keys.ts";
import type { GroupConfig, InstanceConfig } from "../config/model.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { AdvertSlot } from "../sys/advert-memory.ts";
import type { InterfaceState } from "../sys/link-monitor.ts";
import { groupFault, groupOrders } from "../vrrp/group.ts";
import { sharedTrackers, type TrackFacts, trackersOf } from "../vrrp/track.ts";
import type { ArpReserve } from "./address-shadow.ts";
import { type CrashReturn, NO_CRASH } from "./crash-return.ts";
import type { HandoverReport } from "./instance-io.ts";
import type { InstancePlace } from "./instance-standing.ts";
import {
  type HandoverReply,
  instanceKey,
  scriptFactKey,
  serviceFactKey,
  type VrrpFact,
  type VrrpProcessConfig,
  type VrrpState,
} from "./messages.ts";
import { VrrpInstance } from "./vrrp-instance.ts";
import { type AddressTable, type InterfaceSockets, VrrpInterface } from "./vrrp-interface.ts";

/** What concerns instances in the configuration. */
export type RouterConfig = Pick<VrrpProcessConfig, "instances" | "groups" | "keys">;

export interface RouterCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  readonly addresses: AddressTable;
  readonly sockets: InterfaceSockets;
  readonly arp: ArpReserve;
  /** The present state of an interface by name. */
  link(name: string): InterfaceState | undefined;
  /** Hears news of interfaces that wait in the kernel; they arrive by `linkChanged`. */
  hearLinks(): void;
  /** What the checker said last about something tracked, by its key. */
  fact(key: string): VrrpFact | undefined;
  publish(key: string, state: VrrpState | null): void;
  /** Where the last advert of a virtual router is remembered beyond the end of this process. */
  memory(interfaceName: string, vrid: number): AdvertSlot;
}

/** An interface whose sockets the kernel refused is tried again after this long. */
const REOPEN_US = 1_000_000;
/** What one order makes of a group is looked at again at once, this often at most: what is left over waits for the next event. */
const GROUP_ROUNDS_MAX = 10;

interface Running {
  readonly instance: VrrpInstance;
  readonly device: VrrpInterface;
}

/** All instances of this node: follows the configuration and the interfaces. */
export class VrrpRouter {
  readonly #with: RouterCollaborators;
  /** By instance name, and by interface name; bounded by the configuration. */
  readonly #running = new Map<string, Running>();
  readonly #interfaces = new Map<string, VrrpInterface>();
  /** Those that make way, and what is configured under their name or in their place now; bounded by the configurations. */
  readonly #leaving = new Map<string, Running>();
  #waiting: InstanceConfig[] = [];
  #onEmpty: (() => void) | null = null;
  /** Interfaces whose sockets were refused when last tried; bounded by the configuration. */
  readonly #deaf = new Set<string>();
  readonly #reopen: Alarm;
  readonly #facts: TrackFacts;
  #config: RouterConfig = { instances: [] };
  /** While instances are told something, and whether something happened meanwhile. */
  #isSettling = false;
  #isUnsettled = false;
  /** As configured last. */
  #keys: InstanceKeys = {};

  constructor(collaborators: RouterCollaborators) {
    this.#with = collaborators;
    this.#facts = factsOf(collaborators);
    this.#reopen = collaborators.alarms.create(() => {
      for (const [name, device] of this.#interfaces) if (device.isDeaf) this.linkChanged(name);
    });
  }

  /**
   * Applies a configuration: what is unchanged is not touched. An instance that moved to another interface or VRID is another
   * virtual router: it hands over first, and starts anew when it has.
   * @param crash how instances go on after a run that was killed; for the first configuration
   * @throws DirectorError when a privilege for sockets is missing
   */
  configure(config: RouterConfig, crash: CrashReturn = NO_CRASH): void {
    this.#config = config;
    this.#keys = config.keys ?? {};
    this.#together(() => this.#apply(config, crash));
    this.publishAll();
  }

  #apply(config: RouterConfig, crash: CrashReturn): void {
    const wanted = new Map(config.instances.map((instance) => [instance.name, instance]));
    for (const [name, { instance }] of this.#running) {
      const next = wanted.get(name);
      if (next === undefined || next.interface !== instance.config.interface || next.vrid !== instance.config.vrid)
        this.#leave(name);
    }
    this.#waiting = [];
    for (const instance of config.instances) {
      const running = this.#running.get(instance.name);
      if (running === undefined) this.#beginOrWait(instance, crash);
      else this.#reconfigure(running, instance);
    }
  }

  /** What the checker says about something tracked changed. */
  factsChanged(): void {
    this.#together(() => {
      for (const { instance } of this.#running.values()) instance.factsChanged();
    });
  }

  #groupOf(name: string): GroupConfig | undefined {
    return this.#config.groups?.find(({ instances }) => instances.includes(name));
  }

  /** The members of the group that are configured, by the configuration: also those that have not begun or have not left yet. */
  #placeOf({ name, track }: InstanceConfig): InstancePlace {
    const group = this.#groupOf(name);
    const own = trackersOf(name, track);
    if (group === undefined) return { trackers: sharedTrackers(own, [own]), group: null };
    const members = group.instances.flatMap((member) => this.#config.instances.filter((each) => each.name === member));
    return {
      trackers: sharedTrackers(
        own,
        members.map((member) => trackersOf(member.name, member.track)),
      ),
      group: { name: group.name, isLeader: group.instances[0] === name },
    };
  }

  /** Groups are looked at when everything that belongs together has been told. */
  #together(tell: () => void): void {
    const isOutermost = !this.#isSettling;
    this.#isSettling = true;
    this.#isUnsettled = true;
    try {
      tell();
      for (let round = 0; isOutermost && this.#isUnsettled && round < GROUP_ROUNDS_MAX; round += 1) {
        this.#isUnsettled = false;
        for (const group of this.#config.groups ?? []) this.#settle(group);
      }
    } finally {
      if (isOutermost) this.#isSettling = false;
    }
  }

  #settle(group: GroupConfig): void {
    const members = group.instances.flatMap((name) => this.#running.get(name)?.instance ?? []);
    if (members.length < 2) {
      for (const instance of members) instance.groupChanged(null);
      return;
    }
    const seen = members.map((instance) => instance.member());
    members.forEach((instance, index) => {
      instance.groupChanged(groupFault(group.name, seen, seen[index]?.name ?? ""));
    });
    const now = members.map((instance) => instance.member());
    for (const order of groupOrders(group.name, now, this.#with.clock.nowUs())) {
      const instance = members.find(({ config }) => config.name === order.member);
      if (order.type === "join") instance?.join(order.reason);
      else void instance?.resign("follow");
    }
  }

  #reconfigure({ instance, device }: Running, config: InstanceConfig): void {
    const keys = this.#keys[config.name] ?? [];
    if (JSON.stringify(instance.config) === JSON.stringify(config)) {
      instance.rekey(keys);
      instance.moved(this.#placeOf(config));
      return;
    }
    if (JSON.stringify(instance.config.transport) !== JSON.stringify(config.transport)) {
      device.add(config.vrid, instance, config.transport);
      this.#takeLink(device);
      device.tellInstances();
    }
    // Together: what is said before is signed by the old key, what is said from here on by the new one.
    instance.rekey(keys);
    instance.reconfigure(config, this.#placeOf(config));
  }

  /** An interface changed, appeared or vanished. */
  linkChanged(name: string): void {
    const device = this.#interfaces.get(name);
    this.#together(() => {
      if (device !== undefined) {
        this.#takeLink(device);
        device.tellInstances();
      }
      // It may be tracked.
      for (const { instance } of this.#running.values()) instance.factsChanged();
    });
    if (device !== undefined) this.#lookForLostAddresses(device);
  }

  /** @returns the error of a socket that the kernel refused; it is logged, and tried again later */
  #takeLink(device: VrrpInterface): DirectorError | null {
    try {
      device.setLink(this.#with.link(device.name));
      this.#deaf.delete(device.name);
      return null;
    } catch (thrown) {
      assert(thrown instanceof DirectorError, messageOf(thrown));
      const message = `interface ${device.name}: ${thrown.message}. ${thrown.remedy}`;
      // Said once: the fault of the instances stands in status until another try succeeds.
      if (!this.#deaf.has(device.name)) this.#with.logger.log({ level: "error", source: "vrrp", message });
      this.#deaf.add(device.name);
      this.#reopen.arm(this.#with.clock.nowUs() + REOPEN_US);
      return thrown;
    }
  }

  /**
   * Looks whether an address that is served is still there, once the events that wait have been heard: the news of an address
   * that was just added may be behind other news.
   */
  #lookForLostAddresses(device: VrrpInterface): void {
    setImmediate(() => {
      this.#with.hearLinks();
      for (const { instance, device: itsDevice } of this.#running.values()) {
        if (itsDevice === device && instance.servesMoreThan((address) => device.has(address))) instance.addressLost();
      }
    });
  }

  publishAll(): void {
    for (const [name, { instance }] of [...this.#leaving, ...this.#running])
      this.#with.publish(instanceKey(name), instance.status());
  }

  /**
   * Hands an instance over to a peer, and the others of its group with it; they rest afterwards.
   * @throws DirectorError when there is no such instance
   */
  async handover(name: string): Promise<HandoverReply> {
    const reports = this.#membersOf(name).map(({ instance }) => ({
      member: instance.config.name,
      report: instance.resign("rest"),
    }));
    return Promise.all(reports.map(async ({ member, report }) => ({ instance: member, ...(await report) })));
  }

  /**
   * An instance, and the others of its group, fall silent as if this machine had died.
   * @param forUs after this long they come back by themselves
   * @returns who took over, as each of them hears it
   * @throws DirectorError when there is no such instance, or one of them is not master here
   */
  async silence(name: string, forUs: number): Promise<HandoverReply> {
    const members = this.#membersOf(name);
    const unable = members.find(({ instance }) => !instance.canFallSilent);
    if (unable !== undefined) {
      const { config, phase } = unable.instance;
      const why = phase === "master" ? "is handing over" : `is not master here but ${phase}`;
      throw new DirectorError("CONTROL_REFUSED", `instance ${config.name} ${why}`);
    }
    const reports: { readonly instance: string; readonly report: Promise<HandoverReport> }[] = [];
    this.#together(() => {
      for (const { instance } of members)
        reports.push({ instance: instance.config.name, report: instance.fallSilent(forUs) });
    });
    return Promise.all(reports.map(async ({ instance, report }) => ({ instance, ...(await report) })));
  }

  /**
   * An instance, and the others of its group, take their addresses back; that they are master again shows in their state.
   * @throws DirectorError when there is no such instance
   */
  reclaim(name: string): void {
    const members = this.#membersOf(name);
    this.#together(() => {
      for (const { instance } of members) instance.reclaim();
    });
  }

  /**
   * Ends the rest of one instance: it takes its addresses from a lower master as far as `preempt` says.
   * @throws DirectorError when there is no such instance
   */
  wake(name: string): void {
    const running = this.#running.get(name);
    if (running === undefined) throw new DirectorError("CONTROL_REFUSED", `there is no instance ${name}`);
    this.#together(() => running.instance.wake());
  }

  /** @throws DirectorError when there is no such instance */
  #membersOf(name: string): readonly Running[] {
    if (!this.#running.has(name)) throw new DirectorError("CONTROL_REFUSED", `there is no instance ${name}`);
    return (this.#groupOf(name)?.instances ?? [name]).flatMap((member) => this.#running.get(member) ?? []);
  }

  /** Every instance makes way for its peer; resolves when nothing of ours is on any interface. */
  async stop(): Promise<void> {
    this.#waiting = [];
    this.#together(() => {
      for (const name of [...this.#running.keys()]) this.#leave(name);
    });
    if (this.#leaving.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    this.#reopen.close();
  }

  /** Every instance leaves at once; afterwards nothing of ours is on any interface. */
  shutdown(): void {
    this.#waiting = [];
    this.#together(() => {
      for (const name of [...this.#leaving.keys()]) this.#end(name, this.#leaving);
      for (const name of [...this.#running.keys()]) this.#end(name, this.#running);
    });
    this.#reopen.close();
    this.#onEmpty?.();
  }

  #beginOrWait(config: InstanceConfig, crash: CrashReturn): void {
    const isInTheWay = [...this.#leaving].some(
      ([name, { instance }]) =>
        name === config.name ||
        (instance.config.interface === config.interface && instance.config.vrid === config.vrid),
    );
    if (isInTheWay) this.#waiting.push(config);
    else this.#begin(config, crash);
  }

  #leave(name: string): void {
    const running = this.#running.get(name);
    if (running === undefined) return;
    this.#running.delete(name);
    this.#leaving.set(name, running);
    void running.instance.resign("stop");
  }

  #hasLeft(name: string): void {
    this.#end(name, this.#leaving);
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#together(() => {
      for (const config of waiting) this.#beginOrWait(config, NO_CRASH);
    });
    if (this.#leaving.size === 0) this.#onEmpty?.();
  }

  #begin(config: InstanceConfig, crash: CrashReturn): void {
    const device = this.#interfaceOf(config.interface);
    const { clock, alarms, logger } = this.#with;
    const instance = new VrrpInstance(config, this.#placeOf(config), {
      clock,
      alarms,
      logger,
      io: device.ioFor(config.vrid),
      memory: this.#with.memory(config.interface, config.vrid),
      facts: this.#facts,
      publish: (status) => this.#with.publish(instanceKey(config.name), status),
      changed: () => {
        if (this.#groupOf(config.name) !== undefined) this.#together(() => undefined);
      },
      ended: () => this.#hasLeft(config.name),
    });
    instance.rekey(this.#keys[config.name] ?? []);
    device.add(config.vrid, instance, config.transport);
    this.#running.set(config.name, { instance, device });
    const error = this.#takeLink(device);
    const fault = device.faultOf(config.transport);
    const resumes = crash.resuming.has(config.name);
    instance.start(fault, device.source, { resumes, isResting: crash.resting.has(config.name) });
    if (resumes && instance.phase !== "master") this.#removeLeft(config);
    if (crash.departed.has(config.name)) instance.sayGone();
    // What is missing now is missing for good; the supervisor says so and ends.
    if (error?.code === "PRIVILEGE_MISSING") throw error;
  }

  /** It was to go on as master, and cannot: what was left for it goes. */
  #removeLeft({ interface: device, addresses }: InstanceConfig): void {
    const link = this.#with.link(device);
    if (link !== undefined) this.#with.addresses.remove(link, addresses);
  }

  #end(name: string, among: Map<string, Running>): void {
    const running = among.get(name);
    if (running === undefined) return;
    const { instance, device } = running;
    instance.shutdown();
    device.remove(instance.config.vrid);
    among.delete(name);
    this.#with.publish(instanceKey(name), null);
    if (device.isEmpty) {
      device.close();
      this.#interfaces.delete(device.name);
      this.#deaf.delete(device.name);
    }
  }

  #interfaceOf(name: string): VrrpInterface {
    const known = this.#interfaces.get(name);
    if (known !== undefined) return known;
    const { sockets, addresses, logger, arp } = this.#with;
    const loopback = () => this.#with.link("lo");
    const device = new VrrpInterface(name, { sockets, addresses, logger, arp, loopback });
    this.#interfaces.set(name, device);
    return device;
  }
}

function factsOf({ link, fact }: Pick<RouterCollaborators, "link" | "fact">): TrackFacts {
  return {
    interfaceState: (name) => {
      const state = link(name);
      if (state === undefined) return "missing";
      return state.isUp ? "up" : "down";
    },
    script: (instance, name) => {
      const found = fact(scriptFactKey(instance, name));
      return found?.type === "script" ? found : undefined;
    },
    service: (name) => {
      const found = fact(serviceFactKey(name));
      return found?.type === "service" ? found : undefined;
    },
  };
}
