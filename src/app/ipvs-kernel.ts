import { constants } from "node:os";
import { DirectorError } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import { serviceKey } from "../ipvs/keys.ts";
import type { IpvsOperation, ServiceIdentity } from "../ipvs/model.ts";
import type { ObservedDestination, ObservedService, ObservedTable } from "../ipvs/observed.ts";
import type { SyncDaemon, SyncOperation } from "../ipvs/sync.ts";
import { decodeFamilyId, encodeGetFamily } from "../netlink/generic.ts";
import { encodeDumpDestinations, encodeDumpServices, encodeGetInfo, encodeOperations } from "../netlink/ipvs.ts";
import { type DestinationTraffic, decodeDestination, decodeDestinationTraffic } from "../netlink/ipvs-destinations.ts";
import { IPVS_GENL_NAME } from "../netlink/ipvs-numbers.ts";
import { decodeInfo, decodeService, type IpvsInfo, type ServiceHeader } from "../netlink/ipvs-replies.ts";
import { decodeSyncDaemon, encodeDumpSyncDaemons, encodeSyncOperation } from "../netlink/ipvs-sync.ts";
import type { NetlinkDecodeError } from "../netlink/message.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import { explainRefusal, explainSyncRefusal } from "./ipvs-refusal.ts";

const { EEXIST, ENOENT, EPERM, ESRCH } = constants.errno;

/** Operations encoded and handed to the socket at a time: bounds the memory and the time that one step takes. */
const OPERATIONS_PER_STEP = 1_000;

/** An operation that the kernel did not carry out. */
export interface OperationFailure {
  readonly operation: IpvsOperation;
  /** Positive. */
  readonly errno: number;
  /** A sentence. */
  readonly reason: string;
}

/** What became of operations. */
export interface ApplyOutcome {
  /** Carried out, in order. */
  readonly done: readonly IpvsOperation[];
  readonly failures: readonly OperationFailure[];
  /** How many met a table that was not as expected: things there that should not be, or gone that should be there. */
  readonly surprises: number;
  /** The socket failed on the way: operations in neither list may have been carried out or not. */
  readonly error: DirectorError | null;
}

/** The kernel's IPVS table of this network namespace: reading it and carrying out operations. Synchronous. */
export class IpvsKernel {
  readonly #socket: NetlinkSocket;
  #familyId: number;

  private constructor(socket: NetlinkSocket, familyId: number) {
    this.#socket = socket;
    this.#familyId = familyId;
  }

  /**
   * Resolves the family, which loads the module, and proves the privilege by asking for information.
   * @returns KERNEL_UNSUPPORTED or PRIVILEGE_MISSING where that is why it cannot work
   */
  static open(collaborators: { readonly socket: NetlinkSocket }): Result<IpvsKernel, DirectorError> {
    const familyId = resolveFamily(collaborators.socket);
    if (!familyId.ok) return familyId;
    const kernel = new IpvsKernel(collaborators.socket, familyId.value);
    const info = kernel.info();
    return info.ok ? ok(kernel) : info;
  }

