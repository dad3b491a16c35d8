import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AF_INET, AF_UNIX, SOCK_DGRAM } from "../../src/sys/constants.ts";
import { EADDRNOTAVAIL, errnoName, errnoText, systemCallError } from "../../src/sys/errno.ts";
import { openServiceManager } from "../../src/sys/sd-notify.ts";
import { sockaddrIp, sockaddrLink, sockaddrNetlink, sockaddrUnix } from "../../src/sys/sockaddr.ts";
import { Socket } from "../../src/sys/socket.ts";

function openUnix(): Socket {
  const opened = Socket.open(AF_UNIX, SOCK_DGRAM, 0, "test socket");
  assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
  return opened.value;
}

function receiveText(socket: Socket): string {
  const data = Buffer.alloc(256);
  const length = socket.receive(data, null, { addressLength: 0, flags: 0 });
  assert.ok(length >= 0, errnoText(-length));
  return data.toString("utf8", 0, length);
}

describe("errno", () => {
  it("has the names that the kernel's headers have", () => {
    assert.equal(errnoName(99), "EADDRNOTAVAIL");
    assert.equal(errnoName(11), "EAGAIN");
    assert.equal(EADDRNOTAVAIL, 99);
    assert.equal(errnoText(111), "ECONNREFUSED (connection refused)");
    assert.equal(errnoText(4242), "errno 4242");
  });

  it("tells a missing privilege from other failures", () => {
    assert.equal(systemCallError("binding", 1).code, "PRIVILEGE_MISSING");
    assert.equal(systemCallError("binding", 98).code, "SYSTEM_CALL_FAILED");
  });
});

describe("socket addresses", () => {
  it("are laid out as the kernel reads them", () => {
    assert.equal(sockaddrIp("192.0.2.1", 80).toString("hex"), "02000050c00002010000000000000000");
    const v6 = sockaddrIp("2001:db8::1", 443);
    assert.equal(v6.toString("hex"), "0a0001bb0000000020010db800000000000000000000000100000000");
    assert.equal(sockaddrNetlink(7, 1).toString("hex"), "100000000700000001000000");
    assert.equal(sockaddrLink(5, 0x0806).toString("hex"), `1100080605000000${"00".repeat(12)}`);
    assert.equal(sockaddrUnix("/a").toString("hex"), "01002f6100");
    assert.equal(sockaddrUnix("@a").toString("hex"), "01000061");
    assert.throws(() => sockaddrUnix("x".repeat(108)), /108/);
  });
});

describe("socket", () => {
  it("closes itself when a step of setting it up fails, and names the step", () => {
    const socket = openUnix();
    const configured = socket.configure([["binding", (it) => it.bind(sockaddrIp("192.0.2.1", 1))]]);
    assert.ok(!configured.ok);
    assert.match(configured.error.message, /^binding on the test socket failed: EINVAL/);
    assert.equal(socket.isOpen, false);
  });

  it("may be closed twice, and touches nobody else's descriptor afterwards", () => {
    const socket = openUnix();
    assert.ok(socket.watch(() => undefined).ok);
    socket.close();
    const next = openUnix();
    socket.close();
    assert.equal(socket.send(Buffer.from("x")), -9);
    assert.equal(next.bind(sockaddrUnix(`@holdfast-test-${process.pid}-next`)), 0);
    next.close();
  });

  it("reports what cannot be opened", () => {
    const opened = Socket.open(AF_INET, 99, 0, "nonsense");
    assert.ok(!opened.ok);
    assert.equal(opened.error.code, "SYSTEM_CALL_FAILED");
    assert.match(opened.error.message, /nonsense/);
  });
});

describe("service manager", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-notify-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  for (const kind of ["a path", "an abstract name"]) {
    it(`is told over a socket with ${kind}`, () => {
      const name = kind === "a path" ? join(folder, "notify") : `@holdfast-test-${process.pid}-notify`;
      const receiver = openUnix();
      assert.equal(receiver.bind(sockaddrUnix(name)), 0);
      const manager = openServiceManager(name);
      assert.ok(manager.ok);
      assert.ok(manager.value.notify("READY=1", "STATUS=two\nlines").ok);
      assert.equal(receiveText(receiver), "READY=1\nSTATUS=two lines\n");
      receiver.close();
      const failed = manager.value.notify("WATCHDOG=1");
      assert.ok(!failed.ok);
      assert.match(failed.error.message, /ECONNREFUSED/);
      manager.value.close();
    });
  }

  it("is nobody without NOTIFY_SOCKET, and cannot be at a name that is none", () => {
    for (const unset of [undefined, ""]) {
      const manager = openServiceManager(unset);
      assert.ok(manager.ok && manager.value.notify("READY=1").ok);
    }
    for (const wrong of ["relative", "/", `/${"x".repeat(107)}`]) {
      assert.equal(openServiceManager(wrong).ok, false, wrong);
    }
  });
});
