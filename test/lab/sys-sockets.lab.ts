// lab-needs: netns
// Raw VRRP and packet sockets between two hosts, with tcpdump and the neighbour table as witnesses.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { formatCidr, type IpText } from "../../src/base/ip.ts";
import { openAdvertTap } from "../../src/sys/advert-tap.ts";
import { ArpAsker } from "../../src/sys/arp-asker.ts";
import { NETLINK_ROUTE } from "../../src/sys/constants.ts";
import { EEXIST } from "../../src/sys/errno.ts";
import { openFrameSocket } from "../../src/sys/frame-socket.ts";
import { KernelNetlinkSocket } from "../../src/sys/netlink-socket.ts";
import { RawVrrpSocket } from "../../src/sys/vrrp-socket.ts";
import { encodeGratuitousArp } from "../../src/vrrp/garp.ts";
import { inNamespace } from "../sys/in-namespace.ts";
import { run } from "./support/commands.ts";
import { Host } from "./support/hosts.ts";
import { waitFor } from "./support/wait.ts";
import { startCapture } from "./support/witness.ts";

/** VRRPv3, VRID 51, priority 200, 100 cs, 192.0.2.100; the sum fits 198.51.100.10 as the source. */
const ADVERT = Buffer.from("3133c80100643935c0000264", "hex");
/** Without the interface there is no way to the group. */
const ENETUNREACH = 101;

interface Heard {
  readonly message: string;
  readonly source: IpText;
  readonly destination: IpText;
  readonly ttl: number | null;
}

function indexOf(host: Host): number {
  return Number(host.exec(["cat", "/sys/class/net/lan/ifindex"]));
}

