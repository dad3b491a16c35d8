import { Buffer } from "node:buffer";
import type { DirectorError, Facts } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import { SOCK_NONBLOCK, UV_READABLE } from "./constants.ts";
import { systemCallError } from "./errno.ts";
import { loadNative, type Native } from "./native.ts";

/** What recvmsg told besides the bytes. */
export interface ReceiveFacts {
  addressLength: number;
  flags: number;
}

/**
 * One descriptor, nonblocking, close-on-exec. Calls return the system call's value or -errno, as the addon does;
 * setting up goes through `configure`, which closes the socket when a step fails. Close ends the watch first and may be
 * called twice; after it every call gives -EBADF from the kernel, because the number is gone.
 */
export class Socket {
  readonly #native: Native;
  readonly #what: string;
  readonly #facts = new Int32Array(3);
  #fd: number;
  #isWatched = false;

  private constructor(native: Native, fd: number, what: string) {
    this.#native = native;
    this.#fd = fd;
    this.#what = what;
  }

  /** @param what for error messages: `VRRP socket on eth0` */
  static open(domain: number, type: number, protocol: number, what: string): Result<Socket, DirectorError> {
    const native = loadNative();
    if (!native.ok) return native;
    const fd = native.value.socket(domain, type | SOCK_NONBLOCK, protocol);
    if (fd < 0) return err(systemCallError(`opening the ${what}`, -fd));
    return ok(new Socket(native.value, fd, what));
  }

  get fd(): number {
    return this.#fd;
  }

  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  bind(address: Uint8Array): number {
    return this.#native.bind(this.#fd, address);
  }

  connect(address: Uint8Array): number {
    return this.#native.connect(this.#fd, address);
  }

  /** @param value a C int, or the bytes of a structure */
  setOption(level: number, name: number, value: number | Uint8Array): number {
    return this.#native.setsockopt(this.#fd, level, name, typeof value === "number" ? int(value) : value);
  }

  /** @param program classic BPF, 8 bytes an instruction; packets that it refuses never reach this socket */
  attachFilter(program: Uint8Array): number {
    return this.#native.attach_filter(this.#fd, program);
  }

  /** Fills `address`; returns its length. */
  getName(address: Uint8Array): number {
    return this.#native.getsockname(this.#fd, address);
  }

  send(data: Uint8Array, address: Uint8Array | null = null, flags = 0): number {
    return this.#native.sendmsg(this.#fd, data, address, null, flags);
  }

  /** Fills `data`, `address` and `facts`; returns the bytes received, or more than `data` holds with MSG_TRUNC in flags. */
  receive(data: Uint8Array, address: Uint8Array | null, facts: ReceiveFacts, flags = 0): number {
    const received = this.#native.recvmsg(this.#fd, data, address, null, this.#facts, flags);
    facts.addressLength = this.#facts[0] ?? 0;
    facts.flags = this.#facts[2] ?? 0;
    return received;
  }

  /**
   * Calls back while there is something to read. A negative status (the kernel reported an error on the socket) has
   * stopped the watch: read until EAGAIN to learn the errno, then `rearm`.
   */
  watch(onReadable: (status: number) => void): Result<void, DirectorError> {
    const status = this.#native.watch(this.#fd, onReadable);
    if (status < 0) return err(systemCallError(`watching the ${this.#what}`, -status));
    this.#isWatched = true;
    return this.rearm();
  }

  rearm(): Result<void, DirectorError> {
    const status = this.#native.arm(this.#fd, UV_READABLE);
    return status < 0 ? err(systemCallError(`watching the ${this.#what}`, -status)) : ok(undefined);
  }

  /** Stops or resumes keeping the process alive for this watch. */
  hold(on: boolean): void {
    this.#native.hold(this.#fd, on);
  }

  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    if (this.#isWatched) this.#native.unwatch(fd);
    this.#native.close(fd);
  }

  /**
   * Runs steps of setting up in order; the first that returns -errno closes the socket.
   * @param steps [what is done, `joining 224.0.0.18`; the call]
   */
  configure(
    steps: readonly (readonly [string, (socket: Socket) => number])[],
    facts: Facts = {},
  ): Result<Socket, DirectorError> {
    for (const [doing, step] of steps) {
      const status = step(this);
      if (status < 0) {
        this.close();
        return err(systemCallError(`${doing} on the ${this.#what}`, -status, facts));
      }
    }
    return ok(this);
  }
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value, 0);
  return bytes;
}
