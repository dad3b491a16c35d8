import assert from "node:assert/strict";
import type { TransportConfig } from "../../src/config/model.ts";
import { type AcceptRules, acceptPacket, type IncomingPacket, type RejectReason } from "../../src/vrrp/accept.ts";
import { encodeAdvert } from "../../src/vrrp/advert.ts";
import type { AuthReject } from "../../src/vrrp/hmac.ts";

const OWN = "198.51.100.10";
const PEER = "198.51.100.11";
const GROUP = "224.0.0.18";
const TRAILER = Buffer.alloc(28, 0xee);

const multicast: TransportConfig = { type: "multicast" };
const unicast: TransportConfig = { type: "unicast", peers: [{ address: PEER, minTtl: 253 }] };
const udp: TransportConfig = { type: "udp", port: 1112, peers: [{ address: PEER, minTtl: 255 }] };

interface Change {
  readonly source?: string;
  readonly destination?: string;
  readonly ttl?: number | null;
  readonly trailer?: Buffer;
  /** What is done to the message after its checksum was made. */
  readonly spoil?: (message: Buffer) => Buffer;
}

function packetFor(transport: TransportConfig, change: Change = {}): IncomingPacket {
  const source = change.source ?? PEER;
  const destination = change.destination ?? (transport.type === "multicast" ? GROUP : OWN);
  const advert = { vrid: 51, priority: 100, intervalCs: 100, addresses: ["192.0.2.100"] };
  const message = Buffer.from(encodeAdvert(advert, "pseudo-header", { source, destination }));
  const spoilt = change.spoil?.(message) ?? message;
  const ttl = change.ttl === undefined ? (transport.type === "udp" ? null : 255) : change.ttl;
  return { message: Buffer.concat([spoilt, change.trailer ?? Buffer.alloc(0)]), source, destination, ttl };
}

function flip(at: number, mask: number): (message: Buffer) => Buffer {
  return (message) => {
    message.writeUInt8(message.readUInt8(at) ^ mask, at);
    return message;
  };
}

/** Counts how often the digest was asked for, and answers as told; unsigned passes. */
function rules(transport: TransportConfig, answer?: AuthReject | null) {
  const asked: { readonly message: number; readonly trailer: number | null }[] = [];
  const authenticate =
    answer === undefined
      ? null
      : (message: Uint8Array, trailer: Uint8Array | null): AuthReject | null => {
          asked.push({ message: message.length, trailer: trailer?.length ?? null });
          return answer;
        };
  return { asked, rules: { transport, authenticate } satisfies AcceptRules };
}

describe("receive validation by transport", () => {
  const cases: readonly (readonly [string, TransportConfig, Change, RejectReason | "ok"])[] = [
    ["multicast, TTL 255", multicast, {}, "ok"],
    ["multicast, TTL 254", multicast, { ttl: 254 }, "ttl"],
    ["multicast, sent to us alone", multicast, { destination: OWN }, "cast_mismatch"],
    ["unicast, the lowest TTL of the peer", unicast, { ttl: 253 }, "ok"],
    ["unicast, below it", unicast, { ttl: 252 }, "ttl"],
    ["unicast, sent to the group", unicast, { destination: GROUP }, "cast_mismatch"],
    ["unicast, a stranger", unicast, { source: "198.51.100.12" }, "unknown_peer"],
    ["unicast, a stranger from afar", unicast, { source: "203.0.113.9", ttl: 3 }, "unknown_peer"],
    ["unicast, ourselves", unicast, { source: OWN }, "unknown_peer"],
    ["udp, TTL not told", udp, {}, "ok"],
    ["udp, a stranger", udp, { source: "198.51.100.12" }, "unknown_peer"],
    ["a trailer that is not expected", multicast, { trailer: TRAILER }, "packet_length"],
    ["a wrong length before a wrong TTL", multicast, { ttl: 1, trailer: TRAILER }, "packet_length"],
    ["a wrong TTL before a wrong version", multicast, { ttl: 1, spoil: flip(0, 0x70) }, "ttl"],
    ["a wrong version before a wrong checksum", multicast, { spoil: flip(0, 0x70) }, "version"],
    ["a wrong type before a wrong checksum", multicast, { spoil: flip(0, 0x02) }, "type"],
    ["a wrong checksum before the wrong cast", multicast, { destination: OWN, spoil: flip(2, 1) }, "checksum"],
  ];
  for (const [what, transport, change, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      const outcome = acceptPacket(packetFor(transport, change), OWN, rules(transport).rules);
      assert.equal(outcome.ok ? "ok" : outcome.error, expected);
    });
  }

  it("hears its own multicast packet as such", () => {
    const own = acceptPacket(packetFor(multicast, { source: OWN }), OWN, rules(multicast).rules);
    assert.deepEqual(own, { ok: false, error: "self" });
  });
});

describe("receive validation with signed adverts", () => {
  it("parts the trailer from the message", () => {
    const { rules: asking, asked } = rules(multicast, null);
    assert.ok(acceptPacket(packetFor(multicast, { trailer: TRAILER }), OWN, asking).ok);
    assert.ok(acceptPacket(packetFor(multicast), OWN, asking).ok);
    assert.deepEqual(asked, [
      { message: 12, trailer: 28 },
      { message: 12, trailer: null },
    ]);
  });

  for (const bytes of [27, 29]) {
    it(`refuses ${bytes} bytes in place of a trailer as a length`, () => {
      const { rules: asking, asked } = rules(multicast, null);
      const packet = packetFor(multicast, { trailer: Buffer.alloc(bytes) });
      assert.deepEqual(acceptPacket(packet, OWN, asking), { ok: false, error: "packet_length" });
      assert.deepEqual(asked, []);
    });
  }

  // The third column: whether the digest was looked at, which uses up the sequence.
  const order: readonly (readonly [string, TransportConfig, Change, AuthReject | null, RejectReason, boolean])[] = [
    ["a wrong TTL comes before", multicast, { ttl: 254 }, "auth_bad_hmac", "ttl", false],
    ["a wrong version comes before", multicast, { spoil: flip(0, 0x70) }, "auth_bad_hmac", "version", false],
    ["a stranger comes before", unicast, { source: "198.51.100.12" }, "auth_bad_hmac", "unknown_peer", false],
    ["the refusal counts", multicast, {}, "auth_replay", "auth_replay", true],
    ["a wrong type comes after", multicast, { spoil: flip(0, 0x02) }, null, "type", true],
    ["a wrong checksum comes after", multicast, { spoil: flip(6, 1) }, null, "checksum", true],
    ["the wrong cast comes after", multicast, { destination: OWN }, null, "cast_mismatch", true],
  ];
  for (const [what, transport, change, answer, expected, isAsked] of order) {
    it(`${what}: ${expected}`, () => {
      const { rules: asking, asked } = rules(transport, answer);
      const outcome = acceptPacket(packetFor(transport, { trailer: TRAILER, ...change }), OWN, asking);
      assert.deepEqual(outcome, { ok: false, error: expected });
      assert.equal(asked.length > 0, isAsked);
    });
  }

  it("a stranger without a trailer is missing one where that is asked, and is no peer otherwise", () => {
    const packet = packetFor(udp, { source: "198.51.100.12" });
    assert.deepEqual(acceptPacket(packet, OWN, rules(udp, "auth_missing").rules), { ok: false, error: "auth_missing" });
    assert.deepEqual(acceptPacket(packet, OWN, rules(udp, null).rules), { ok: false, error: "unknown_peer" });
  });
});
