import type { Cidr } from "../base/ip.ts";
import type { AddressHolder } from "../sys/addresses.ts";
import type { AddressTable } from "./vrrp-interface.ts";

/** Makes an interface answer ARP for its own addresses only. */
export interface ArpReserve {
  /** @returns how to undo it, or null where it could not be done */
  keepQuiet(interfaceName: string): (() => void) | null;
}

export interface ShadowCollaborators {
  readonly addresses: AddressTable;
  readonly arp: ArpReserve;
  /** Where the copies go; undefined = there is no loopback interface. */
  loopback(): AddressHolder | undefined;
}

/**
 * Copies of an instance's addresses on the loopback interface: during a handover, frames that were on their way still find a
 * host that serves them. Only together with an interface that does not answer ARP for them.
 * @see the make-before-break recipe, docs/vrrp.md
 */
export class AddressShadow {
  readonly #with: ShadowCollaborators;
  /** Bounded by the addresses of the instance. */
  #copies: readonly Cidr[] = [];
  #undoArp: (() => void) | null = null;

  constructor(collaborators: ShadowCollaborators) {
    this.#with = collaborators;
  }

  /** Idempotent. Without a shadow a handover still works; it is less smooth by a millisecond. */
  cast(interfaceName: string, addresses: readonly Cidr[]): void {
    const loopback = this.#with.loopback();
    if (loopback === undefined) return;
    this.#undoArp ??= this.#with.arp.keepQuiet(interfaceName);
    if (this.#undoArp === null) return;
    const copies = addresses.map(({ address }): Cidr => ({ address, prefixLength: 32 }));
    const outcomes = this.#with.addresses.add(loopback, copies);
    this.#copies = copies.filter((_, index) => {
      const type = outcomes[index]?.type;
      return type === "added" || type === "already-there";
    });
  }

  /** Idempotent. @returns sentences about what the kernel would not remove */
  lift(): readonly string[] {
    const loopback = this.#with.loopback();
    const outcomes = loopback === undefined ? [] : this.#with.addresses.remove(loopback, this.#copies);
    this.#copies = [];
    this.#undoArp?.();
    this.#undoArp = null;
    return outcomes.flatMap((outcome) => (outcome.type === "failed" ? [outcome.error.message] : []));
  }
}
