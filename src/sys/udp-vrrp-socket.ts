import type { Buffer } from "node:buffer";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import type { DirectorError } from "../base/director-error.ts";
import type { IpText } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ReceivedPacket, VrrpSocket } from "../ports/packet-socket.ts";
import { systemCallError } from "./errno.ts";

const TTL = 255;
/**
 * Poll rounds of one drain. libuv reads 32 datagrams of a socket in a round, and the default receive buffer holds less than
 * 300.
 */
const ROUNDS_PER_DRAIN = 16;

/** Counts since the socket was opened. */
export interface UdpVrrpSocketCounters {
  /** Sends that the kernel refused; the next advert repairs it. */
  readonly sendErrors: number;
  /** Errors reported on receiving. */
  readonly receiveErrors: number;
}

/**
 * VRRP messages in UDP datagrams between configured addresses, by node:dgram alone: no addon, no privilege. Names are never
 * looked up: with a lookup that answers at once, binding and sending happen within the call.
 */
export class UdpVrrpSocket implements VrrpSocket {
  readonly #socket: Socket;
  readonly #address: IpText;
  readonly #port: number;
  readonly #onPacket: (packet: ReceivedPacket) => void;
  readonly #counters = { sendErrors: 0, receiveErrors: 0 };
  /** The first error of binding; later ones are of receiving. */
  #bindErrno = 0;
  #isBound = false;
  #isOpen = true;
  #received = 0;

  private constructor(address: IpText, port: number, onPacket: (packet: ReceivedPacket) => void) {
    this.#address = address;
    this.#port = port;
    this.#onPacket = onPacket;
    this.#socket = createSocket({ type: "udp4", lookup: (host, _family, tell) => tell(null, host, 4) });
    this.#socket.on("listening", () => {
      this.#isBound = true;
    });
    this.#socket.on("error", (error) => this.#failed(error));
    this.#socket.on("message", (message, from) => this.#deliver(message, from));
  }

  /** @param options.address own address that peers send to, and the source of what is sent */
  static open(
    options: { readonly address: IpText; readonly port: number },
    collaborators: { readonly onPacket: (packet: ReceivedPacket) => void },
  ): Result<UdpVrrpSocket, DirectorError> {
    const { address, port } = options;
    const opened = new UdpVrrpSocket(address, port, collaborators.onPacket);
    opened.#socket.bind({ address, port, exclusive: true });
    if (!opened.#isBound) {
      opened.close();
      return err(systemCallError(`binding the VRRP socket to ${address} UDP port ${port}`, opened.#bindErrno));
    }
    opened.#socket.setTTL(TTL);
    return ok(opened);
  }

  get counters(): UdpVrrpSocketCounters {
    return { ...this.#counters };
  }

  /** What the kernel refuses is counted here: node:dgram tells it after the call. */
  send(message: Buffer, _source: IpText, destination: IpText): number {
    if (!this.#isOpen) return 0;
    this.#socket.send(message, this.#port, destination, (error) => {
      if (error !== null) this.#counters.sendErrors += 1;
    });
    return 0;
  }

  /** node:dgram cannot be read by a call: lets the event loop poll until a round brings nothing. */
  async drain(): Promise<void> {
    for (let round = 0; round < ROUNDS_PER_DRAIN; round += 1) {
      const before = this.#received;
      await pollRound();
      if (!this.#isOpen || this.#received === before) return;
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }

  #failed(error: Error): void {
    if (this.#isBound) this.#counters.receiveErrors += 1;
    else if ("errno" in error && typeof error.errno === "number") this.#bindErrno = -error.errno;
  }

  #deliver(message: Buffer, from: RemoteInfo): void {
    this.#received += 1;
    this.#onPacket({ message, source: from.address, destination: this.#address, ttl: null });
  }
}

/**
 * The next poll phase of the event loop and what it reads. The first immediate may still belong to the round that is being
 * worked off, whose poll was before whatever is waited for; between the first and the second there is a poll.
 */
function pollRound(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
