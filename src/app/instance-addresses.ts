import { type Cidr, formatCidr, type IpText } from "../base/ip.ts";
import type { InstanceConfig } from "../config/model.ts";
import type { RefusedAddress } from "../control/status.ts";
import type { InstanceIo } from "./instance-io.ts";
import type { InstanceVoice } from "./instance-voice.ts";

export interface InstanceAddressesCollaborators {
  readonly io: InstanceIo;
  readonly voice: InstanceVoice;
}

/**
 * The virtual addresses of one instance: which of them it holds, and which it serves besides because somebody else put them
 * there.
 */
export class InstanceAddresses {
  #config: Pick<InstanceConfig, "addresses" | "interface">;
  readonly #with: InstanceAddressesCollaborators;
  #held: readonly string[] = [];
  /** Held, or put there by somebody else. At most the configured addresses. */
  #served: readonly string[] = [];
  /** As of the last try. At most the configured addresses, and those that were configured before. */
  #refused: readonly RefusedAddress[] = [];
  #isRefusalTold = false;

  constructor(config: InstanceConfig, collaborators: InstanceAddressesCollaborators) {
    this.#config = config;
    this.#with = collaborators;
  }

  /** @returns whether other addresses are wanted now; nothing is done about it yet */
  configure(config: InstanceConfig): boolean {
    const isChanged = config.addresses.map(formatCidr).join() !== this.#config.addresses.map(formatCidr).join();
    this.#config = config;
    return isChanged;
  }

  /** Present, and made by holdfast. */
  get held(): readonly string[] {
    return this.#held;
  }

  /** What the kernel would not add or remove when it was last told to. */
  get refused(): readonly RefusedAddress[] {
    return this.#refused;
  }

  /** Whether one that is served is not there any more. */
  servesMoreThan(isPresent: (address: Cidr) => boolean): boolean {
    return this.#servedAddresses().some((address) => !isPresent(address));
  }

  /** Makes those present that are configured, and no other. @returns whether the kernel did all of it */
  hold(): boolean {
    const { held, foreign, refused } = this.#with.io.hold(this.#config.addresses);
    this.#held = held;
    this.#served = [...held, ...foreign];
    for (const address of foreign) {
      this.#with.voice.once(
        `foreign ${address}`,
        "info",
        `${address} was already on ${this.#config.interface}; it is served and will not be removed`,
      );
    }
    return this.#keep(refused);
  }

  /** Removes what holdfast made. @returns whether the kernel did all of it */
  release(): boolean {
    const refused = this.#with.io.release();
    this.#held = [];
    this.#served = [];
    return this.#keep(refused);
  }

  /** A burst of gratuitous ARPs for what is served. */
  announce(): void {
    this.#with.io.announce(this.#servedAddresses());
  }

  /** One in the name of a successor, for all that it serves now. */
  announceFor(successor: IpText): void {
    this.#with.io.announceFor(this.#config.addresses, successor);
  }

  /** Keeps copies where they answer no ARP. */
  shadow(): void {
    this.#with.io.shadow(this.#config.addresses);
  }

  /** Removes those copies. */
  unshadow(): void {
    this.#tell(this.#with.io.unshadow());
  }

  /** An event when anything is refused, and when nothing is any more. */
  #keep(refused: readonly RefusedAddress[]): boolean {
    const { voice } = this.#with;
    this.#refused = refused;
    for (const { why } of refused) {
      const change = this.#isRefusalTold ? undefined : { from: null, to: "address refused", cause: why };
      const wasSaid = voice.repeat(why, "error", `${why}; trying again`, change);
      this.#isRefusalTold ||= wasSaid;
    }
    if (refused.length === 0 && this.#isRefusalTold) {
      this.#isRefusalTold = false;
      const cause = "the kernel refuses none of its addresses any more";
      voice.say("notice", cause, { from: "address refused", to: null, cause });
    }
    return refused.length === 0;
  }

  /** @param refused one sentence for each address, so that what was said is bounded by the configuration */
  #tell(refused: readonly string[]): void {
    for (const sentence of refused) this.#with.voice.repeat(sentence, "error", sentence);
  }

  #servedAddresses(): readonly Cidr[] {
    return this.#config.addresses.filter((address) => this.#served.includes(formatCidr(address)));
  }
}
