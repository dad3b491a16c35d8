import { constants } from "node:os";
import { DirectorError } from "../../src/base/director-error.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { NetlinkSocket } from "../../src/ports/netlink-socket.ts";

const { EAFNOSUPPORT, EEXIST, EINVAL, ENETUNREACH, ENODEV, ENOENT, EOPNOTSUPP, EPERM, ERANGE, ESRCH } = constants.errno;

type Attributes = ReadonlyMap<number, Buffer>;

/** What the kernel holds of a service, under the numbers of the wire. Keys of the maps are identity bytes in hex. */
export interface KernelService {
  af: number;
  protocol: number;
  /** 16 bytes. */
  address: Buffer;
  port: number;
  mark: number;
  scheduler: string;
  flags: number;
  timeout: number;
  netmask: Buffer;
  engine: string;
  stats: KernelStats;
  readonly destinations: Map<string, KernelDestination>;
}

export interface KernelDestination {
  af: number;
  address: Buffer;
  port: number;
  method: number;
  weight: number;
  upper: number;
  lower: number;
  tunnelType: number;
  tunnelPort: number;
  tunnelFlags: number;
  active: number;
  inactive: number;
  stats: KernelStats;
}

/** Statistics in the order of the wire: connections, packets in and out, bytes in and out. */
export type KernelStats = readonly [number, number, number, number, number];

/** A daemon of connection synchronisation, under the numbers of the wire. */
export interface KernelDaemon {
  device: string;
  id: number;
  maxlen: number;
  group: Buffer;
  port: number;
  ttl: number;
}

/**
 * The IPVS family of a kernel behind the NetlinkSocket port: takes and gives real netlink bytes and refuses as a 6.1 kernel
 * was seen to. It reads and writes bytes by code of its own, so that a mistake in the product's codec does not cancel out.
 */
