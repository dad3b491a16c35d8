import { type DirectorError, messageOf } from "../base/director-error.ts";
import type { InstanceConfig } from "../config/model.ts";
import type { AlarmFactory, Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { InterfaceState } from "../sys/link-monitor.ts";
import { instanceKey, type VrrpProcessConfig, type VrrpState } from "./messages.ts";
import { VrrpInstance } from "./vrrp-instance.ts";
import { type AddressTable, type InterfaceSockets, VrrpInterface } from "./vrrp-interface.ts";

export interface RouterCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  readonly addresses: AddressTable;
  readonly sockets: InterfaceSockets;
  /** The present state of an interface by name. */
  link(name: string): InterfaceState | undefined;
  publish(key: string, state: VrrpState | null): void;
}

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

  constructor(collaborators: RouterCollaborators) {
    this.#with = collaborators;
  }

  /**
   * Applies a configuration: what is unchanged is not touched. An instance that moved to another interface or VRID is another
   * virtual router: it leaves and starts anew.
   * @throws DirectorError when the kernel refuses a socket
   */
  configure(config: VrrpProcessConfig): void {
    const wanted = new Map(config.instances.map((instance) => [instance.name, instance]));
    for (const [name, { instance }] of this.#running) {
      const next = wanted.get(name);
      if (next === undefined || next.interface !== instance.config.interface || next.vrid !== instance.config.vrid)
        this.#end(name);
    }
    for (const instance of config.instances) {
      const running = this.#running.get(instance.name);
      if (running === undefined) this.#begin(instance);
      else if (JSON.stringify(running.instance.config) !== JSON.stringify(instance))
        running.instance.reconfigure(instance);
    }
    this.publishAll();
  }

  /** An interface changed, appeared or vanished. */
  linkChanged(name: string): void {
    const device = this.#interfaces.get(name);
    if (device === undefined) return;
    try {
      device.setLink(this.#with.link(name));
    } catch (thrown) {
      const remedy = (thrown as Partial<DirectorError>).remedy ?? "";
      this.#with.logger.log({
        level: "error",
        source: "vrrp",
        message: `interface ${name}: ${messageOf(thrown)}. ${remedy}`,
      });
    }
    device.tellInstances();
    this.#lookForLostAddresses(device);
  }

  /**
   * Looks whether an address that is held is still there, once the events that wait have been heard: the news of an address
   * that was just added may be behind other news.
   */
  #lookForLostAddresses(device: VrrpInterface): void {
    setImmediate(() => {
      for (const { instance, device: itsDevice } of this.#running.values()) {
        if (itsDevice === device && instance.holdsMoreThan((address) => device.has(address))) instance.addressLost();
      }
    });
  }

  publishAll(): void {
    for (const [name, { instance }] of this.#running) this.#with.publish(instanceKey(name), instance.status());
  }

  /** Every instance leaves in good order; afterwards nothing of ours is on any interface. */
  shutdown(): void {
    for (const name of [...this.#running.keys()]) this.#end(name);
  }

  #begin(config: InstanceConfig): void {
    const device = this.#interfaceOf(config.interface);
    const { clock, alarms, logger } = this.#with;
    const instance = new VrrpInstance(config, {
      clock,
      alarms,
      logger,
      io: device.ioFor(),
      publish: (status) => this.#with.publish(instanceKey(config.name), status),
    });
    device.add(config.vrid, instance);
    this.#running.set(config.name, { instance, device });
    device.setLink(this.#with.link(config.interface));
    instance.start(device.fault, device.source);
  }

  #end(name: string): void {
    const running = this.#running.get(name);
    if (running === undefined) return;
    const { instance, device } = running;
    instance.shutdown();
    device.remove(instance.config.vrid);
    this.#running.delete(name);
    this.#with.publish(instanceKey(name), null);
    if (device.isEmpty) {
      device.close();
      this.#interfaces.delete(device.name);
    }
  }

  #interfaceOf(name: string): VrrpInterface {
    const known = this.#interfaces.get(name);
    if (known !== undefined) return known;
    const device = new VrrpInterface(name, this.#with.sockets, this.#with.addresses, this.#with.logger);
    this.#interfaces.set(name, device);
    return device;
  }
}
