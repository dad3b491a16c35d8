import assert from "node:assert/strict";
import fc from "fast-check";
import { acceptPacket } from "../../src/vrrp/accept.ts";
import { type Advert, decodeAdvert, encodeAdvert, type PacketAddresses } from "../../src/vrrp/advert.ts";
import { internetChecksum } from "../../src/vrrp/checksum.ts";

const MULTICAST = "224.0.0.18";
const sheet: PacketAddresses = { source: "198.51.100.10", destination: MULTICAST };
const peer: PacketAddresses = { source: "198.51.100.11", destination: MULTICAST };

function advert(vrid: number, priority: number, intervalCs: number, ...addresses: string[]): Advert {
  return { vrid, priority, intervalCs, addresses };
}

/** Bytes that independent implementations sent or accepted; see each name. */
const GOLDEN = [
  {
    name: "D: RFC 9568 sum",
    hex: "3133c80100644402c0000264",
    form: "message-only",
    at: sheet,
    advert: advert(51, 200, 100, "192.0.2.100"),
  },
  {
    name: "D0: leaving, RFC 9568 sum",
    hex: "3133000100640c03c0000264",
    form: "message-only",
    at: sheet,
    advert: advert(51, 0, 100, "192.0.2.100"),
  },
  {
    name: "E: pseudo-header sum",
    hex: "3133c80100643935c0000264",
    form: "pseudo-header",
    at: sheet,
    advert: advert(51, 200, 100, "192.0.2.100"),
  },
  {
    name: "E2: pseudo-header sum over a unicast destination",
    hex: "3133c8010064573dc0000264",
    form: "pseudo-header",
    at: { source: "198.51.100.10", destination: "192.0.2.10" },
    advert: advert(51, 200, 100, "192.0.2.100"),
  },
  {
    name: "F: owner, 10 cs, two addresses",
    hex: "3107ff02000a4b21c0000264c0000265",
    form: "message-only",
    at: sheet,
    advert: advert(7, 255, 10, "192.0.2.100", "192.0.2.101"),
  },
  {
    name: "F2: as F with pseudo-header",
    hex: "3107ff02000aa88cc0000264c0000265",
    form: "pseudo-header",
    at: { source: "192.0.2.1", destination: MULTICAST },
    advert: advert(7, 255, 10, "192.0.2.100", "192.0.2.101"),
  },
  {
    name: "keepalived 2.2.7 on the wire",
    hex: "3104c8010064395fc0000268",
    form: "pseudo-header",
    at: peer,
    advert: advert(4, 200, 100, "192.0.2.104"),
  },
  {
    name: "keepalived 2.2.7 leaving",
    hex: "3104000100640160c0000268",
    form: "pseudo-header",
    at: peer,
    advert: advert(4, 0, 100, "192.0.2.104"),
  },
  {
    name: "keepalived 2.4.3 with message-only sum",
    hex: "3105c8010064442bc0000269",
    form: "message-only",
    at: peer,
    advert: advert(5, 200, 100, "192.0.2.105"),
  },
  {
    name: "keepalived at 10 cs, two addresses",
    hex: "3106c802000a773bc000026ac0000274",
    form: "pseudo-header",
    at: peer,
    advert: advert(6, 200, 10, "192.0.2.106", "192.0.2.116"),
  },
  {
    name: "FRR 8.4.4 on the wire",
    hex: "3133640100649d34c0000264",
    form: "pseudo-header",
    at: { source: "198.51.100.11", destination: MULTICAST },
    advert: advert(51, 100, 100, "192.0.2.100"),
  },
] as const;

const anyIpv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join("."));
const anyAdvert = fc.record(
  {
    vrid: fc.integer({ min: 1, max: 255 }),
    priority: fc.integer({ min: 0, max: 255 }),
    intervalCs: fc.integer({ min: 1, max: 4095 }),
    addresses: fc.array(anyIpv4, { minLength: 1, maxLength: 20 }),
  },
  { noNullPrototype: true },
);

