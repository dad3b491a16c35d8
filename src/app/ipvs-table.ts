import type { DirectorError } from "../base/director-error.ts";
import { ok, type Result } from "../base/result.ts";
import { applyOperations } from "../ipvs/apply.ts";
import { changesOf, type IpvsChange } from "../ipvs/changes.ts";
import { diff } from "../ipvs/diff.ts";
import { serviceKey } from "../ipvs/keys.ts";
import type { IpvsOperation, IpvsTable, ServiceIdentity } from "../ipvs/model.ts";
import type { CurrentTable, ObservedDestination, ObservedTable } from "../ipvs/observed.ts";
import type { IpvsInfo } from "../netlink/ipvs-replies.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import { IpvsKernel, type OperationFailure } from "./ipvs-kernel.ts";
import type { IpvsOwnership } from "./ipvs-ownership.ts";
import { objectOf, operationName } from "./ipvs-remaining.ts";

/** What came of making the kernel's table as wanted. */
export interface IpvsReport {
  /** What became different, for the log: one line each. */
  readonly changes: readonly IpvsChange[];
  /** Keys of wanted services that somebody else had put into the kernel and that are holdfast's from now on. */
  readonly adopted: readonly string[];
  /** Of the changes, those that repaired what somebody else had done. */
  readonly repairs: readonly IpvsChange[];
  /** What the kernel refused. */
  readonly failures: readonly OperationFailure[];
  /** What still differs after reading back; empty = the kernel's table is as wanted. Not known if `error` is set. */
  readonly remaining: readonly IpvsOperation[];
  /** Whether the kernel's table was read, not only written. */
  readonly readBack: boolean;
  /** Reading or writing failed on the way. The next call reads everything. */
  readonly error: DirectorError | null;
}

const NOTHING_DONE: IpvsReport = {
  changes: [],
  adopted: [],
  repairs: [],
  failures: [],
  remaining: [],
  readBack: false,
  error: null,
};

/** Differences that show up while others write to the table as well are worked off in so many rounds at most. */
const MAX_ROUNDS = 3;

/**
 * Keeps the kernel's table as wanted: the only writer of IPVS services and destinations in holdfast. Synchronous, so calls
 * cannot overlap.
 */
export class IpvsTableKeeper {
  readonly #kernel: IpvsKernel;
  readonly #ownership: IpvsOwnership;
  /** The table as we left it; undefined = not known, read before the next change. */
  #known: CurrentTable | undefined;

  private constructor(kernel: IpvsKernel, ownership: IpvsOwnership) {
    this.#kernel = kernel;
    this.#ownership = ownership;
  }

  /** The socket is the keeper's from now on. @returns KERNEL_UNSUPPORTED, PRIVILEGE_MISSING or what the socket says */
  static open(collaborators: {
    readonly socket: NetlinkSocket;
    readonly ownership: IpvsOwnership;
  }): Result<IpvsTableKeeper, DirectorError> {
    const kernel = IpvsKernel.open(collaborators);
    return kernel.ok ? ok(new IpvsTableKeeper(kernel.value, collaborators.ownership)) : kernel;
  }

  /** The whole table of this network namespace with its counters, for status. */
  read(): Result<ObservedTable, DirectorError> {
    return this.#kernel.read();
  }

  /** The destinations of one service with their counters, as the kernel has them now; none if it does not have the service. */
  readDestinations(service: ServiceIdentity): Result<readonly ObservedDestination[], DirectorError> {
    return this.#kernel.readDestinations(service);
  }

  /** Keys of the services that are holdfast's own. */
  get owned(): ReadonlySet<string> {
    return this.#ownership.keys;
  }

  info(): Result<IpvsInfo, DirectorError> {
    return this.#kernel.info();
  }

