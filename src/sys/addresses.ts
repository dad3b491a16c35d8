import { DirectorError } from "../base/director-error.ts";
import { bitsOf, type Cidr, familyOf, formatCidr, isInNetwork } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from "../netlink/message.ts";
import {
  decodeRouteMessage,
  encodeAddAddress,
  encodeDeleteAddress,
  encodeDumpAddresses,
  IFA_F_SECONDARY,
  type InterfaceAddress,
} from "../netlink/route.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import { EADDRNOTAVAIL, EEXIST, ENODEV, errnoName, errnoText } from "./errno.ts";
import { writeSysctl } from "./sysctl.ts";

/**
 * IFA_PROTO of the addresses that holdfast adds: the number of VRRP. By it they are recognised after a crash. Kernels before
 * 5.18 do not keep it; there, only what this process added counts as its own.
 */
export const OWN_ADDRESS_PROTOCOL = 112;

const FLAGS_OFFSET = 6;

/** Where addresses go. A LinkMonitor's InterfaceState is one. */
export interface AddressHolder {
  readonly name: string;
  readonly index: number;
  /** What it has now. */
  readonly addresses: readonly InterfaceAddress[];
}

export type AddOutcome =
  | { readonly type: "added" }
  /** Added by holdfast before. */
  | { readonly type: "already-there" }
  /** Somebody else added it: it serves, and stays when holdfast lets go. */
  | { readonly type: "foreign" }
  | { readonly type: "failed"; readonly error: DirectorError };

export type RemoveOutcome =
  | { readonly type: "removed" }
  /** It, or its interface, is gone already. */
  | { readonly type: "absent" }
  /** Somebody else added it: left alone. */
  | { readonly type: "foreign" }
  | { readonly type: "failed"; readonly error: DirectorError };

/** Puts virtual addresses on interfaces and takes them off; never takes off what somebody else added. */
export class Addresses {
  readonly #netlink: NetlinkSocket;
  /** Added by this process and not removed since: at most the configured addresses. Keys as of `keyOf`. */
  readonly #added = new Set<string>();

  /** @param collaborators.netlink a NETLINK_ROUTE socket */
  constructor(collaborators: { readonly netlink: NetlinkSocket }) {
    this.#netlink = collaborators.netlink;
  }

  /**
   * Adds addresses in order, by one system call for up to 200. IPv6 addresses work at once (no duplicate detection) and are
   * never chosen as a source. A prefix that covers a whole network brings its connected route, unless the interface has
   * one already through an address of its own.
   */
  add(holder: AddressHolder, addresses: readonly Cidr[]): readonly AddOutcome[] {
    const executed = this.#netlink.execute(addresses.map((address) => encodeAdd(holder, address)));
    if (!executed.ok) return addresses.map(() => ({ type: "failed", error: executed.error }));
    // One look for all that exist already.
    let owners: Result<ReadonlySet<string>, DirectorError> | undefined;
    return addresses.map((address, index): AddOutcome => {
      const errno = executed.value[index] ?? 0;
      const key = keyOf(holder.index, address);
      if (errno === 0) {
        this.#added.add(key);
        return { type: "added" };
      }
      if (errno !== EEXIST) return { type: "failed", error: refused("adding", holder, address, errno) };
      if (this.#added.has(key)) return { type: "already-there" };
      owners ??= this.#ownKeys();
      if (!owners.ok) return { type: "failed", error: owners.error };
      if (!owners.value.has(key)) return { type: "foreign" };
      this.#added.add(key);
      return { type: "already-there" };
    });
  }

  /** Removes addresses that holdfast added, in this life or an earlier one. */
  remove(holder: AddressHolder, addresses: readonly Cidr[]): readonly RemoveOutcome[] {
    let owners: Result<ReadonlySet<string>, DirectorError> | undefined;
    const outcomes = new Array<RemoveOutcome>(addresses.length).fill({ type: "foreign" });
    const mine: number[] = [];
    addresses.forEach((address, index) => {
      const key = keyOf(holder.index, address);
      if (this.#added.has(key)) {
        mine.push(index);
        return;
      }
      owners ??= this.#ownKeys();
      if (!owners.ok) outcomes[index] = { type: "failed", error: owners.error };
      else if (owners.value.has(key)) mine.push(index);
      else if (!isHeld(holder, address)) outcomes[index] = { type: "absent" };
    });
    const going = mine.flatMap((index) => addresses[index] ?? []);
    keepSecondaries(holder, going);
    const executed = this.#netlink.execute(going.map((address) => encodeDeleteAddress(holder.index, address)));
    mine.forEach((index, position) => {
      const address = addresses[index] ?? { address: "", prefixLength: 0 };
      outcomes[index] = executed.ok
        ? this.#removed(holder, address, executed.value[position] ?? 0)
        : { type: "failed", error: executed.error };
    });
    return outcomes;
  }

  /** Addresses on any interface that carry holdfast's mark: after a crash, what was left behind. */
  owned(): Result<readonly InterfaceAddress[], DirectorError> {
    const dumped = this.#netlink.dump(encodeDumpAddresses());
    if (!dumped.ok) return err(dumped.error);
    return ok(
      dumped.value.flatMap((message) => {
        const decoded = decodeRouteMessage(message);
        if (!decoded.ok || decoded.value.type !== "address") return [];
        return decoded.value.address.protocol === OWN_ADDRESS_PROTOCOL ? [decoded.value.address] : [];
      }),
    );
  }

  #ownKeys(): Result<ReadonlySet<string>, DirectorError> {
    const owned = this.owned();
    if (!owned.ok) return owned;
    return ok(new Set(owned.value.map(({ interfaceIndex, address }) => keyOf(interfaceIndex, address))));
  }

