import { release } from "node:os";
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
 * 5.18 do not keep it; there, what this process added counts as its own, and leftovers of a crash as foreign.
 */
export const OWN_ADDRESS_PROTOCOL = 112;
const KEEPS_PROTOCOL = isKernelAtLeast(5, 18);

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

/** Every address of this network namespace, by interface and address; as many as the kernel has. */
type PresentAddresses = ReadonlyMap<string, InterfaceAddress>;

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
    let present: Result<PresentAddresses, DirectorError> | undefined;
    return addresses.map((address, index): AddOutcome => {
      const errno = executed.value[index] ?? 0;
      const key = keyOf(holder.index, address);
      if (errno === 0) {
        this.#added.add(key);
        return { type: "added" };
      }
      if (errno !== EEXIST) return { type: "failed", error: refused("adding", holder, address, errno) };
      present ??= this.#look();
      if (!present.ok) return { type: "failed", error: present.error };
      if (this.#isOwn(key, present.value)) {
        this.#added.add(key);
        return { type: "already-there" };
      }
      this.#added.delete(key);
      return { type: "foreign" };
    });
  }

  /** Removes addresses that holdfast added, in this life or an earlier one. */
  remove(holder: AddressHolder, addresses: readonly Cidr[]): readonly RemoveOutcome[] {
    let present: Result<PresentAddresses, DirectorError> | undefined;
    const outcomes = new Array<RemoveOutcome>(addresses.length).fill({ type: "absent" });
    const mine: number[] = [];
    addresses.forEach((address, index) => {
      const key = keyOf(holder.index, address);
      if (this.#added.has(key) && isListedAsOwn(holder, address)) {
        mine.push(index);
        return;
      }
      present ??= this.#look();
      if (!present.ok) outcomes[index] = { type: "failed", error: present.error };
      else if (this.#isOwn(key, present.value)) mine.push(index);
      else if (present.value.has(key)) outcomes[index] = { type: "foreign" };
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
    const present = this.#look();
    if (!present.ok) return present;
    return ok([...present.value.values()].filter(isMarked));
  }

  #look(): Result<PresentAddresses, DirectorError> {
    const dumped = this.#netlink.dump(encodeDumpAddresses());
    if (!dumped.ok) return err(dumped.error);
    const present = new Map<string, InterfaceAddress>();
    for (const message of dumped.value) {
      const decoded = decodeRouteMessage(message);
      if (!decoded.ok || decoded.value.type !== "address") continue;
      const { address } = decoded.value;
      present.set(keyOf(address.interfaceIndex, address.address), address);
    }
    return ok(present);
  }

  #isOwn(key: string, present: PresentAddresses): boolean {
    const address = present.get(key);
    if (address === undefined) return false;
    return KEEPS_PROTOCOL ? isMarked(address) : this.#added.has(key);
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

function isMarked(address: InterfaceAddress): boolean {
  return address.protocol === OWN_ADDRESS_PROTOCOL;
}

/**
 * Whether what was heard last says that the address is there and ours. One that is not listed may have been removed and made anew
 * by somebody else, of which the kernel tells late for IPv6: then only a look at the kernel can say.
 */
function isListedAsOwn(holder: AddressHolder, wanted: Cidr): boolean {
  if (!KEEPS_PROTOCOL) return true;
  const text = formatCidr(wanted);
  const held = holder.addresses.find(({ address }) => formatCidr(address) === text);
  return held !== undefined && isMarked(held);
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
  return holder.addresses.some((held) => !isMarked(held) && isInNetwork(held.address.address, network));
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

function isKernelAtLeast(major: number, minor: number): boolean {
  const [hasMajor = 0, hasMinor = 0] = release().split(".").map(Number.parseFloat);
  return hasMajor > major || (hasMajor === major && hasMinor >= minor);
}
