import { Buffer } from "node:buffer";
import { assert } from "../base/assert.ts";
import { DirectorError } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  decodeErrno,
  decodeHeader,
  type NetlinkHeader,
  NLM_F_ACK,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  splitMessages,
  stampMessage,
} from "../netlink/message.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import {
  AF_NETLINK,
  MSG_TRUNC,
  NETLINK_CAP_ACK,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./constants.ts";
import { EAGAIN, EBUSY, EMSGSIZE, ENOBUFS, errnoName, errnoText, systemCallError } from "./errno.ts";
import { sockaddrNetlink } from "./sockaddr.ts";
import { type ReceiveFacts, Socket } from "./socket.ts";

/** Requests sent by one sendmsg: with it, even if all of them fail, the errors fit the default receive buffer (about 256). */
const REQUESTS_PER_SLICE = 200;
/** And their bytes: well below the default send buffer, beyond which sendmsg gives EMSGSIZE. */
const BYTES_PER_SLICE = 64 * 1024;
/** Dumps come in parts of at most 32 KiB as long as the reader offers that much. */
const FIRST_RECEIVE_BYTES = 64 * 1024;
/** Twice this is what the kernel reserves. */
const RECEIVE_QUEUE_BYTES = 1024 * 1024;
/** No single message of the families spoken here comes near. */
const MAX_RECEIVE_BYTES = 4 * 1024 * 1024;
/** A dump that was interrupted, overrun or truncated is asked for again this often. */
const DUMP_ATTEMPTS = 5;
/** Datagrams read for one request at most; a dump of a million destinations needs fewer. */
const MAX_DATAGRAMS = 100_000;
const FLAGS_OFFSET = 6;

/** Receives datagrams of a netlink socket into one buffer that grows when a datagram was cut off. */
export class NetlinkReceiver {
  readonly #socket: Socket;
  readonly #sender = Buffer.alloc(12);
  readonly #facts: ReceiveFacts = { addressLength: 0, flags: 0 };
  #buffer = Buffer.allocUnsafe(FIRST_RECEIVE_BYTES);

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * @returns the next datagram, a view that the next call overwrites; "truncated" if it was cut off (the buffer has grown
   * for next time); or a negative errno, -EAGAIN when there is none
   */
  receive(): Buffer | "truncated" | number {
    for (let count = 0; count < MAX_DATAGRAMS; count += 1) {
      // With MSG_TRUNC the kernel returns the true length.
      const length = this.#socket.receive(this.#buffer, this.#sender, this.#facts, MSG_TRUNC);
      if (length < 0) return length;
      if (length > this.#buffer.length) {
        if (length <= MAX_RECEIVE_BYTES) this.#buffer = Buffer.allocUnsafe(2 ** Math.ceil(Math.log2(length)));
        return "truncated";
      }
      // Port 0 is the kernel; other programs may write to this socket too, and have nothing to say.
      if (this.#sender.readUInt32LE(4) === 0) return this.#buffer.subarray(0, length);
    }
    return -EAGAIN;
  }
}

/** @param what for error messages: `IPVS netlink socket` */
export function openNetlink(protocol: number, what: string): Result<Socket, DirectorError> {
  const opened = Socket.open(AF_NETLINK, SOCK_RAW, protocol, what);
  if (!opened.ok) return opened;
  return opened.value.configure([
    ["enlarging the receive queue", enlargeQueue],
    ["shortening acknowledgements", (it) => it.setOption(SOL_NETLINK, NETLINK_CAP_ACK, 1)],
    ["binding", (it) => it.bind(sockaddrNetlink())],
  ]);
}

/** Beyond the limit of the sysctl only with CAP_NET_ADMIN; what the limit grants will do otherwise. */
function enlargeQueue(socket: Socket): number {
  const forced = socket.setOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_QUEUE_BYTES);
  return forced < 0 ? socket.setOption(SOL_SOCKET, SO_RCVBUF, RECEIVE_QUEUE_BYTES) : forced;
}

/** One read of a dump: finished, or to be asked for again because of `again`. */
type DumpAttempt = { readonly messages: readonly Buffer[] } | { readonly again: string };