describe("vrrp advert codec", () => {
  for (const { name, hex, form, at, advert } of GOLDEN) {
    it(`encodes and decodes ${name}`, () => {
      assert.equal(encodeAdvert(advert, form, at).toString("hex"), hex);
      assert.deepEqual(decodeAdvert(Buffer.from(hex, "hex"), at), {
        ok: true,
        value: { ...advert, checksumForm: form },
      });
    });
  }

  const E = "3133c80100643935c0000264";
  /** Changes one byte and repairs the message-only checksum, so that only the changed field can be at fault. */
  function withByte(hex: string, index: number, value: number): Buffer {
    const bytes = Buffer.from(hex, "hex");
    bytes[index] = value;
    bytes.writeUInt16BE(0, 6);
    bytes.writeUInt16BE(internetChecksum(bytes), 6);
    return bytes;
  }
  const NEGATIVE: readonly (readonly [string, Buffer, string])[] = [
    ["an empty message", Buffer.alloc(0), "packet_length"],
    ["seven bytes", Buffer.from(E, "hex").subarray(0, 7), "packet_length"],
    ["one byte less than its addresses", Buffer.from(E, "hex").subarray(0, 11), "packet_length"],
    ["one byte more", Buffer.from(`${E}00`, "hex"), "packet_length"],
    ["a trailer of 28 bytes", Buffer.concat([Buffer.from(E, "hex"), Buffer.alloc(28)]), "packet_length"],
    ["version 4", withByte(E, 0, 0x41), "version"],
    ["version 2", withByte(E, 0, 0x21), "version"],
    ["type 2", withByte(E, 0, 0x32), "type"],
    ["VRID 0", withByte(E, 1, 0), "vrid"],
    ["no addresses", withByte(E.slice(0, 16), 3, 0), "address_count"],
    ["a wrong sum", Buffer.from("3133c80100643936c0000264", "hex"), "checksum"],
    ["a zero sum", Buffer.from("3133c80100640000c0000264", "hex"), "checksum"],
    ["interval 0", withByte(E, 5, 0), "interval_zero"],
  ];
  for (const [name, bytes, code] of NEGATIVE) {
    it(`refuses ${name} as ${code}`, () => assert.deepEqual(decodeAdvert(bytes, sheet), { ok: false, error: code }));
  }

  it("ignores the reserved bits, as peers do", () => {
    const decoded = decodeAdvert(withByte(E, 4, 0xf0), sheet);
    assert.ok(decoded.ok && decoded.value.intervalCs === 100);
  });

  it("decodes what it encodes, in both forms", () => {
    fc.assert(
      fc.property(anyAdvert, fc.constantFrom("pseudo-header", "message-only"), anyIpv4, (advert, form, source) => {
        const at = { source, destination: MULTICAST };
        const decoded = decodeAdvert(encodeAdvert(advert, form, at), at);
        assert.ok(decoded.ok);
        const { checksumForm: _, ...back } = decoded.value;
        assert.deepEqual(back, advert);
      }),
    );
  });

  it("answers any bytes with a value or a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const decoded = decodeAdvert(bytes, sheet);
        assert.ok(decoded.ok || typeof decoded.error === "string");
      }),
      { numRuns: 2000 },
    );
  });

  it("notices every single flipped bit outside the reserved nibble", () => {
    fc.assert(
      fc.property(anyAdvert, fc.nat(), (advert, at) => {
        const bytes = encodeAdvert(advert, "message-only", sheet);
        const bit = at % (bytes.length * 8);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        assert.equal(decodeAdvert(bytes, sheet).ok, false);
      }),
    );
  });
});

describe("vrrp receive validation", () => {
  const message = Buffer.from("3133c80100643935c0000264", "hex");
  const packet = { message, source: "198.51.100.10", destination: MULTICAST, ttl: 255 };

  it("accepts a good packet", () => assert.ok(acceptPacket(packet, "198.51.100.11").ok));
  it("refuses a TTL below 255", () =>
    assert.deepEqual(acceptPacket({ ...packet, ttl: 254 }, null), { ok: false, error: "ttl" }));
  it("refuses our own packet", () =>
    assert.deepEqual(acceptPacket(packet, packet.source), { ok: false, error: "self" }));
  it("refuses a unicast packet", () => {
    const unicast = { ...packet, destination: "192.0.2.10", message: Buffer.from("3133c8010064573dc0000264", "hex") };
    assert.deepEqual(acceptPacket(unicast, null), { ok: false, error: "cast_mismatch" });
  });
  it("passes on what the codec says", () => {
    assert.deepEqual(acceptPacket({ ...packet, message: message.subarray(0, 9) }, null), {
      ok: false,
      error: "packet_length",
    });
  });
});