  info(): Result<IpvsInfo, DirectorError> {
    const reply = this.#socket.query(encodeGetInfo(this.#familyId));
    if (!reply.ok) return err(explained(reply.error));
    return understood(decodeInfo(reply.value, this.#familyId));
  }

  /**
   * Reads the whole table. Services and destinations are separate dumps, and the kernel does not say when either changed
   * while it was read: what was read twice counts once, and what was missed is found by whoever compares again.
   */
  read(): Result<ObservedTable, DirectorError> {
    // The number changes when the module is loaded again; asking costs a few microseconds.
    const familyId = resolveFamily(this.#socket);
    if (!familyId.ok) return familyId;
    this.#familyId = familyId.value;
    const headers = this.#readServices();
    if (!headers.ok) return headers;
    const services: ObservedService[] = []; // bounded by the kernel's table
    for (const header of headers.value.headers) {
      const destinations = this.readDestinations(header);
      if (!destinations.ok) return destinations;
      const { totals: _, ...service } = header;
      services.push({ ...service, destinations: destinations.value });
    }
    return ok({ services, foreignServices: headers.value.foreign });
  }

  #readServices(): Result<{ headers: readonly ServiceHeader[]; foreign: number }, DirectorError> {
    const replies = this.#socket.dump(encodeDumpServices(this.#familyId));
    if (!replies.ok) return err(explained(replies.error));
    const headers = new Map<string, ServiceHeader>(); // bounded by the kernel's table
    let foreign = 0;
    for (const reply of replies.value) {
      const header = understood(decodeService(reply, this.#familyId));
      if (!header.ok) return header;
      if (header.value === null) foreign++;
      else headers.set(serviceKey(header.value), header.value);
    }
    return ok({ headers: [...headers.values()], foreign });
  }

  /** The destinations of one service; none if the kernel does not have it. */
  readDestinations(service: ServiceIdentity): Result<readonly ObservedDestination[], DirectorError> {
    const replies = this.#socket.dump(encodeDumpDestinations(this.#familyId, service));
    if (!replies.ok) return err(explained(replies.error));
    const seen = new Set<string>(); // these two bounded by the kernel's table
    const destinations: ObservedDestination[] = [];
    for (const reply of replies.value) {
      const destination = understood(decodeDestination(reply, this.#familyId, service.family));
      if (!destination.ok) return destination;
      seen.add(`${destination.value.address} ${destination.value.port}`);
      // Read before: the set has not grown.
      if (seen.size > destinations.length) destinations.push(destination.value);
    }
    // The kernel lists the newest first. In the order of their creation they are in step with the wanted table.
    return ok(destinations.reverse());
  }

  /** Every service with what the kernel counts of it. */
  serviceTotals(): Result<readonly ServiceHeader[], DirectorError> {
    const familyId = resolveFamily(this.#socket);
    if (!familyId.ok) return familyId;
    this.#familyId = familyId.value;
    const services = this.#readServices();
    return services.ok ? ok(services.value.headers) : services;
  }

  /** What it counts of the destinations of one service, after `serviceTotals`. One may be there twice, or missing. */
  destinationTraffic(service: ServiceIdentity): Result<readonly DestinationTraffic[], DirectorError> {
    const replies = this.#socket.dump(encodeDumpDestinations(this.#familyId, service));
    if (!replies.ok) return err(explained(replies.error));
    const destinations: DestinationTraffic[] = []; // bounded by the kernel's table
    for (const reply of replies.value) {
      const destination = understood(decodeDestinationTraffic(reply, this.#familyId, service.family));
      if (!destination.ok) return destination;
      destinations.push(destination.value);
    }
    return ok(destinations);
  }

  /**
   * Carries out operations in order; a failing one does not stop the rest. Each reaches its aim whatever it finds: adding
   * what is there sets it, setting what is not there adds it, deleting what is not there is done.
   */
  apply(operations: readonly IpvsOperation[]): ApplyOutcome {
    const done: IpvsOperation[] = []; // all three bounded by the operations
    const failures: OperationFailure[] = [];
    let surprises = 0;
    for (let start = 0; start < operations.length; start += OPERATIONS_PER_STEP) {
      const step = operations.slice(start, start + OPERATIONS_PER_STEP);
      const outcome = this.#applyStep(step);
      if (!outcome.ok) return { done, failures, surprises, error: outcome.error };
      surprises += outcome.value.surprises;
      if (outcome.value.failures.length === 0) {
        for (const operation of step) done.push(operation);
        continue;
      }
      const failed = new Set(outcome.value.failures.map(({ operation }) => operation));
      for (const operation of step) if (!failed.has(operation)) done.push(operation);
      failures.push(...outcome.value.failures);
    }
    return { done, failures, surprises, error: null };
  }

  #applyStep(
    step: readonly IpvsOperation[],
  ): Result<{ readonly failures: readonly OperationFailure[]; readonly surprises: number }, DirectorError> {
    const errnos = this.#execute(step);
    if (!errnos.ok) return errnos;
    const failures: OperationFailure[] = [];
    const second: { readonly first: IpvsOperation; readonly instead: IpvsOperation }[] = [];
    let surprises = 0;
    step.forEach((operation, i) => {
      const errno = errnos.value[i] ?? 0;
      if (errno === 0) return;
      const way = otherWay(operation, errno);
      if (way === null) failures.push({ operation, errno, reason: explainRefusal(operation, errno) });
      else surprises++;
      if (way !== null && way !== "done") second.push({ first: operation, instead: way });
    });
    if (second.length > 0) {
      const again = this.#execute(second.map(({ instead }) => instead));
      if (!again.ok) return again;
      second.forEach(({ first, instead }, i) => {
        const errno = again.value[i] ?? 0;
        if (errno !== 0) failures.push({ operation: first, errno, reason: explainRefusal(instead, errno) });
      });
    }
    return ok({ failures, surprises });
  }

  /** The daemons of connection synchronisation that run. */
  syncDaemons(): Result<readonly SyncDaemon[], DirectorError> {
    const familyId = resolveFamily(this.#socket);
    if (!familyId.ok) return familyId;
    this.#familyId = familyId.value;
    const replies = this.#socket.dump(encodeDumpSyncDaemons(this.#familyId));
    if (!replies.ok) return err(explained(replies.error));
    const daemons: SyncDaemon[] = []; // the kernel has one of each role
    for (const reply of replies.value) {
      const daemon = understood(decodeSyncDaemon(reply, this.#familyId));
      if (!daemon.ok) return daemon;
      daemons.push(daemon.value);
    }
    return ok(daemons);
  }

  /** Starts or stops a daemon; stopping one that does not run is done. @returns null, or a sentence: why it was refused */
  applySync(operation: SyncOperation): Result<string | null, DirectorError> {
    const errnos = this.#executeMessages([encodeSyncOperation(this.#familyId, operation)]);
    if (!errnos.ok) return errnos;
    const errno = errnos.value[0] ?? 0;
    if (errno === 0 || (errno === ESRCH && operation.type === "stopDaemon")) return ok(null);
    return ok(explainSyncRefusal(operation, errno));
  }

  #execute(operations: readonly IpvsOperation[]): Result<readonly number[], DirectorError> {
    return this.#executeMessages(encodeOperations(this.#familyId, operations));
  }

  #executeMessages(messages: readonly Buffer[]): Result<readonly number[], DirectorError> {
    const errnos = this.#socket.execute(messages);
    if (!errnos.ok) return err(explained(errnos.error));
    return errnos.value.includes(EPERM) ? err(privilegeMissing()) : errnos;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Another way to the same end after a refusal; "done" if the end is reached already; null if there is none. */
function otherWay(operation: IpvsOperation, errno: number): IpvsOperation | "done" | null {
  switch (operation.type) {
    case "addService":
      return errno === EEXIST ? { ...operation, type: "setService" } : null;
    case "setService":
      return errno === ESRCH ? { ...operation, type: "addService" } : null;
    case "addDestination":
      return errno === EEXIST ? { ...operation, type: "setDestination" } : null;
    case "setDestination":
      return errno === ENOENT ? { ...operation, type: "addDestination" } : null;
    case "deleteService":
    case "deleteDestination":
      return errno === ESRCH || errno === ENOENT ? "done" : null;
  }
}

function resolveFamily(socket: NetlinkSocket): Result<number, DirectorError> {
  const reply = socket.query(encodeGetFamily(IPVS_GENL_NAME));
  if (!reply.ok) return err(explained(reply.error));
  return understood(decodeFamilyId(reply.value));
}

/** Says what the operator can do something about in place of a bare error number. */
function explained(error: DirectorError): DirectorError {
  if (error.facts.errno === "ENOENT") {
    return new DirectorError(
      "KERNEL_UNSUPPORTED",
      "the kernel has no IPVS: its module ip_vs is not loaded and could not be loaded",
      error.facts,
      error,
    );
  }
  return error.facts.errno === "EPERM" ? privilegeMissing(error) : error;
}

function privilegeMissing(cause?: DirectorError): DirectorError {
  return new DirectorError(
    "PRIVILEGE_MISSING",
    "the kernel refuses access to IPVS: it takes CAP_NET_ADMIN in the initial user namespace, a container's own root is not enough",
    { errno: "EPERM" },
    cause,
  );
}

function understood<T>(decoded: Result<T, NetlinkDecodeError>): Result<T, DirectorError> {
  if (decoded.ok) return decoded;
  const { code, detail } = decoded.error;
  return err(new DirectorError("NETLINK_TRUNCATED", `an IPVS reply of the kernel cannot be read: ${detail}`, { code }));
}
