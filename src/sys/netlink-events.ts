import type { DirectorError } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import { splitMessages } from "../netlink/message.ts";
import { NETLINK_ADD_MEMBERSHIP, SOL_NETLINK } from "./constants.ts";
import { EAGAIN } from "./errno.ts";
import { NetlinkReceiver, openNetlink } from "./netlink-socket.ts";
import type { Socket } from "./socket.ts";

/** Datagrams handled before other events get their turn. */
const DATAGRAMS_PER_CALLBACK = 64;
/** Datagrams thrown away after an overrun: more than any receive queue holds. */
const MAX_DISCARDED = 100_000;

/**
 * A subscription to netlink multicast groups. Events come one by one; when the kernel had to drop some, because this process
 * was too slow for a flood of them, `onOverrun` says so: what is known is stale then and must be read anew by a dump.
 */
export class NetlinkEvents {
  readonly #socket: Socket;
  readonly #receiver: NetlinkReceiver;
  readonly #onMessage: (message: Buffer) => void;
  readonly #onOverrun: () => void;
  #overruns = 0;

  private constructor(socket: Socket, onMessage: (message: Buffer) => void, onOverrun: () => void) {
    this.#socket = socket;
    this.#receiver = new NetlinkReceiver(socket);
    this.#onMessage = onMessage;
    this.#onOverrun = onOverrun;
  }

  /**
   * @param options.groups multicast groups by number, RTNLGRP_*
   * @param collaborators.onMessage one message; the bytes are valid during the call only
   */
  static open(
    options: { readonly protocol: number; readonly groups: readonly number[]; readonly what: string },
    collaborators: { readonly onMessage: (message: Buffer) => void; readonly onOverrun: () => void },
  ): Result<NetlinkEvents, DirectorError> {
    const opened = openNetlink(options.protocol, options.what);
    if (!opened.ok) return opened;
    const joined = opened.value.configure(
      options.groups.map((group) => [
        `joining multicast group ${group}`,
        (socket) => socket.setOption(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group),
      ]),
    );
    if (!joined.ok) return joined;
    const events = new NetlinkEvents(joined.value, collaborators.onMessage, collaborators.onOverrun);
    const watched = joined.value.watch((status) => events.#onReadable(status));
    if (!watched.ok) {
      joined.value.close();
      return err(watched.error);
    }
    return ok(events);
  }

  /** How often events were lost. */
  get overruns(): number {
    return this.#overruns;
  }

  /** Handles what waits, without waiting for the event loop; for a caller that is about to act on what it knows. */
  drain(): void {
    this.#receive(MAX_DISCARDED);
  }

  close(): void {
    this.#socket.close();
  }

  #onReadable(status: number): void {
    this.#receive(DATAGRAMS_PER_CALLBACK);
    // An overrun shows as an error on the socket, and libuv stops watching sockets with errors.
    if (status < 0 && this.#socket.isOpen) this.#socket.rearm();
  }

  #receive(limit: number): void {
    for (let count = 0; count < limit; count += 1) {
      if (!this.#socket.isOpen) return;
      const datagram = this.#receiver.receive();
      if (datagram === -EAGAIN) return;
      const messages = typeof datagram === "object" ? splitMessages(datagram) : undefined;
      if (messages === undefined || !messages.ok) {
        this.#overrun();
        return;
      }
      for (const message of messages.value) {
        if (this.#socket.isOpen) this.#onMessage(message);
      }
    }
  }

  /** What still waits is older than the dump that follows. */
  #overrun(): void {
    this.#overruns += 1;
    for (let count = 0; count < MAX_DISCARDED && this.#receiver.receive() !== -EAGAIN; count += 1);
    this.#onOverrun();
  }
}
