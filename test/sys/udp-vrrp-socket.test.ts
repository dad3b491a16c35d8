import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { stat } from "node:fs";
import type { ReceivedPacket } from "../../src/ports/packet-socket.ts";
import { UdpVrrpSocket } from "../../src/sys/udp-vrrp-socket.ts";

const LEFT = "127.0.0.11";
const RIGHT = "127.0.0.12";

/** A port that is free on both addresses now. */
async function freePort(): Promise<number> {
  const probe = createSocket("udp4");
  probe.bind(0, "0.0.0.0");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

describe("VRRP over UDP", () => {
  const open: UdpVrrpSocket[] = [];
  let port: number;

  beforeEach(async () => {
    port = await freePort();
  });
  afterEach(() => {
    for (const socket of open.splice(0)) socket.close();
  });

  function openOn(address: string, onPacket: (packet: ReceivedPacket) => void = () => undefined): UdpVrrpSocket {
    const opened = UdpVrrpSocket.open({ address, port }, { onPacket });
    assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
    open.push(opened.value);
    return opened.value;
  }

  it("is bound when it has been opened, and tells why it could not be", () => {
    openOn(LEFT);
    const again = UdpVrrpSocket.open({ address: LEFT, port }, { onPacket: () => undefined });
    assert.equal(again.ok, false);
    assert.match(
      again.error.message,
      new RegExp(`^binding the VRRP socket to ${LEFT} UDP port ${port} failed: EADDRINUSE`),
    );
    const foreign = UdpVrrpSocket.open({ address: "192.0.2.1", port }, { onPacket: () => undefined });
    assert.equal(foreign.ok, false);
    assert.match(foreign.error.message, /EADDRNOTAVAIL/);
  });

  it("hears who sent what, without a TTL", async () => {
    const heard = new Promise<ReceivedPacket>((resolve) => openOn(RIGHT, resolve));
    openOn(LEFT).send(Buffer.from("advert"), LEFT, RIGHT);
    const { message, ...rest } = await heard;
    assert.equal(message.toString(), "advert");
    assert.deepEqual(rest, { source: LEFT, destination: RIGHT, ttl: null });
  });

  it("has sent what it was given when it is closed at once: the last words of a master", async () => {
    const heard = new Promise<string>((resolve) => openOn(RIGHT, ({ message }) => resolve(message.toString())));
    const sender = openOn(LEFT);
    sender.send(Buffer.from("goodbye"), LEFT, RIGHT);
    sender.close();
    assert.equal(await heard, "goodbye");
    assert.equal(sender.send(Buffer.from("x"), LEFT, RIGHT), 0, "closed, it does nothing");
  });

  it("drains what waits, also what arrived while this process was busy in the same turn", async () => {
    let count = 0;
    const receiver = openOn(RIGHT, () => {
      count += 1;
    });
    const sender = openOn(LEFT);
    for (const burst of [1, 100]) {
      count = 0;
      // All of this turn: the kernel has them, the event loop has not polled since.
      for (let sent = 0; sent < burst; sent += 1) sender.send(Buffer.from("advert"), LEFT, RIGHT);
      assert.equal(count, 0);
      await receiver.drain();
      assert.equal(count, burst);
    }
  });

  it("drains what arrived after the poll whose events are being worked off", async () => {
    let count = 0;
    const receiver = openOn(RIGHT, () => {
      count += 1;
    });
    const sender = openOn(LEFT);
    await new Promise<void>((resolve) => {
      // An input callback belongs to the poll phase, as an alarm does: one immediate would come before the next poll.
      stat(".", () => {
        sender.send(Buffer.from("advert"), LEFT, RIGHT);
        resolve(receiver.drain());
      });
    });
    assert.equal(count, 1);
  });

  it("counts what the kernel would not send", async () => {
    const sender = openOn(LEFT);
    sender.send(Buffer.alloc(70_000), LEFT, RIGHT);
    await sender.drain();
    assert.equal(sender.counters.sendErrors, 1);
  });
});
