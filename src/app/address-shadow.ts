import { type Cidr, formatCidr } from "../base/ip.ts";
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
  /** Bounded by the addresses of the instance, and those that the kernel would not remove. */
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
    const wanted = new Set(copies.map(formatCidr));
    // Configured otherwise meanwhile. What the kernel would not remove is tried again by `lift`.
    this.#remove(loopback, (copy) => !wanted.has(formatCidr(copy)));
    const standing = new Set(this.#copies.map(formatCidr));
    const outcomes = this.#with.addresses.add(loopback, copies);
    const made = copies.filter((copy, index) => {
      const type = outcomes[index]?.type;
      // One that was refused this time has not gone for that.
      return type === "added" || type === "already-there" || (type === "failed" && standing.has(formatCidr(copy)));
    });
    this.#copies = [...this.#copies.filter((copy) => !wanted.has(formatCidr(copy))), ...made];
  }

  /** Idempotent. @returns sentences about what the kernel would not remove; that is kept from answering ARP */
  lift(): readonly string[] {
    const loopback = this.#with.loopback();
    if (loopback === undefined) this.#copies = [];
    const refused = loopback === undefined ? [] : this.#remove(loopback, () => true);
    if (this.#copies.length > 0) return refused;
    this.#undoArp?.();
    this.#undoArp = null;
    return refused;
  }

  /** @returns sentences about what the kernel would not remove */
  #remove(loopback: AddressHolder, isGoing: (copy: Cidr) => boolean): readonly string[] {
    const going = this.#copies.filter(isGoing);
    if (going.length === 0) return [];
    const outcomes = this.#with.addresses.remove(loopback, going);
    const failed = new Map(
      going.flatMap((copy, index) => {
        const outcome = outcomes[index];
        return outcome?.type === "failed" ? [[copy, outcome.error.message] as const] : [];
      }),
    );
    this.#copies = this.#copies.filter((copy) => !isGoing(copy) || failed.has(copy));
    return [...failed.values()];
  }
}
