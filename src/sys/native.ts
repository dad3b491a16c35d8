import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { endianness } from "node:os";
import { fileURLToPath } from "node:url";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";

/**
 * The system calls of native/holdfast.c. Each returns the call's value or -errno, and throws a TypeError for arguments
 * of the wrong kind. Descriptors are close-on-exec.
 */
export interface Native {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  /** Throws while the descriptor is watched. */
  close(fd: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** Classic BPF: 1 to 4,096 instructions of 8 bytes (struct sock_filter). */
  attach_filter(fd: number, program: Uint8Array): number;
  /** Returns the length of the value. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** Returns the length of the address. */
  getsockname(fd: number, address: Uint8Array): number;
  sendmsg(fd: number, data: Uint8Array, address: Uint8Array | null, control: Uint8Array | null, flags: number): number;
  /** Fills data, address and control; `facts`: length of the address, length of control, flags (MSG_TRUNC ...). */
  recvmsg(
    fd: number,
    data: Uint8Array,
    address: Uint8Array | null,
    control: Uint8Array | null,
    facts: Int32Array,
    flags: number,
  ): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epfd: number, op: number, fd: number, events: number, data: number): number;
  /** Fills pairs of events and data; at most 256 pairs a call. Returns the number of pairs. */
  epoll_wait(epfd: number, ready: Uint32Array, timeoutMs: number): number;
  timerfd_create(clock: number, flags: number): number;
  /** One expiry; 0, 0 disarms. An expiry that nobody has read is forgotten. */
  timerfd_settime(fd: number, flags: number, seconds: number, nanoseconds: number): number;
  /** pid is the number of a thread; 0 is the calling one. */
  sched_setscheduler(pid: number, policy: number, priority: number): number;
  /** Ranges of this process's own memory, as /proc/self/maps tells them. Those of V8 must not be locked. */
  mlock(address: number, length: number): number;
  munlock(address: number, length: number): number;
  /** Moves the calling thread only: sockets opened here follow, Node's thread pool (files, DNS) does not. */
  setns(fd: number, type: number): number;
  /** Registers the callback for a descriptor, one each, not armed yet. A negative status means that the watch stopped itself. */
  watch(fd: number, callback: (status: number, events: number) => void): number;
  /** A sum of 1 readable, 2 writable; level-triggered; 0 pauses. */
  arm(fd: number, events: number): number;
  /** Whether the watch keeps the event loop alive; it does until told otherwise. */
  hold(fd: number, on: boolean): number;
  unwatch(fd: number): number;
}

/** The checkout's or package's native/ folder: this file runs as a part of dist/ or as .build/src/sys/native.js. */
const CANDIDATES = ["../native/holdfast.node", "../../native/holdfast.node", "../../../native/holdfast.node"];

function load(): Result<Native, DirectorError> {
  // Netlink and socket structures are written little-endian throughout.
  if (endianness() !== "LE") return err(new DirectorError("ADDON_MISSING", "big-endian machines are not supported"));
  const paths = CANDIDATES.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    return err(
      new DirectorError("ADDON_MISSING", `the native addon is missing: no ${paths.join(", no ")}`, {
        paths: paths.join(" "),
      }),
    );
  }
  try {
    return ok(createRequire(import.meta.url)(path) as Native);
  } catch (thrown) {
    return err(
      new DirectorError("ADDON_MISSING", `the native addon ${path} does not load`, { path }, messageOf(thrown)),
    );
  }
}

let loaded: Result<Native, DirectorError> | undefined;

/** Loads the addon on first use; the answer stays. Only those who open such sockets need it. */
export function loadNative(): Result<Native, DirectorError> {
  loaded ??= load();
  return loaded;
}