/** Netlink requests, synchronous: the kernel has queued the answer when sendmsg returns. */
export class KernelNetlinkSocket implements NetlinkSocket {
  readonly #socket: Socket;
  readonly #receiver: NetlinkReceiver;
  readonly #what: string;
  readonly #portId: number;
  #sequence = 0;

  private constructor(socket: Socket, what: string, portId: number) {
    this.#socket = socket;
    this.#receiver = new NetlinkReceiver(socket);
    this.#what = what;
    this.#portId = portId;
  }

  /** @param protocol NETLINK_ROUTE or NETLINK_GENERIC */
  static open(protocol: number, what = "netlink socket"): Result<KernelNetlinkSocket, DirectorError> {
    const opened = openNetlink(protocol, what);
    if (!opened.ok) return opened;
    const name = Buffer.alloc(12);
    const length = opened.value.getName(name);
    if (length < 0) {
      opened.value.close();
      return err(systemCallError(`reading the port of the ${what}`, -length));
    }
    return ok(new KernelNetlinkSocket(opened.value, what, name.readUInt32LE(4)));
  }

  dump(request: Buffer): Result<readonly Buffer[], DirectorError> {
    let why = "";
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt += 1) {
      const outcome = this.#dumpOnce(request);
      if (!outcome.ok) return outcome;
      if ("messages" in outcome.value) return ok(outcome.value.messages);
      why = outcome.value.again;
    }
    return this.#truncated(`a dump was ${why} ${DUMP_ATTEMPTS} times in a row`);
  }

  query(request: Buffer): Result<Buffer, DirectorError> {
    const sequence = this.#stamp(request);
    // The reply is the answer; an acknowledgement behind it would only lie in the way of the next request.
    request.writeUInt16LE(request.readUInt16LE(FLAGS_OFFSET) & ~NLM_F_ACK, FLAGS_OFFSET);
    const sent = this.#socket.send(request);
    if (sent < 0) return this.#failed("sending a request", -sent);
    for (let count = 0; count < MAX_DATAGRAMS; count += 1) {
      const datagram = this.#next();
      if (!datagram.ok) return datagram;
      if (datagram.value === "truncated") return this.#truncated("a reply was cut short");
      for (const { header, message } of this.#answers(datagram.value, sequence)) {
        if (header.type !== NLMSG_ERROR) return ok(Buffer.from(message));
        const errno = decodeErrno(message);
        if (!errno.ok) return this.#truncated(errno.error.detail);
        return this.#refused(errno.value);
      }
    }
    return this.#truncated("no reply");
  }

  execute(requests: readonly Buffer[]): Result<readonly number[], DirectorError> {
    const outcomes = new Array<number>(requests.length).fill(0);
    for (let start = 0; start < requests.length; ) {
      const end = sliceEnd(requests, start);
      const slice = this.#executeSlice(requests, start, end, outcomes);
      if (!slice.ok) return slice;
      start = end;
    }
    return ok(outcomes);
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * Sends requests start..end by one sendmsg and asks for the acknowledgement of the last only: the kernel works in order
   * and reports every failure anyway, with the sequence number of the request that failed.
   */
  #executeSlice(
    requests: readonly Buffer[],
    start: number,
    end: number,
    outcomes: number[],
  ): Result<void, DirectorError> {
    const slice = requests.slice(start, end);
    const first = this.#sequence + 1;
    slice.forEach((request, index) => {
      this.#stamp(request);
      const flags = request.readUInt16LE(FLAGS_OFFSET) & ~NLM_F_ACK;
      request.writeUInt16LE(index === slice.length - 1 ? flags | NLM_F_ACK : flags, FLAGS_OFFSET);
    });
    const last = this.#sequence;
    const [only, another] = slice;
    const sent = this.#socket.send(only !== undefined && another === undefined ? only : Buffer.concat(slice));
    if (sent < 0) {
      if (sent !== -EMSGSIZE || slice.length > 1) return this.#failed(`sending ${slice.length} requests`, -sent);
      outcomes[start] = EMSGSIZE;
      return ok(undefined);
    }
    for (let count = 0; count < MAX_DATAGRAMS; count += 1) {
      const datagram = this.#next();
      if (!datagram.ok) return datagram;
      if (datagram.value === "truncated") return this.#truncated("an acknowledgement was cut short");
      for (const { header, message } of this.#answers(datagram.value, first, last)) {
        if (header.type !== NLMSG_ERROR) continue;
        const errno = decodeErrno(message);
        if (!errno.ok) return this.#truncated(errno.error.detail);
        outcomes[start + ((header.sequence - first) >>> 0)] = errno.value;
        if (header.sequence === last) return ok(undefined);
      }
    }
    return this.#truncated("no acknowledgement");
  }

  #dumpOnce(request: Buffer): Result<DumpAttempt, DirectorError> {
    this.#drain();
    const sequence = this.#stamp(request);
    const sent = this.#socket.send(request);
    if (sent < 0) return this.#failed("sending a dump request", -sent);
    const messages: Buffer[] = [];
    let again: string | undefined;
    for (let count = 0; count < MAX_DATAGRAMS; count += 1) {
      const datagram = this.#receiver.receive();
      if (typeof datagram === "number") {
        if (datagram === -ENOBUFS) return ok({ again: "overrun" });
        // The end itself was cut off.
        if (datagram === -EAGAIN && again !== undefined) return ok({ again });
        return this.#failed("reading a dump", -datagram);
      }
      if (datagram === "truncated") {
        // Go on to the end all the same: a dump that is not read to its end blocks the next one with EBUSY.
        again = "truncated";
        continue;
      }
      // The buffer is used again for the next part; one copy per part, not per message.
      for (const { header, message } of this.#answers(Buffer.from(datagram), sequence)) {
        if ((header.flags & NLM_F_DUMP_INTR) !== 0) again ??= "interrupted by changes";
        if (header.type !== NLMSG_DONE && header.type !== NLMSG_ERROR) {
          messages.push(message);
          continue;
        }
        const errno = decodeErrno(message);
        if (!errno.ok) return this.#truncated(errno.error.detail);
        if (errno.value === EBUSY) return ok({ again: "refused as busy" });
        if (errno.value !== 0) return this.#refused(errno.value);
        return ok(again === undefined ? { messages } : { again });
      }
    }
    return this.#truncated("a dump without an end");
  }

  /** Reads what an earlier, failed request left behind: an unfinished dump makes the kernel refuse the next one. */
  #drain(): void {
    for (let count = 0; count < MAX_DATAGRAMS; count += 1) {
      if (this.#receiver.receive() === -EAGAIN) return;
    }
  }

  #next(): Result<Buffer | "truncated", DirectorError> {
    const datagram = this.#receiver.receive();
    if (typeof datagram !== "number") return ok(datagram);
    return this.#failed("reading a reply", -datagram);
  }

  /** The messages of a datagram that answer requests first..last; others are late replies to earlier ones. */
  *#answers(datagram: Buffer, first: number, last = first): Generator<{ header: NetlinkHeader; message: Buffer }> {
    const messages = splitMessages(datagram);
    if (!messages.ok) return;
    for (const message of messages.value) {
      const header = decodeHeader(message);
      if (!header.ok || header.value.portId !== this.#portId) continue;
      const { sequence } = header.value;
      if (sequence >= first && sequence <= last) yield { header: header.value, message };
    }
  }

  #stamp(request: Buffer): number {
    assert(this.#sequence < 0xffff_ffff, "a netlink socket has used up its sequence numbers");
    this.#sequence += 1;
    stampMessage(request, this.#sequence, this.#portId);
    return this.#sequence;
  }

  #failed(doing: string, errno: number): Result<never, DirectorError> {
    return err(systemCallError(`${doing} on the ${this.#what}`, errno));
  }

  #refused(errno: number): Result<never, DirectorError> {
    const message = `the kernel refused a request on the ${this.#what}: ${errnoText(errno)}`;
    return err(new DirectorError("NETLINK_REFUSED", message, { errno: errnoName(errno) }));
  }

  #truncated(detail: string): Result<never, DirectorError> {
    return err(new DirectorError("NETLINK_TRUNCATED", `${this.#what}: ${detail}`, { detail }));
  }
}

/** Where a slice that begins at `start` ends: at least one request. */
function sliceEnd(requests: readonly Buffer[], start: number): number {
  let end = start;
  for (let bytes = 0; end < requests.length && end - start < REQUESTS_PER_SLICE; end += 1) {
    bytes += requests[end]?.length ?? 0;
    if (bytes > BYTES_PER_SLICE && end > start) break;
  }
  return end;
}
