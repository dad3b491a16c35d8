import { Buffer } from "node:buffer";
import { createConnection } from "node:net";
import type { DirectorError } from "../base/director-error.ts";
import type { Endpoint } from "../base/endpoint.ts";
import { familyOf } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ConnectAttempt, ConnectOutcome, TcpConnector } from "../ports/tcp-connector.ts";
import {
  AF_INET,
  AF_INET6,
  EPOLL_CTL_ADD,
  EPOLLERR,
  EPOLLHUP,
  EPOLLOUT,
  SO_ERROR,
  SO_LINGER,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  UV_READABLE,
} from "./constants.ts";
import { EINPROGRESS, errnoName, systemCallError } from "./errno.ts";
import { loadNative, type Native } from "./native.ts";
import { sockaddrIp } from "./sockaddr.ts";

/** Pairs of events and token that one epoll_wait returns at most. */
const EVENTS_PER_WAIT = 256;
/** Calls of epoll_wait before other events get their turn. */
const WAITS_PER_CALLBACK = 8;
/** struct linger {on, 0 seconds}: close sends RST, so that no connection lingers in TIME_WAIT. */
const RESET_ON_CLOSE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
const CONNECTED: ConnectOutcome = { type: "connected" };

/** One connection of the epoll connector, from the call to its outcome. */
class Attempt implements ConnectAttempt {
  readonly token: number;
  readonly fd: number;
  readonly done: (outcome: ConnectOutcome) => void;
  readonly #drop: (attempt: Attempt) => boolean;

  constructor(token: number, fd: number, done: (outcome: ConnectOutcome) => void, drop: (attempt: Attempt) => boolean) {
    this.token = token;
    this.fd = fd;
    this.done = done;
    this.#drop = drop;
  }

  cancel(): void {
    this.#drop(this);
  }
}

interface Address {
  readonly family: number;
  readonly bytes: Buffer;
}

/**
 * Connects on sockets of its own, all in one epoll instance that the event loop watches: one callback for a batch of
 * outcomes, and none of the objects that net.Socket needs per connection.
 */
export class EpollTcpConnector implements TcpConnector {
  readonly #native: Native;
  readonly #epoll: number;
  readonly #ready = new Uint32Array(2 * EVENTS_PER_WAIT);
  readonly #error = Buffer.alloc(4);
  /** By token; as many as attempts under way, which RLIMIT_NOFILE bounds. */
  readonly #attempts = new Map<number, Attempt>();
  /** A check asks for the same object each time; gone with it. */
  readonly #addresses = new WeakMap<Endpoint, Address>();
  #lastToken = 0;

  private constructor(native: Native, epoll: number) {
    this.#native = native;
    this.#epoll = epoll;
  }

