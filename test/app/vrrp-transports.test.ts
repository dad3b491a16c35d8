import assert from "node:assert/strict";
import { instanceKey, serviceFactKey } from "../../src/app/messages.ts";
import type { InstanceKeys, KeyBytes } from "../../src/config/keys.ts";
import type { HmacConfig, InstanceConfig, TransportConfig } from "../../src/config/model.ts";
import type { ReceivedPacket } from "../../src/ports/packet-socket.ts";
import { encodeAdvert } from "../../src/vrrp/advert.ts";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { instance, VirtualSegment } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const VIP = "192.0.2.10/24";
const GROUP = "224.0.0.18";
const PORT = 1112;

const key = (id: number): KeyBytes => ({ id, hex: id.toString(16).padStart(2, "0").repeat(32) });
const KEY_1 = key(1);
const KEY_2 = key(2);

function hmac(change: Partial<HmacConfig> = {}): HmacConfig {
  return { mode: "enforce", keys: [], activeKey: 1, replay: "time", windowS: 5, ...change };
}

type Kind = TransportConfig["type"];
const KINDS: readonly Kind[] = ["multicast", "unicast", "udp"];

function transportTo(kind: Kind, peer: string): TransportConfig {
  if (kind === "multicast") return { type: kind };
  const peers = [{ address: peer, minTtl: 255 }];
  return kind === "unicast" ? { type: kind, peers } : { type: kind, port: PORT, peers };
}

const statusOf = (director: VirtualDirector) => {
  const status = director.states.get(instanceKey("web4"));
  assert.ok(status !== undefined);
  return status;
};

/** What was dropped so far; the counters are as of the last publication, so ask for one. */
function rejected(director: VirtualDirector): Readonly<Record<string, number>> {
  director.router.publishAll();
  return statusOf(director).counters.rejected;
}