  /** Reads the table, changes what differs, reads again; also repairs what others have changed in our services. */
  reconcile(desired: IpvsTable): IpvsReport {
    this.#known = undefined;
    const read = this.#kernel.read();
    if (!read.ok) return { ...NOTHING_DONE, error: read.error };
    let current = read.value.services;
    const adopted = this.#takeOver(current, desired);
    const changes: IpvsChange[] = []; // bounded by the two tables and MAX_ROUNDS
    let failures: readonly OperationFailure[] = [];
    let remaining = diff(current, desired, this.#ownership.keys);
    for (let round = 1; remaining.length > 0 && round <= MAX_ROUNDS; round++) {
      const outcome = this.#kernel.apply(remaining);
      changes.push(...changesOf(current, outcome.done));
      failures = outcome.failures;
      if (outcome.error !== null) {
        return { ...NOTHING_DONE, changes, adopted, failures, error: outcome.error };
      }
      const again = this.#kernel.read();
      if (!again.ok) return { ...NOTHING_DONE, changes, adopted, failures, error: again.error };
      current = again.value.services;
      remaining = diff(current, desired, this.#ownership.keys);
      // What was refused would be refused again.
      const refused = new Set(failures.map(({ operation }) => operationName(operation)));
      if (remaining.every((operation) => refused.has(operationName(operation)))) break;
    }
    this.#release(current, desired);
    this.#known = remaining.length === 0 ? this.#afterwards(current, desired) : current;
    return { ...NOTHING_DONE, changes, adopted, failures, remaining, readBack: true };
  }

  /** Reads the table: what making it as wanted would change. Changes nothing. */
  inspect(desired: IpvsTable): Result<readonly IpvsChange[], DirectorError> {
    const read = this.#kernel.read();
    if (!read.ok) return read;
    const { services } = read.value;
    return ok(changesOf(services, diff(services, desired, this.#ownership.keys)));
  }

  /**
   * Changes what differs from the table as we left it, without reading the kernel's: for verdicts, which come often.
   * Whatever does not go as expected ends in a reconcile, unless what others did is to be left alone: then what was refused
   * is what the next call tries again.
   */
  applyDesired(desired: IpvsTable, leavesDrift = false): IpvsReport {
    const known = this.#known;
    if (known === undefined) return this.reconcile(desired);
    const operations = diff(known, desired, this.#ownership.keys);
    if (operations.length === 0) return NOTHING_DONE;
    const adopted = this.#takeOver(known, desired);
    const { done, failures, surprises, error } = this.#kernel.apply(operations);
    const changes = changesOf(known, done);
    if (leavesDrift && failures.length > 0 && error === null) {
      this.#known = applyOperations(known, done).table;
      const refused = failures.map(({ operation }) => operation);
      return { ...NOTHING_DONE, changes, adopted, failures, remaining: refused };
    }
    if (!leavesDrift && (failures.length > 0 || surprises > 0 || error !== null)) {
      const report = this.reconcile(desired);
      // What was refused at first and done then was wanted anyway; the rest is somebody else's doing.
      const redone = new Set(failures.map(({ operation }) => objectOf(operation)));
      const repairs = report.changes.filter(({ service, server }) => !redone.has(`${service} ${server ?? ""}`));
      return { ...report, adopted, repairs, changes: [...changes, ...report.changes] };
    }
    if (error !== null) {
      this.#known = undefined;
      return { ...NOTHING_DONE, changes, adopted, error };
    }
    this.#known = this.#afterwards(known, desired);
    this.#release(this.#known, desired);
    return { ...NOTHING_DONE, changes, adopted };
  }

  /** Removes all of holdfast's own services, as on a stop. Established connections of a family's last service are cut. */
  removeOwned(): IpvsReport {
    return this.reconcile([]);
  }

  close(): void {
    this.#kernel.close();
  }

  #isOwned(service: CurrentTable[number]): boolean {
    return this.#ownership.keys.has(serviceKey(service));
  }

  /** The table once all is as wanted, in the order of what is wanted: the next comparison finds everything in step. */
  #afterwards(before: CurrentTable, desired: IpvsTable): CurrentTable {
    const wanted = new Set(desired.map(serviceKey));
    const others = before.filter((service) => !wanted.has(serviceKey(service)) && !this.#isOwned(service));
    return [...desired, ...others];
  }

  /** Before a change: wanted services are ours, also those that are there already. @returns the keys of the latter */
  #takeOver(current: CurrentTable, desired: IpvsTable): string[] {
    const wanted = desired.map(serviceKey);
    const strangers = new Set(current.filter((service) => !this.#isOwned(service)).map(serviceKey));
    this.#ownership.grow(wanted);
    return wanted.filter((key) => strangers.has(key));
  }

  /** After a change: what is neither wanted nor in the kernel any more is not ours any more. */
  #release(current: CurrentTable, desired: IpvsTable): void {
    const present = current.map(serviceKey).filter((key) => this.#ownership.keys.has(key));
    this.#ownership.shrinkTo([...desired.map(serviceKey), ...present]);
  }
}