describe("raw sockets between two hosts", () => {
  let left: Host;
  let right: Host;
  const open: { close(): void }[] = [];
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "sockets-"));
    left = new Host("nat-left");
    right = new Host("nat-right");
    run(["ip", "link", "add", "lan", "netns", left.name, "type", "veth", "peer", "name", "lan", "netns", right.name]);
    left.exec(["ip", "address", "add", "198.51.100.10/24", "dev", "lan"]);
    right.exec(["ip", "address", "add", "198.51.100.20/24", "dev", "lan"]);
    for (const host of [left, right]) host.exec(["ip", "link", "set", "lan", "up"]);
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.close();
    await left.close();
    await right.close();
    rmSync(dir, { recursive: true, force: true });
  });

  function openVrrp(host: Host, heard: Heard[]): RawVrrpSocket {
    const opened = inNamespace(host.name, () =>
      RawVrrpSocket.open(
        { interfaceName: "lan", interfaceIndex: indexOf(host) },
        {
          onPacket: (packet) => heard.push({ ...packet, message: packet.message.toString("hex") }),
        },
      ),
    );
    assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
    open.push(opened.value);
    return opened.value;
  }

  function openFrames(host: Host): (frame: Buffer) => number {
    const opened = inNamespace(host.name, () =>
      openFrameSocket({ interfaceName: "lan", interfaceIndex: indexOf(host) }),
    );
    assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
    open.push(opened.value);
    return (frame) => opened.value.send(frame);
  }

  it("send an advert that tcpdump reads as one", async () => {
    const socket = openVrrp(left, []);
    const dump = right.start(["tcpdump", "-i", "lan", "-nn", "-e", "-l", "-v", "ip", "proto", "112"]);
    await dump.line(/listening on lan/);
    assert.equal(socket.send(ADVERT, "198.51.100.10"), 0);
    const header = await dump.line(/ethertype IPv4/);
    assert.match(header, new RegExp(`^\\S+ ${left.mac("lan")} > 01:00:5e:00:00:12`));
    assert.match(header, /tos 0xc0, ttl 255, .*flags \[none\], proto VRRP \(112\), length 32/);
    const body = await dump.line(/VRRPv3/);
    assert.match(
      body,
      /198\.51\.100\.10 > 224\.0\.0\.18: .*vrid 51, prio 200, intvl 100cs, length 12, addrs: 192\.0\.2\.100/,
    );
    assert.doesNotMatch(body, /bad/);
  });

  for (const udpPort of [null, 10_112]) {
    it(`know the MAC address that ${udpPort === null ? "an advert" : "a datagram"} came from, and hear nothing else`, async () => {
      const opened = inNamespace(right.name, () =>
        openAdvertTap({ interfaceName: "lan", interfaceIndex: indexOf(right), udpPort }),
      );
      assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
      const tap = opened.value;
      open.push(tap);
      assert.equal(tap.sourceMac("198.51.100.10"), null);
      assert.equal(openVrrp(left, []).send(ADVERT, "198.51.100.10"), 0);
      assert.equal(tap.sourceMac("198.51.100.10"), udpPort === null ? left.mac("lan") : null);
      const datagram = (port: number, ip: string) =>
        Buffer.from(
          `ffffffffffff${left.mac("lan").replaceAll(":", "")}080045c0001c00000000ff110000${ip}c633640b${"3039"}${port.toString(16)}00080000`,
          "hex",
        );
      const send = openFrames(left);
      for (const [port, ip] of [
        [10_112, "c6336464"],
        [10_113, "c6336465"],
      ] as const) {
        assert.equal(send(datagram(port, ip)), 0);
      }
      assert.equal(tap.sourceMac("198.51.100.100"), udpPort === null ? null : left.mac("lan"));
      assert.equal(tap.sourceMac("198.51.100.101"), null);
    });
  }

  it("hear each other with source, destination and TTL, and not themselves", async () => {
    const heardLeft: Heard[] = [];
    const heardRight: Heard[] = [];
    const socketLeft = openVrrp(left, heardLeft);
    const socketRight = openVrrp(right, heardRight);
    assert.equal(socketLeft.send(ADVERT, "198.51.100.10"), 0);
    // A source that is not the interface's own: what an owner of another address sends.
    assert.equal(socketRight.send(ADVERT.subarray(0, 8), "198.51.100.77"), 0);
    await waitFor(
      "both hear",
      () => [heardLeft, heardRight],
      (seen) => seen.every((heard) => heard.length > 0),
      {
        withinMs: 5_000,
      },
    );
    const common = { destination: "224.0.0.18", ttl: 255 };
    assert.deepEqual(heardRight, [{ ...common, message: ADVERT.toString("hex"), source: "198.51.100.10" }]);
    assert.deepEqual(heardLeft, [{ ...common, message: "3133c80100643935", source: "198.51.100.77" }]);
  });

  it("tell a TTL below 255, skip IP options and do not carry padding into the message", async () => {
    const heard: Heard[] = [];
    openVrrp(right, heard);
    const send = openFrames(left);
    const ethernet = `01005e000012${left.mac("lan").replaceAll(":", "")}0800`;
    const padding = "ee".repeat(14);
    // Total length 32, TTL 254; then total length 36 with four bytes of options (NOP).
    for (const header of [
      "45c0002000000000fe700000c633640ae0000012",
      "46c0002400000000ff700000c633640ae000001201010101",
    ]) {
      const frame = Buffer.from(`${ethernet}${withChecksum(header)}${ADVERT.toString("hex")}${padding}`, "hex");
      assert.equal(send(frame), 0);
    }
    await waitFor(
      "both packets",
      () => heard,
      (seen) => seen.length === 2,
      { withinMs: 5_000 },
    );
    const common = { message: ADVERT.toString("hex"), source: "198.51.100.10", destination: "224.0.0.18" };
    assert.deepEqual(heard, [
      { ...common, ttl: 254 },
      { ...common, ttl: 255 },
    ]);
  });

  it("hand over at most 64 packets in one turn of the event loop, and all that wait when drained", async () => {
    const heard: Heard[] = [];
    const sender = openVrrp(left, []);
    const receiver = openVrrp(right, heard);
    const sendMany = (count: number): void => {
      for (let sent = 0; sent < count; sent += 1) assert.equal(sender.send(ADVERT, "198.51.100.10"), 0);
    };
    sendMany(100);
    await nextTurn();
    assert.equal(heard.length, 64);
    await nextTurn();
    assert.equal(heard.length, 100);
    sendMany(100);
    receiver.drain();
    assert.equal(heard.length, 200);
    assert.deepEqual(receiver.counters, { sendErrors: 0, receiveErrors: 0, malformed: 0 });
  });

  it("do not hear VRRP of another interface", async () => {
    const heard: Heard[] = [];
    openVrrp(right, heard);
    right.exec(["ip", "link", "add", "other", "type", "veth", "peer", "name", "lan2", "netns", left.name]);
    right.exec(["ip", "link", "set", "other", "up"]);
    left.exec(["ip", "link", "set", "lan2", "up"]);
    const onOther: Heard[] = [];
    const opened = inNamespace(right.name, () =>
      RawVrrpSocket.open(
        { interfaceName: "other", interfaceIndex: Number(right.exec(["cat", "/sys/class/net/other/ifindex"])) },
        { onPacket: (packet) => onOther.push({ ...packet, message: "" }) },
      ),
    );
    assert.ok(opened.ok);
    open.push(opened.value);
    const sender = inNamespace(left.name, () =>
      RawVrrpSocket.open(
        { interfaceName: "lan2", interfaceIndex: Number(left.exec(["cat", "/sys/class/net/lan2/ifindex"])) },
        { onPacket: () => undefined },
      ),
    );
    assert.ok(sender.ok);
    open.push(sender.value);
    assert.equal(sender.value.send(ADVERT, "198.51.100.10"), 0);
    await waitFor(
      "the other interface hears",
      () => onOther.length,
      (count) => count === 1,
      { withinMs: 5_000 },
    );
    assert.equal(heard.length, 0);
  });

  it("survive that the interface goes down and comes back", async () => {
    const heard: Heard[] = [];
    const sender = openVrrp(left, []);
    const receiver = openVrrp(right, heard);
    for (const host of [right, left]) host.exec(["ip", "link", "set", "lan", "down"]);
    assert.equal(sender.send(ADVERT, "198.51.100.10"), ENETUNREACH);
    assert.equal(sender.counters.sendErrors, 1);
    await nextTurn();
    for (const host of [right, left]) host.exec(["ip", "link", "set", "lan", "up"]);
    await waitFor(
      "packets arrive again",
      () => {
        sender.send(ADVERT, "198.51.100.10");
        return heard.length;
      },
      (count) => count > 0,
      { withinMs: 5_000 },
    );
    assert.ok(receiver.counters.receiveErrors <= 1);
  });

  it("say which interface is missing", () => {
    const opened = inNamespace(left.name, () =>
      RawVrrpSocket.open({ interfaceName: "nowhere", interfaceIndex: 99 }, { onPacket: () => undefined }),
    );
    assert.ok(!opened.ok);
    assert.match(opened.error.message, /nowhere failed: ENODEV/);
  });

  it("move a neighbour's entry by gratuitous ARP, also within a second of its last update", async () => {
    const send = openFrames(left);
    right.exec(["ping", "-c", "1", "-W", "5", "198.51.100.10"]);
    const neighbour = (): string | undefined => {
      const entries = JSON.parse(right.exec(["ip", "-j", "neigh", "show", "198.51.100.10", "dev", "lan"])) as {
        lladdr?: string;
      }[];
      return entries[0]?.lladdr;
    };
    assert.equal(neighbour(), left.mac("lan"));
    for (const mac of ["02:00:00:00:00:99", "02:00:00:00:00:98"]) {
      assert.equal(send(encodeGratuitousArp(mac, "198.51.100.10")), 0);
      await waitFor("the neighbour moves", neighbour, (seen) => seen === mac, { withinMs: 2_000 });
    }
  });

  for (const prefixLength of [32, 24]) {
    it(`without a packet socket, have the kernel send gratuitous ARP for a /${prefixLength}, whatever arp_announce says`, async () => {
      const held = { address: "198.51.100.100", prefixLength };
      const present = () => left.addresses("lan").filter((cidr) => cidr.startsWith("198."));
      left.sysctl({ "net.ipv4.conf.lan.arp_announce": "2" });
      left.addAddress(formatCidr(held), "lan");
      const before = present();
      const neighbour = () => right.exec(["ip", "neigh", "show", held.address]);
      // Another one has had it until now, and has just been heard.
      right.exec([
        "ip",
        "neigh",
        "replace",
        held.address,
        "lladdr",
        "02:00:00:00:00:99",
        "dev",
        "lan",
        "nud",
        "reachable",
      ]);
      const capture = await startCapture(right, join(dir, `arp-${prefixLength}.pcap`), "lan", "arp");
      const opened = inNamespace(left.name, () => KernelNetlinkSocket.open(NETLINK_ROUTE, "announcing"));
      assert.ok(opened.ok);
      open.push(opened.value);
      assert.equal(new ArpAsker({ netlink: opened.value }).announce(indexOf(left), held), 0);
      assert.match(neighbour(), new RegExp(`lladdr ${left.mac("lan")} `));
      assert.deepEqual(present(), before);
      assert.equal(left.exec(["ip", "neigh", "show", held.address]), "");
      const announced = (await capture.stop()).filter((line) =>
        line.includes(`Request who-has ${held.address} tell ${held.address},`),
      );
      assert.equal(announced.length, 5);
      assert.equal((await right.execAsync(["ping", "-c", "1", "-W", "5", held.address])).status, 0);

      // Where somebody else has put that second entry, nothing is announced, and it stays.
      left.addAddress(`${held.address}/${prefixLength === 32 ? 31 : 32}`, "lan");
      const both = present();
      assert.equal(new ArpAsker({ netlink: opened.value }).announce(indexOf(left), held), EEXIST);
      assert.deepEqual(present(), both);
    });
  }
});

/** Fills in the checksum of an IPv4 header, which a receiving kernel verifies. */
function withChecksum(header: string): string {
  const bytes = Buffer.from(header, "hex");
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  bytes.writeUInt16BE(~sum & 0xffff, 10);
  return bytes.toString("hex");
}
