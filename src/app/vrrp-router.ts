import { DirectorError } from "../base/director-error.ts";
import type { InstanceKeys } from "../config/keys.ts";
import type { InstanceConfig } from "../config/model.ts";
import { offerFor } from "../config/nearest.ts";
import type { AdvertSlot } from "../sys/advert-memory.ts";
import type { TrackFacts } from "../vrrp/track.ts";
import { type CrashReturn, NO_CRASH } from "./crash-return.ts";
import { InstanceGroups } from "./instance-groups.ts";
import type { HandoverReport } from "./instance-io.ts";
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
import type { VrrpInterface } from "./vrrp-interface.ts";
import { type InterfacesCollaborators, VrrpInterfaces } from "./vrrp-interfaces.ts";

/** What concerns instances in the configuration. */
export type RouterConfig = Pick<VrrpProcessConfig, "instances" | "groups" | "keys">;

export interface RouterCollaborators extends Omit<InterfacesCollaborators, "onRetry"> {
  /** Hears news of interfaces that wait in the kernel; they arrive by `linkChanged`. */
  hearLinks(): void;
  /** What the checker said last about something tracked, by its key. */
  fact(key: string): VrrpFact | undefined;
  publish(key: string, state: VrrpState | null): void;
  /** Where the last advert of a virtual router is remembered beyond the end of this process. */
  memory(interfaceName: string, vrid: number): AdvertSlot;
}

interface Running {
  readonly instance: VrrpInstance;
  readonly device: VrrpInterface;
}

/** All instances of this node: follows the configuration and the interfaces. */
export class VrrpRouter {
  readonly #with: RouterCollaborators;
  /** By name; bounded by the configuration. */
  readonly #running = new Map<string, Running>();
  readonly #interfaces: VrrpInterfaces;
  readonly #groups: InstanceGroups;
  /** Those that make way, and what is configured under their name or in their place now; bounded by the configurations. */
  readonly #leaving = new Map<string, Running>();
  #waiting: InstanceConfig[] = [];
  #onEmpty: (() => void) | null = null;
  readonly #facts: TrackFacts;
  /** As configured last. */
  #keys: InstanceKeys = {};

  constructor(collaborators: RouterCollaborators) {
    this.#with = collaborators;
    this.#facts = factsOf(collaborators);
    this.#interfaces = new VrrpInterfaces({
      clock: collaborators.clock,
      alarms: collaborators.alarms,
      logger: collaborators.logger,
      addresses: collaborators.addresses,
      sockets: collaborators.sockets,
      arp: collaborators.arp,
      link: (name) => collaborators.link(name),
      onRetry: (name) => this.linkChanged(name),
    });
    this.#groups = new InstanceGroups({
      clock: collaborators.clock,
      running: (name) => this.#running.get(name)?.instance,
    });
  }

  /**
   * Applies a configuration: what is unchanged is not touched. An instance that moved to another interface or VRID is another
   * virtual router: it hands over first, and starts anew when it has.
   * @param crash how instances go on after a run that was killed; for the first configuration
   * @throws DirectorError when a privilege for sockets is missing
   */
  configure(config: RouterConfig, crash: CrashReturn = NO_CRASH): void {
    this.#groups.configure(config);
    this.#keys = config.keys ?? {};
    this.#groups.together(() => this.#apply(config, crash));
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
    this.#groups.together(() => {
      for (const { instance } of this.#running.values()) instance.factsChanged();
    });
  }

  #reconfigure({ instance, device }: Running, config: InstanceConfig): void {
    const keys = this.#keys[config.name] ?? [];
    if (JSON.stringify(instance.config) === JSON.stringify(config)) {
      instance.rekey(keys);
      instance.moved(this.#groups.placeOf(config));
      return;
    }
    if (JSON.stringify(instance.config.transport) !== JSON.stringify(config.transport)) {
      device.add(config.vrid, instance, config.transport);
      this.#interfaces.takeLink(device);
      device.tellInstances();
    }
    // Together: what is said before is signed by the old key, what is said from here on by the new one.
    instance.rekey(keys);
    instance.reconfigure(config, this.#groups.placeOf(config));
  }

  /** An interface changed, appeared or vanished. */
  linkChanged(name: string): void {
    const device = this.#interfaces.get(name);
    this.#groups.together(() => {
      if (device !== undefined) {
        this.#interfaces.takeLink(device);
        device.tellInstances();
      }
      // It may be tracked.
      for (const { instance } of this.#running.values()) instance.factsChanged();
    });
    if (device !== undefined) this.#lookForLostAddresses(device);
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
    this.#groups.together(() => {
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
    this.#groups.together(() => {
      for (const { instance } of members) instance.reclaim();
    });
  }

  /**
   * Ends the rest of one instance: it takes its addresses from a lower master as far as `preempt` says.
   * @throws DirectorError when there is no such instance
   */
  wake(name: string): void {
    const running = this.#running.get(name);
    if (running === undefined) throw this.#noSuchInstance(name);
    this.#groups.together(() => running.instance.wake());
  }

  /** @throws DirectorError when there is no such instance */
  #membersOf(name: string): readonly Running[] {
    if (!this.#running.has(name)) throw this.#noSuchInstance(name);
    return this.#groups.membersWith(name).flatMap((member) => this.#running.get(member) ?? []);
  }

  #noSuchInstance(name: string): DirectorError {
    const offer = offerFor(name, [...this.#running.keys()]);
    return new DirectorError("CONTROL_REFUSED", `there is no instance ${name}; ${offer}`);
  }

  /** Every instance makes way for its peer; resolves when nothing of ours is on any interface. */
  async stop(): Promise<void> {
    this.#waiting = [];
    this.#groups.together(() => {
      for (const name of [...this.#running.keys()]) this.#leave(name);
    });
    if (this.#leaving.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    this.#interfaces.close();
  }

  /** Every instance leaves at once; afterwards nothing of ours is on any interface. */
  shutdown(): void {
    this.#waiting = [];
    this.#groups.together(() => {
      for (const name of [...this.#leaving.keys()]) this.#end(name, this.#leaving);
      for (const name of [...this.#running.keys()]) this.#end(name, this.#running);
    });
    this.#interfaces.close();
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
    this.#groups.together(() => {
      for (const config of waiting) this.#beginOrWait(config, NO_CRASH);
    });
    if (this.#leaving.size === 0) this.#onEmpty?.();
  }

  #begin(config: InstanceConfig, crash: CrashReturn): void {
    const device = this.#interfaces.open(config.interface);
    const { clock, alarms, logger } = this.#with;
    const instance = new VrrpInstance(config, this.#groups.placeOf(config), {
      clock,
      alarms,
      logger,
      io: device.ioFor(config.vrid),
      memory: this.#with.memory(config.interface, config.vrid),
      facts: this.#facts,
      publish: (status) => this.#with.publish(instanceKey(config.name), status),
      changed: () => this.#groups.changed(config.name),
      ended: () => this.#hasLeft(config.name),
    });
    instance.rekey(this.#keys[config.name] ?? []);
    device.add(config.vrid, instance, config.transport);
    this.#running.set(config.name, { instance, device });
    const error = this.#interfaces.takeLink(device);
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
    among.delete(name);
    this.#with.publish(instanceKey(name), null);
    this.#interfaces.leave(device, instance.config.vrid);
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
