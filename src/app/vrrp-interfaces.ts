import { assert } from "../base/assert.ts";
import { DirectorError, messageOf } from "../base/director-error.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { InterfaceState } from "../sys/link-monitor.ts";
import type { ArpReserve } from "./address-shadow.ts";
import { type AddressTable, type InterfaceSockets, VrrpInterface } from "./vrrp-interface.ts";

/** An interface whose sockets the kernel refused is tried again after this long. */
const REOPEN_US = 1_000_000;

export interface InterfacesCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  readonly addresses: AddressTable;
  readonly sockets: InterfaceSockets;
  readonly arp: ArpReserve;
  /** The present state of an interface by name. */
  link(name: string): InterfaceState | undefined;
  /** Sockets of this one are missing, and it is time to try again. */
  onRetry(name: string): void;
}

/** The interfaces that instances speak on: each with its sockets, as long as an instance is there. */
export class VrrpInterfaces {
  readonly #with: InterfacesCollaborators;
  /** By name; bounded by the configuration. */
  readonly #interfaces = new Map<string, VrrpInterface>();
  /** Those whose sockets were refused when last tried; bounded by the configuration. */
  readonly #deaf = new Set<string>();
  readonly #reopen: Alarm;

  constructor(collaborators: InterfacesCollaborators) {
    this.#with = collaborators;
    this.#reopen = collaborators.alarms.create(() => {
      for (const [name, device] of this.#interfaces) if (device.isDeaf) collaborators.onRetry(name);
    });
  }

  /** @returns undefined = no instance is on it */
  get(name: string): VrrpInterface | undefined {
    return this.#interfaces.get(name);
  }

  /** For an instance that begins there. */
  open(name: string): VrrpInterface {
    const known = this.#interfaces.get(name);
    if (known !== undefined) return known;
    const { sockets, addresses, logger, arp } = this.#with;
    const loopback = () => this.#with.link("lo");
    const device = new VrrpInterface(name, { sockets, addresses, logger, arp, loopback });
    this.#interfaces.set(name, device);
    return device;
  }

  /**
   * Has an interface take its present state.
   * @returns the error of a socket that the kernel refused; it is logged, and tried again later
   */
  takeLink(device: VrrpInterface): DirectorError | null {
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

  /** An instance has left it: nothing of ours stays on it after the last one. */
  leave(device: VrrpInterface, vrid: number): void {
    device.remove(vrid);
    if (!device.isEmpty) return;
    device.close();
    this.#interfaces.delete(device.name);
    this.#deaf.delete(device.name);
  }

  /** Tries nothing again. */
  close(): void {
    this.#reopen.close();
  }
}