describe("vrrp transports: two directors on a virtual segment", () => {
  let time: VirtualTime;
  let segment: VirtualSegment;
  let lb1: VirtualDirector;
  let lb2: VirtualDirector;

  beforeEach(() => {
    time = new VirtualTime();
    segment = new VirtualSegment(time);
    lb1 = segment.join("lb1", 11);
    lb2 = segment.join("lb2", 12);
  });

  function configOf(director: VirtualDirector, kind: Kind, change: Partial<InstanceConfig> = {}): InstanceConfig {
    const peer = director === lb1 ? lb2 : lb1;
    return instance(director === lb1 ? 200 : 100, { transport: transportTo(kind, peer.address), ...change });
  }

  function configure(
    director: VirtualDirector,
    kind: Kind,
    auth: HmacConfig | null = null,
    keys?: readonly KeyBytes[],
  ) {
    const all: InstanceKeys = keys === undefined ? {} : { web4: keys };
    director.router.configure({ instances: [configOf(director, kind, { hmac: auth })], keys: all });
  }

  function startPair(kind: Kind, auth: HmacConfig | null = null, keys?: readonly KeyBytes[]): void {
    for (const director of [lb1, lb2]) configure(director, kind, auth, keys);
    time.advance(5 * SECOND);
    assert.deepEqual([lb1.phase, lb2.phase], ["master", "backup"]);
  }

  /** The last advert of lb1 as lb2 would receive it, with changes. */
  function packet(kind: Kind, change: Partial<ReceivedPacket> = {}): ReceivedPacket {
    const message = lb1.sent.at(-1);
    assert.ok(message !== undefined);
    const destination = kind === "multicast" ? GROUP : lb2.address;
    return { message, source: lb1.address, destination, ttl: kind === "udp" ? null : 255, ...change };
  }

  /** An unsigned advert of priority 254 that says it is of `source`. */
  function forged(source: string, destination: string): Buffer {
    const advert = { vrid: 51, priority: 254, intervalCs: 100, addresses: ["192.0.2.10"] };
    return Buffer.from(encodeAdvert(advert, "pseudo-header", { source, destination }));
  }

  for (const kind of KINDS) {
    for (const auth of [null, hmac()]) {
      it(`${kind}, ${auth === null ? "unsigned" : "signed"}: takes over from a master that is cut off, and gives way`, () => {
        startPair(kind, auth, [KEY_1]);
        lb1.cable = false;
        time.advance(4 * SECOND);
        assert.deepEqual(lb2.held, [VIP]);
        lb1.cable = true;
        time.advance(3 * SECOND);
        assert.deepEqual([lb1.held, lb2.held], [[VIP], []]);
        for (const director of [lb1, lb2]) assert.deepEqual(rejected(director), {});
      });

      it(`${kind}, ${auth === null ? "unsigned" : "signed"}: hands over on a stop`, () => {
        startPair(kind, auth, [KEY_1]);
        void lb1.router.stop();
        time.advance(609_375 + 200);
        assert.deepEqual([lb1.held, lb2.held], [[], [VIP]]);
        assert.deepEqual(rejected(lb2), {});
      });
    }
  }

  it("sends a copy to each peer, with a checksum for it and one signature for all", () => {
    const peers = [lb2.address, "198.51.100.13"].map((address) => ({ address, minTtl: 255 }));
    const transport: TransportConfig = { type: "unicast", peers };
    lb1.router.configure({ instances: [instance(255, { transport, hmac: hmac() })], keys: { web4: [KEY_1] } });
    const [first, second] = lb1.sent;
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(lb1.sent.length, 2);
    assert.notDeepEqual(first.subarray(6, 8), second.subarray(6, 8));
    assert.deepEqual(first.subarray(8), second.subarray(8));
    assert.equal(first.length, 12 + 28);
  });

  for (const [mode, isSigned] of [
    ["receive-only", false],
    ["permissive", true],
    ["enforce", true],
  ] as const) {
    it(`status tells the transport, and whether adverts are signed: ${mode}`, () => {
      configure(lb1, "unicast", hmac({ mode }), [KEY_1]);
      const { transport, isSigned: told } = statusOf(lb1);
      assert.deepEqual([transport, told], ["unicast", isSigned]);
      configure(lb1, "udp");
      assert.deepEqual([statusOf(lb1).transport, statusOf(lb1).isSigned], ["udp", false]);
    });
  }

  it("two instances share a UDP port", () => {
    const other = { name: "mail", vrid: 52, addresses: [{ address: "192.0.2.30", prefixLength: 32 }] };
    lb1.router.configure({ instances: [configOf(lb1, "udp")] });
    lb2.router.configure({ instances: [configOf(lb2, "udp"), configOf(lb2, "udp", other)] });
    time.advance(5 * SECOND);
    assert.deepEqual([lb1.held, lb2.held], [[VIP], ["192.0.2.30/32"]]);
  });

  for (const [kind, port, what] of [
    ["unicast", PORT, "a datagram to the UDP port of another instance"],
    ["udp", null, "protocol 112"],
  ] as const) {
    it(`${kind} does not listen to ${what}`, () => {
      const other = { name: "mail", vrid: 52, addresses: [{ address: "192.0.2.30", prefixLength: 32 }] };
      const otherKind = kind === "udp" ? "unicast" : "udp";
      lb1.router.configure({ instances: [configOf(lb1, kind)] });
      lb2.router.configure({ instances: [configOf(lb2, kind), configOf(lb2, otherKind, other)] });
      time.advance(5 * SECOND);
      lb2.router.publishAll();
      const before = statusOf(lb2);
      const message = forged(lb1.address, lb2.address);
      lb2.arrive(packet(kind, { message, ttl: port === null ? 255 : null }), port);
      lb2.router.publishAll();
      const after = statusOf(lb2);
      assert.deepEqual(after.counters.rejected, before.counters.rejected);
      assert.equal(after.counters.strayPackets, before.counters.strayPackets + 1);
      assert.equal(after.heard?.priority, 200);
    });
  }

  it("moves its UDP socket to a new primary address, and is in fault without one", () => {
    startPair("udp");
    lb1.setLink({ primaryIpv4: null });
    assert.equal(statusOf(lb1).reason, "interface has no IPv4 address");
    lb1.setLink({ primaryIpv4: lb1.address });
    time.advance(5 * SECOND);
    assert.deepEqual([lb1.phase, lb2.phase], ["master", "backup"]);
  });

  it("is in fault while the UDP port cannot be bound, and tries again", () => {
    lb1.refuseSockets = true;
    configure(lb1, "udp");
    time.advance(5 * SECOND);
    assert.equal(statusOf(lb1).reason, "interface cannot be opened");
    lb1.refuseSockets = false;
    time.advance(5 * SECOND);
    assert.equal(lb1.phase, "master");
  });

  it("changes its transport with a reload, without leaving its phase", () => {
    startPair("multicast");
    for (const director of [lb1, lb2]) configure(director, "unicast");
    time.advance(10 * SECOND);
    for (const director of [lb1, lb2]) configure(director, "udp");
    time.advance(10 * SECOND);
    assert.deepEqual([lb1.held, lb2.held], [[VIP], []]);
    for (const director of [lb1, lb2]) assert.ok(statusOf(director).counters.becameMaster <= 1);
    assert.equal(statusOf(lb2).counters.becameMaster, 0);
  });

  for (const kind of KINDS) {
    it(`${kind}: what strangers send changes nothing and is counted`, () => {
      startPair(kind, hmac(), [KEY_1]);
      const port = kind === "udp" ? PORT : null;
      const send = (change: Partial<ReceivedPacket>) => lb2.arrive(packet(kind, change), port);
      const { destination, message: good } = packet(kind);
      send({});
      send({ message: forged(lb1.address, destination) });
      const wrongKey = Buffer.from(good);
      wrongKey.writeUInt8(wrongKey.readUInt8(wrongKey.length - 1) ^ 1, wrongKey.length - 1);
      send({ message: wrongKey });
      const unknownKey = Buffer.from(good);
      unknownKey.writeUInt8(9, 13);
      send({ message: unknownKey });
      send({ source: "198.51.100.66" });
      assert.deepEqual(rejected(lb2), {
        auth_replay: 1,
        auth_missing: 1,
        auth_unknown_key: 1,
        ...(kind === "multicast" ? { auth_bad_hmac: 2 } : { auth_bad_hmac: 1, unknown_peer: 1 }),
      });
      time.advance(10 * SECOND);
      const old = packet(kind);
      time.advance(10 * SECOND);
      lb2.arrive(old, port);
      assert.equal(rejected(lb2).auth_stale, 1);
      assert.deepEqual([lb1.phase, lb2.phase], ["master", "backup"]);
      assert.deepEqual([statusOf(lb2).heard?.address, statusOf(lb2).heard?.priority], [lb1.address, 200]);
    });
  }

  /** Reloads the two in both orders, one second and some apart, so that adverts pass at every mixture of settings. */
  function rollOut(kind: Kind, steps: readonly (readonly [HmacConfig, readonly KeyBytes[]])[]): void {
    for (const [index, [auth, keys]] of steps.entries()) {
      for (const director of index % 2 === 0 ? [lb1, lb2] : [lb2, lb1]) {
        configure(director, kind, auth, keys);
        time.advance(2.3 * SECOND);
      }
    }
    for (const director of [lb1, lb2]) assert.deepEqual(rejected(director), {}, director.name);
    assert.deepEqual([statusOf(lb1).counters.becameMaster, statusOf(lb2).counters.becameMaster], [1, 0]);
  }

  /** Every advert of lb1 reached lb2: none was lost between two settings. */
  function assertNoneLost(): void {
    const { advertsSent } = statusOf(lb1).counters;
    const { advertsReceived } = statusOf(lb2).counters;
    assert.equal(advertsReceived, advertsSent);
  }

  for (const kind of KINDS) {
    it(`${kind}: rolls authentication out without a lost advert`, () => {
      startPair(kind);
      rollOut(kind, [
        [hmac({ mode: "receive-only" }), [KEY_1]],
        [hmac({ mode: "permissive" }), [KEY_1]],
        [hmac({ mode: "enforce" }), [KEY_1]],
      ]);
      assertNoneLost();
      assert.equal(lb1.sent.at(-1)?.length, 12 + 28);
      lb2.arrive(
        packet(kind, { message: forged(lb1.address, packet(kind).destination) }),
        kind === "udp" ? PORT : null,
      );
      assert.deepEqual(rejected(lb2), { auth_missing: 1 }, "and it protects then");
    });

    it(`${kind}: rotates the key without a lost advert`, () => {
      startPair(kind, hmac(), [KEY_1]);
      rollOut(kind, [
        [hmac(), [KEY_1, KEY_2]],
        [hmac({ activeKey: 2 }), [KEY_1, KEY_2]],
        [hmac({ activeKey: 2 }), [KEY_2]],
      ]);
      assertNoneLost();
      assert.equal(lb1.sent.at(-1)?.readUInt8(13), 2, "signed by the new key");
    });
  }

  it("udp: lets the event loop read what waits before it takes over, and takes over if nothing does", async () => {
    startPair("udp");
    lb2.drainsLater = true;
    const turns = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    lb2.stall();
    time.advance(10 * SECOND);
    lb2.resume(false);
    await turns();
    assert.deepEqual([lb1.held, lb2.held, lb2.phase], [[VIP], [], "backup"]);
    assert.equal(statusOf(lb2).counters.becameMaster, 0);
    lb1.cable = false;
    time.advance(4 * SECOND);
    assert.deepEqual(lb2.held, [], "not before it has looked");
    await turns();
    assert.deepEqual(lb2.held, [VIP]);
  });

  it("udp: an instance that ends while it looks stays ended", async () => {
    startPair("udp");
    lb2.drainsLater = true;
    lb1.cable = false;
    time.advance(4 * SECOND);
    lb2.router.shutdown();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.deepEqual(lb2.held, []);
  });

  it("a reload of the keys sends no advert, and what was heard before is still a repeat", () => {
    startPair("multicast", hmac({ replay: "monotonic" }), [KEY_1]);
    const sent = lb1.sent.length;
    const old = packet("multicast");
    for (const director of [lb1, lb2]) configure(director, "multicast", hmac({ replay: "monotonic" }), [KEY_1, KEY_2]);
    assert.equal(lb1.sent.length, sent);
    lb2.arrive(old);
    assert.deepEqual(rejected(lb2), { auth_replay: 1 });
  });

  it("a reload that replaces the key and takes the instance out of service says goodbye by the new key", () => {
    startPair("multicast", hmac(), [KEY_1]);
    configure(lb2, "multicast", hmac({ activeKey: 2 }), [KEY_2]);
    lb1.facts.set(serviceFactKey("web"), { type: "service", serving: 0, servers: 3 });
    const track = { interfaces: [], scripts: [], services: [{ service: "web", quorum: 1, weight: null }] };
    const config = configOf(lb1, "multicast", { hmac: hmac({ activeKey: 2 }), track });
    lb1.router.configure({ instances: [config], keys: { web4: [KEY_2] } });
    assert.deepEqual([lb1.phase, lb1.held], ["fault", []]);
    const goodbye = lb1.sent.at(-1);
    assert.deepEqual([goodbye?.readUInt8(2), goodbye?.readUInt8(13)], [0, 2], "priority 0, key 2");
    time.advance(SECOND);
    assert.equal(lb2.phase, "master");
    assert.deepEqual(rejected(lb2), {});
  });

  it("a reload that replaces the key, and a transport that cannot be opened", () => {
    startPair("multicast", hmac(), [KEY_1]);
    lb1.refuseSockets = true;
    configure(lb1, "udp", hmac({ activeKey: 2 }), [KEY_2]);
    assert.deepEqual([lb1.phase, lb1.held], ["fault", []]);
    lb1.refuseSockets = false;
    time.advance(10 * SECOND);
    assert.equal(lb1.phase, "master");
    assert.equal(lb1.sent.at(-1)?.readUInt8(13), 2, "signed by the new key");
  });

  it("says once in which way a clock differs, and shows no key to anybody", () => {
    startPair("unicast", hmac({ windowS: 60 }), [KEY_1]);
    segment.wire = { carry: () => [] };
    const wallMs = time.wallMs.bind(time);
    for (const driftMs of [40_000, 41_000]) {
      time.advance(SECOND);
      time.wallMs = () => wallMs() + driftMs;
      lb2.arrive(packet("unicast"));
      time.wallMs = wallMs;
    }
    assert.deepEqual(rejected(lb2), {});
    const warnings = lb2.log.filter(({ message }) => message.includes("clock")).map(({ message }) => message);
    assert.equal(warnings.length, 1, "once");
    assert.match(
      warnings[0] ?? "",
      /the clock of 198\.51\.100\.11 is 4[01]s behind ours; adverts are refused beyond 60s: set both by NTP$/,
    );
    const text = JSON.stringify([lb1.log, lb2.log, [...lb1.states], [...lb2.states]]);
    for (const { hex } of [KEY_1, KEY_2]) assert.ok(!text.includes(hex));
  });
});
