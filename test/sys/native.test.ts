import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import fc from "fast-check";
import { AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK, SOL_SOCKET, UV_READABLE } from "../../src/sys/constants.ts";
import { EAGAIN, EEXIST, ENOENT } from "../../src/sys/errno.ts";
import { loadNative, type Native } from "../../src/sys/native.ts";
import { sockaddrUnix } from "../../src/sys/sockaddr.ts";

const EBADF = 9;
type AnyCall = (...args: readonly unknown[]) => number;

function native(): Native {
  const loaded = loadNative();
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.message);
  return loaded.value;
}

/** A number that no descriptor of this process has. */
function unusedDescriptor(): number {
  const fd = openSync("/dev/null", "r");
  closeSync(fd);
  return fd + 1000;
}

describe("native addon", () => {
  const fd = unusedDescriptor();
  /** Right arguments that the kernel refuses: nothing here can block, change this process or end it. */
  const refused: Readonly<Record<string, readonly unknown[]>> = {
    socket: [-1, SOCK_DGRAM, 0],
    bind: [fd, Buffer.alloc(16)],
    connect: [fd, Buffer.alloc(16)],
    close: [fd],
    setsockopt: [fd, SOL_SOCKET, 2, Buffer.alloc(4)],
    getsockopt: [fd, SOL_SOCKET, 2, Buffer.alloc(4)],
    getsockname: [fd, Buffer.alloc(16)],
    sendmsg: [fd, Buffer.alloc(4), null, null, 0],
    recvmsg: [fd, Buffer.alloc(4), Buffer.alloc(16), Buffer.alloc(16), new Int32Array(3), 0],
    epoll_ctl: [fd, 1, fd, 1, 0],
    epoll_wait: [fd, new Uint32Array(8), 0],
    timerfd_create: [-1, 0],
    timerfd_settime: [fd, 0, 0, 0],
    sched_setscheduler: [0, -1, 0],
    mlock: [4096, 4096],
    munlock: [4096, 4096],
    setns: [fd, 0],
    watch: [fd, () => undefined],
    arm: [fd, 1],
    hold: [fd, true],
    unwatch: [fd],
  };

  it("gives a negative errno where the kernel refuses", () => {
    const calls = native() as unknown as Record<string, AnyCall>;
    for (const [name, args] of Object.entries(refused)) {
      const result = calls[name]?.(...args);
      assert.ok(typeof result === "number" && result < 0, `${name} gave ${result}`);
    }
  });

  it("throws a TypeError for an argument of the wrong kind, in any position", () => {
    const calls = native() as unknown as Record<string, AnyCall>;
    const wrong = fc.oneof(
      fc.string(),
      fc.bigInt(),
      fc.constantFrom<unknown>(
        Number.NaN,
        0.5,
        2 ** 33,
        -(2 ** 33),
        Number.POSITIVE_INFINITY,
        {},
        [],
        [1, 2, 3],
        Symbol("x"),
        new ArrayBuffer(8),
        new Float64Array(4),
        new Uint16Array(4),
        new DataView(new ArrayBuffer(8)),
        new Proxy(Buffer.alloc(4), {}),
        { length: 4, 0: 1 },
        new Date(0),
      ),
    );
    for (const [name, args] of Object.entries(refused)) {
      fc.assert(
        fc.property(fc.nat(args.length - 1), wrong, (position, value) => {
          // Seconds, addresses and lengths take more than 32 bits.
          const isWide = (name === "timerfd_settime" && position === 2) || /^mu?n?lock$/.test(name);
          fc.pre(!(isWide && value === 2 ** 33));
          const mixed = args.map((arg, index) => (index === position ? value : arg));
          assert.throws(() => calls[name]?.(...mixed), TypeError, `${name} with ${fc.stringify(value)} at ${position}`);
        }),
        { numRuns: 60 },
      );
      assert.throws(() => calls[name]?.(), TypeError, `${name} without arguments`);
    }
  });

  it("refuses arrays that are too small or too long, options that hold pointers, and takes a detached one as empty", () => {
    const calls = native();
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    assert.equal(calls.sendmsg(fd, detached, null, null, 0), -EBADF);
    assert.throws(() => calls.recvmsg(fd, Buffer.alloc(1), null, null, new Int32Array(2), 0), /at least 3/);
    assert.throws(() => calls.epoll_wait(fd, new Uint32Array(1), 0), /at least 2/);
    assert.throws(() => calls.bind(fd, Buffer.alloc(129)), /128/);
    assert.throws(() => calls.getsockopt(fd, 6, 35, Buffer.alloc(64)), /pointers/);
    assert.throws(() => calls.setsockopt(fd, 0, 64, Buffer.alloc(64)), /pointers/);
  });

  it("watches a descriptor once, refuses to close it meanwhile, and survives an unwatch in its own callback", (done) => {
    const calls = native();
    const name = `@holdfast-test-${process.pid}-watch`;
    const socket = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert.ok(socket >= 0);
    assert.equal(calls.bind(socket, sockaddrUnix(name)), 0);
    assert.equal(calls.arm(socket, UV_READABLE), -ENOENT);
    let count = 0;
    const onReadable = (status: number, events: number): void => {
      count += 1;
      assert.deepEqual([status, events], [0, UV_READABLE]);
      assert.equal(calls.unwatch(socket), 0);
      assert.equal(calls.close(socket), 0);
      // What the event loop still knew of the descriptor would show in its next turns.
      setImmediate(() =>
        setImmediate(() => {
          assert.equal(count, 1);
          done();
        }),
      );
    };
    assert.equal(calls.watch(socket, onReadable), 0);
    assert.equal(calls.watch(socket, onReadable), -EEXIST);
    assert.throws(() => calls.close(socket), /unwatched/);
    assert.equal(calls.arm(socket, UV_READABLE), 0);
    const sender = calls.socket(AF_UNIX, SOCK_DGRAM, 0);
    assert.equal(calls.sendmsg(sender, Buffer.from("x"), sockaddrUnix(name), null, 0), 1);
    calls.close(sender);
  });

  it("writes only into the array, and tells the true length of a datagram that did not fit", () => {
    const calls = native();
    const name = `@holdfast-test-${process.pid}-trunc`;
    const receiver = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert.equal(calls.bind(receiver, sockaddrUnix(name)), 0);
    const facts = new Int32Array(3);
    assert.equal(calls.recvmsg(receiver, Buffer.alloc(2), null, null, facts, 0), -EAGAIN);
    const sender = calls.socket(AF_UNIX, SOCK_DGRAM, 0);
    calls.sendmsg(sender, Buffer.from("12345"), sockaddrUnix(name), null, 0);
    const data = Buffer.from("....");
    assert.equal(calls.recvmsg(receiver, data.subarray(0, 2), null, null, facts, 0x20), 5);
    assert.equal(facts[2], 0x20);
    assert.equal(data.toString(), "12..");
    calls.close(sender);
    calls.close(receiver);
  });

  it("opens, watches and closes descriptors without losing one", () => {
    const calls = native();
    const before = calls.socket(AF_INET, SOCK_DGRAM, 0);
    calls.close(before);
    for (let count = 0; count < 5_000; count += 1) {
      const socket = calls.socket(AF_INET, SOCK_DGRAM, 0);
      assert.equal(
        calls.watch(socket, () => undefined),
        0,
      );
      calls.arm(socket, UV_READABLE);
      calls.unwatch(socket);
      calls.close(socket);
    }
    const after = calls.socket(AF_INET, SOCK_DGRAM, 0);
    calls.close(after);
    assert.equal(after, before);
  });
});