export class FakeIpvsKernel implements NetlinkSocket {
  readonly services = new Map<string, KernelService>();
  /** By state: 1 master, 2 backup. */
  readonly daemons = new Map<number, KernelDaemon>();
  /** Interfaces that exist, and whether they are up. */
  readonly interfaces = new Map([["eth1", true]]);
  familyId = 0x22;
  hasModule = true;
  isPrivileged = true;
  schedulers = new Set(["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "mh", "fo", "ovf"]);
  /** Counts calls and requests, so that tests can tell what was read and written. */
  readonly counts = { dumps: 0, executed: 0 };
  /** Runs before the request with this number (from 1, counted over all execute calls): another program, or a crash. */
  readonly before = new Map<number, () => void>();
  /** Changes the replies of every destination dump: objects read twice, or missed. */
  distort: (replies: Buffer[]) => Buffer[] = (replies) => replies;
  /** Commands that are refused with an errno of a test's choice. */
  readonly refusals = new Map<number, number>();
  /** When set, every call fails with it, as a socket does. */
  failure: DirectorError | null = null;
  closed = false;

  query(request: Buffer): Result<Buffer, DirectorError> {
    if (this.failure !== null) return err(this.failure);
    const type = request.readUInt16LE(4);
    const command = request.readUInt8(16);
    if (type === 0x10 && command === 3) {
      const name = attributesOf(request, 20).get(2)?.toString("latin1");
      if (!this.hasModule || name !== "IPVS\0") return refused(ENOENT);
      return ok(
        message(0x10, 1, attribute(2, Buffer.from("IPVS\0")), attribute(1, u16(this.familyId)), attribute(5, u32(6))),
      );
    }
    if (type !== this.familyId) return refused(ENOENT);
    if (!this.isPrivileged) return refused(EPERM);
    if (command === 15) return ok(message(type, 14, attribute(1, u32(0x010201)), attribute(2, u32(4096))));
    return refused(EOPNOTSUPP);
  }

  dump(request: Buffer): Result<readonly Buffer[], DirectorError> {
    if (this.failure !== null) return err(this.failure);
    if (request.readUInt16LE(4) !== this.familyId) return refused(ENOENT);
    if (!this.isPrivileged) return refused(EPERM);
    this.counts.dumps++;
    const command = request.readUInt8(16);
    if (command === 4) {
      return ok([...this.services.values()].map((service) => message(this.familyId, 1, serviceAttribute(service))));
    }
    if (command === 11) {
      return ok([...this.daemons].map(([state, daemon]) => message(this.familyId, 9, daemonAttribute(state, daemon))));
    }
    if (command !== 8) return refused(EOPNOTSUPP);
    const nest = attributesOf(request, 20).get(1);
    const service = nest === undefined ? undefined : this.services.get(identityOf(attributesOf(nest)));
    // An unknown service gives an empty dump and no error; the newest destination comes first.
    const destinations = [...(service?.destinations.values() ?? [])].reverse();
    return ok(
      this.distort(destinations.map((destination) => message(this.familyId, 5, destinationAttribute(destination)))),
    );
  }

  execute(requests: readonly Buffer[]): Result<readonly number[], DirectorError> {
    const errnos: number[] = [];
    for (const request of requests) {
      this.counts.executed++;
      this.before.get(this.counts.executed)?.();
      if (this.failure !== null) return err(this.failure);
      errnos.push(this.#carryOut(request));
    }
    return ok(errnos);
  }

  close(): void {
    this.closed = true;
  }

  #carryOut(request: Buffer): number {
    if (request.readUInt32LE(0) !== request.length) return EINVAL;
    if (request.readUInt16LE(4) !== this.familyId) return ENOENT;
    if ((request.readUInt16LE(6) & 1) === 0) return EINVAL;
    if (!this.isPrivileged) return EPERM;
    const command = request.readUInt8(16);
    const refusal = this.refusals.get(command);
    if (refusal !== undefined) return refusal;
    const top = attributesOf(request, 20);
    if (command === 9 || command === 10) return this.#writeDaemon(command === 9, top.get(3));
    const nest = top.get(1);
    if (nest === undefined) return EINVAL;
    const given = attributesOf(nest);
    const af = given.get(1)?.readUInt16LE(0);
    if (af === undefined || (given.get(5) === undefined && (!given.get(2) || !given.get(3) || !given.get(4))))
      return EINVAL;
    if (af !== 2 && af !== 10) return EAFNOSUPPORT;
    const key = identityOf(given);
    if (command === 1 || command === 2) return this.#writeService(command === 1, key, given);
    const service = this.services.get(key);
    if (service === undefined) return ESRCH;
    if (command === 3) {
      this.services.delete(key);
      return 0;
    }
    const destination = top.get(2);
    if (command < 5 || command > 7) return EOPNOTSUPP;
    if (destination === undefined) return EINVAL;
    return this.#writeDestination(command, service, attributesOf(destination));
  }

  #writeDaemon(isStart: boolean, nest: Buffer | undefined): number {
    const given = nest === undefined ? undefined : attributesOf(nest);
    const state = given?.get(1)?.readUInt32LE(0);
    if (given === undefined || (state !== 1 && state !== 2)) return EINVAL;
    if (!isStart) return this.daemons.delete(state) ? 0 : ESRCH;
    const [device, id] = [given.get(2)?.toString("latin1").replace(/\0.*$/, ""), given.get(3)?.readUInt32LE(0)];
    if (device === undefined || id === undefined) return EINVAL;
    const isUp = this.interfaces.get(device);
    if (isUp === undefined) return ENODEV;
    if (state === 1 && !isUp) return ENETUNREACH;
    if (this.daemons.has(state)) return EEXIST;
    this.daemons.set(state, {
      device,
      id,
      maxlen: given.get(4)?.readUInt16LE(0) || 1472,
      group: given.get(5) ?? Buffer.from([224, 0, 0, 81]),
      port: given.get(7)?.readUInt16LE(0) || 8848,
      ttl: given.get(8)?.readUInt8(0) || 1,
    });
    return 0;
  }

  #writeService(isNew: boolean, key: string, given: Attributes): number {
    const [scheduler, flags, timeout, netmask] = [given.get(6), given.get(7), given.get(8), given.get(9)];
    if (!scheduler || !flags || !timeout || !netmask) return EINVAL;
    if (scheduler.length > 16 || scheduler.at(-1) !== 0 || flags.length < 8) return EINVAL;
    const af = given.get(1)?.readUInt16LE(0) ?? 0;
    if (af === 10 && (netmask.readUInt32LE(0) < 1 || netmask.readUInt32LE(0) > 128)) return EINVAL;
    const existing = this.services.get(key);
    if (isNew && existing !== undefined) return EEXIST;
    if (!isNew && existing === undefined) return ESRCH;
    const name = scheduler.toString("latin1", 0, scheduler.length - 1);
    if (!this.schedulers.has(name)) return ENOENT;
    const mask = flags.readUInt32LE(4);
    const service: KernelService = existing ?? {
      af,
      protocol: given.get(2)?.readUInt16LE(0) ?? 0,
      address: padded(given.get(3) ?? Buffer.alloc(0)),
      port: given.get(4)?.readUInt16BE(0) ?? 0,
      mark: given.get(5)?.readUInt32LE(0) ?? 0,
      scheduler: "",
      flags: 0,
      timeout: 0,
      netmask: Buffer.alloc(4),
      engine: "",
      stats: [0, 0, 0, 0, 0],
      destinations: new Map(),
    };
    service.scheduler = name;
    service.flags = ((service.flags & ~mask) | (flags.readUInt32LE(0) & mask) | 2) >>> 0;
    service.timeout = timeout.readUInt32LE(0);
    service.netmask = Buffer.from(netmask.subarray(0, 4));
    service.engine = given.get(11)?.toString("latin1").replace(/\0.*$/, "") ?? "";
    this.services.set(key, service);
    return 0;
  }