  #removed(holder: AddressHolder, address: Cidr, errno: number): RemoveOutcome {
    if (errno !== 0 && errno !== EADDRNOTAVAIL && errno !== ENODEV) {
      return { type: "failed", error: refused("removing", holder, address, errno) };
    }
    this.#added.delete(keyOf(holder.index, address));
    return { type: errno === 0 ? "removed" : "absent" };
  }
}

function keyOf(interfaceIndex: number, address: Cidr): string {
  return `${interfaceIndex} ${formatCidr(address)}`;
}

function isHeld(holder: AddressHolder, wanted: Cidr): boolean {
  return holder.addresses.some(({ address }) => formatCidr(address) === formatCidr(wanted));
}

/** The codec's request replaces; here an address that exists must not be touched before its owner is known. */
function encodeAdd(holder: AddressHolder, address: Cidr): Buffer {
  const isWhole = address.prefixLength === bitsOf(familyOf(address.address));
  const request = encodeAddAddress({
    interfaceIndex: holder.index,
    address,
    noPrefixRoute: !isWhole && hasForeignInside(holder, address),
    deprecated: true,
    protocol: OWN_ADDRESS_PROTOCOL,
  });
  request.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, FLAGS_OFFSET);
  return request;
}

function hasForeignInside(holder: AddressHolder, network: Cidr): boolean {
  return holder.addresses.some(
    ({ address, protocol }) => protocol !== OWN_ADDRESS_PROTOCOL && isInNetwork(address.address, network),
  );
}

/**
 * Removing the first IPv4 address of a network takes those with it that were added later (its secondaries), whoever added
 * them, unless the interface promotes the next one. So promotion is switched on where others would be lost.
 */
function keepSecondaries(holder: AddressHolder, going: readonly Cidr[]): void {
  const isGoing = new Set(going.map(formatCidr));
  const staying = holder.addresses.filter(
    ({ address, flags }) => (flags & IFA_F_SECONDARY) !== 0 && !isGoing.has(formatCidr(address)),
  );
  const isNeeded = staying.some(({ address }) =>
    going.some((gone) => gone.prefixLength === address.prefixLength && isInNetwork(address.address, gone)),
  );
  // A refusal is no reason to keep an address that another director holds by now.
  if (isNeeded) writeSysctl(["net", "ipv4", "conf", holder.name, "promote_secondaries"], "1");
}

function refused(doing: string, holder: AddressHolder, address: Cidr, errno: number): DirectorError {
  const what = `${doing} ${formatCidr(address)} on ${holder.name} was refused: ${errnoText(errno)}`;
  const code = errno === ENODEV ? "INTERFACE_MISSING" : "NETLINK_REFUSED";
  return new DirectorError(code, what, {
    interface: holder.name,
    address: formatCidr(address),
    errno: errnoName(errno),
  });
}