  static open(): Result<EpollTcpConnector, DirectorError> {
    const loaded = loadNative();
    if (!loaded.ok) return loaded;
    const native = loaded.value;
    const epoll = native.epoll_create1(0);
    if (epoll < 0) return err(systemCallError("epoll_create1 for TCP checks", -epoll));
    const connector = new EpollTcpConnector(native, epoll);
    const watched = native.watch(epoll, () => connector.#onReady());
    if (watched < 0) {
      native.close(epoll);
      return err(systemCallError("watching the epoll instance for TCP checks", -watched));
    }
    native.arm(epoll, UV_READABLE);
    native.hold(epoll, false);
    return ok(connector);
  }

  connect(target: Endpoint, done: (outcome: ConnectOutcome) => void): ConnectAttempt {
    const native = this.#native;
    const { family, bytes } = this.#addressOf(target);
    const fd = native.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return soon(failed(-fd), done);
    native.setsockopt(fd, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE);
    const status = native.connect(fd, bytes);
    if (status !== -EINPROGRESS) {
      native.close(fd);
      return soon(status === 0 ? CONNECTED : failed(-status), done);
    }
    const token = this.#nextToken();
    const added = native.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, EPOLLOUT, token);
    if (added < 0) {
      native.close(fd);
      return soon(failed(-added), done);
    }
    const attempt = new Attempt(token, fd, done, this.#drop);
    if (this.#attempts.size === 0) native.hold(this.#epoll, true);
    this.#attempts.set(token, attempt);
    return attempt;
  }

  /** Ends every attempt as failed. */
  close(): void {
    for (const attempt of [...this.#attempts.values()]) this.#settle(attempt, { type: "failed", errno: "ECANCELED" });
    this.#native.unwatch(this.#epoll);
    this.#native.close(this.#epoll);
  }

  #addressOf(target: Endpoint): Address {
    const known = this.#addresses.get(target);
    if (known !== undefined) return known;
    const family = familyOf(target.address) === 4 ? AF_INET : AF_INET6;
    const address = { family, bytes: sockaddrIp(target.address, target.port) };
    this.#addresses.set(target, address);
    return address;
  }

  /** A token names an attempt and is not used again soon: an event that was collected before a close finds nobody. */
  #nextToken(): number {
    do this.#lastToken = (this.#lastToken + 1) >>> 0;
    while (this.#attempts.has(this.#lastToken));
    return this.#lastToken;
  }

  #onReady(): void {
    for (let waits = 0; waits < WAITS_PER_CALLBACK; waits += 1) {
      const count = this.#native.epoll_wait(this.#epoll, this.#ready, 0);
      for (let at = 0; at < 2 * count; at += 2) {
        this.#onEvent(this.#ready[at] ?? 0, this.#ready[at + 1] ?? 0);
      }
      if (count < EVENTS_PER_WAIT) return;
    }
  }

  #onEvent(events: number, token: number): void {
    const attempt = this.#attempts.get(token);
    if (attempt === undefined) return;
    if ((events & (EPOLLERR | EPOLLHUP)) === 0) {
      this.#settle(attempt, CONNECTED);
      return;
    }
    const status = this.#native.getsockopt(attempt.fd, SOL_SOCKET, SO_ERROR, this.#error);
    const errno = status < 0 ? -status : this.#error.readInt32LE(0);
    this.#settle(attempt, errno === 0 ? CONNECTED : failed(errno));
  }

  #settle(attempt: Attempt, outcome: ConnectOutcome): void {
    if (this.#drop(attempt)) attempt.done(outcome);
  }

  /** Forgets an attempt and closes its socket. @returns whether it was under way */
  readonly #drop = (attempt: Attempt): boolean => {
    if (!this.#attempts.delete(attempt.token)) return false;
    // Closing takes the descriptor out of the epoll instance.
    this.#native.close(attempt.fd);
    if (this.#attempts.size === 0) this.#native.hold(this.#epoll, false);
    return true;
  };
}

/** The same by node:net, where the addon is missing. */
export class NodeTcpConnector implements TcpConnector {
  connect(target: Endpoint, done: (outcome: ConnectOutcome) => void): ConnectAttempt {
    const socket = createConnection({ host: target.address, port: target.port });
    let isOver = false;
    const settle = (outcome: ConnectOutcome): void => {
      if (isOver) return;
      isOver = true;
      if (outcome.type === "connected") socket.resetAndDestroy();
      else socket.destroy();
      done(outcome);
    };
    socket.once("connect", () => settle(CONNECTED));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      settle({ type: "failed", errno: error.code ?? error.message }),
    );
    return {
      cancel: () => {
        isOver = true;
        socket.destroy();
      },
    };
  }
}

/** The cheaper one where it can be had. */
export function openTcpConnector(): TcpConnector & { close?(): void } {
  const connector = EpollTcpConnector.open();
  return connector.ok ? connector.value : new NodeTcpConnector();
}

function failed(errno: number): ConnectOutcome {
  return { type: "failed", errno: errnoName(errno) };
}

/** Tells an outcome that was known at once, after the call as the contract has it. */
function soon(outcome: ConnectOutcome, done: (outcome: ConnectOutcome) => void): ConnectAttempt {
  let isCancelled = false;
  queueMicrotask(() => {
    if (!isCancelled) done(outcome);
  });
  return {
    cancel: () => {
      isCancelled = true;
    },
  };
}