  #writeDestination(command: number, service: KernelService, given: Attributes): number {
    const [address, port] = [given.get(1), given.get(2)];
    if (!address || !port) return EINVAL;
    const af = given.get(11)?.readUInt16LE(0) || service.af;
    const key = destinationIdentity(af, padded(address), port.readUInt16BE(0));
    const existing = service.destinations.get(key);
    if (command === 7) return service.destinations.delete(key) ? 0 : ENOENT;
    const [method, weight, upper, lower] = [3, 4, 5, 6].map((type) => given.get(type)?.readUInt32LE(0));
    if (method === undefined || weight === undefined || upper === undefined || lower === undefined) return EINVAL;
    if (weight > 0x7fffffff || lower > upper) return ERANGE;
    if (af !== service.af && (method & 7) !== 2) return EINVAL;
    if (isUnusable(af, address)) return EINVAL;
    if (command === 5 && existing !== undefined) return EEXIST;
    if (command === 6 && existing === undefined) return ENOENT;
    service.destinations.set(key, {
      af,
      address: padded(address),
      port: port.readUInt16BE(0),
      method: method & 7,
      weight,
      upper,
      lower,
      // Absent attributes make the tunnel plain IPIP again.
      tunnelType: given.get(13)?.readUInt8(0) ?? 0,
      tunnelPort: given.get(14)?.readUInt16BE(0) ?? 0,
      tunnelFlags: given.get(15)?.readUInt16LE(0) ?? 0,
      active: existing?.active ?? 0,
      inactive: existing?.inactive ?? 0,
      stats: existing?.stats ?? [0, 0, 0, 0, 0],
    });
    return 0;
  }
}

function isUnusable(af: number, address: Buffer): boolean {
  const first = address[0] ?? 0;
  if (af === 2) return first >= 224 || address.subarray(0, 4).equals(Buffer.alloc(4));
  return first === 0xff || padded(address).equals(Buffer.alloc(16));
}

function identityOf(given: Attributes): string {
  const mark = given.get(5);
  if (mark !== undefined) return `mark ${given.get(1)?.readUInt16LE(0)} ${mark.readUInt32LE(0)}`;
  return [1, 2, 3, 4]
    .map((type) => (type === 3 ? padded(given.get(3) ?? Buffer.alloc(0)) : given.get(type))?.toString("hex"))
    .join(" ");
}

function destinationIdentity(af: number, address: Buffer, port: number): string {
  return `${af} ${address.toString("hex")} ${port}`;
}

function attributesOf(bytes: Buffer, start = 0): Attributes {
  const found = new Map<number, Buffer>();
  for (let at = start; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) throw new Error(`attribute at ${at} of length ${length}`);
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function padded(address: Buffer): Buffer {
  return Buffer.concat([address, Buffer.alloc(16)]).subarray(0, 16);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
function u16be(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

function attribute(type: number, ...data: Buffer[]): Buffer {
  const body = Buffer.concat(data);
  return Buffer.concat([u16(4 + body.length), u16(type), body, Buffer.alloc(-body.length & 3)]);
}

function message(type: number, command: number, ...attributes: Buffer[]): Buffer {
  const body = Buffer.concat(attributes);
  return Buffer.concat([
    u32(20 + body.length),
    u16(type),
    u16(2),
    u32(1),
    u32(99),
    Buffer.from([command, 1, 0, 0]),
    body,
  ]);
}

function daemonAttribute(state: number, { device, id, maxlen, group, port, ttl }: KernelDaemon): Buffer {
  return attribute(
    3,
    attribute(1, u32(state)),
    attribute(2, Buffer.from(`${device}\0`)),
    attribute(3, u32(id)),
    attribute(4, u16(maxlen)),
    attribute(7, u16(port)),
    attribute(8, Buffer.from([ttl])),
    attribute(5, group),
  );
}

/** In the order of the kernel: identity, settings, statistics; nests without the NESTED bit. */
function serviceAttribute(service: KernelService): Buffer {
  const identity =
    service.mark !== 0
      ? [attribute(5, u32(service.mark))]
      : [attribute(2, u16(service.protocol)), attribute(3, service.address), attribute(4, u16be(service.port))];
  const engine = service.engine === "" ? [] : [attribute(11, Buffer.from(`${service.engine}\0`))];
  return attribute(
    1,
    attribute(1, u16(service.af)),
    ...identity,
    attribute(6, Buffer.from(`${service.scheduler}\0`)),
    ...engine,
    attribute(7, u32(service.flags), u32(0xffffffff)),
    attribute(8, u32(service.timeout)),
    attribute(9, service.netmask),
    attribute(10, attribute(1, u32(7))),
    statsAttribute(service.stats),
  );
}

function destinationAttribute(destination: KernelDestination): Buffer {
  return attribute(
    2,
    attribute(1, destination.address),
    attribute(2, u16be(destination.port)),
    attribute(3, u32(destination.method)),
    attribute(4, u32(destination.weight)),
    attribute(13, Buffer.from([destination.tunnelType])),
    attribute(14, u16be(destination.tunnelPort)),
    attribute(15, u16(destination.tunnelFlags)),
    attribute(5, u32(destination.upper)),
    attribute(6, u32(destination.lower)),
    attribute(7, u32(destination.active)),
    attribute(8, u32(destination.inactive)),
    attribute(9, u32(0)),
    attribute(11, u16(destination.af)),
    attribute(10, attribute(1, u32(7))),
    statsAttribute(destination.stats),
  );
}

/** The 64-bit ones, each after an empty attribute that aligns it. */
function statsAttribute(stats: KernelStats): Buffer {
  const each = (value: number, index: number) => [
    attribute(11),
    attribute(index + 1, u32(value % 2 ** 32), u32(Math.floor(value / 2 ** 32))),
  ];
  return attribute(12, ...stats.flatMap(each));
}

function refused(errno: number): Result<never, DirectorError> {
  const name = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? "";
  return err(new DirectorError("NETLINK_REFUSED", `the kernel refused: ${name}`, { errno: name }));
}
