import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ipFromBytes } from "../../src/base/ip.ts";
import { acceptPacket, type IncomingPacket } from "../../src/vrrp/accept.ts";
import { type DecodedAdvert, encodeAdvert } from "../../src/vrrp/advert.ts";

interface Frame {
  readonly name: string;
  readonly what: string;
  readonly frame: string;
  readonly expected: DecodedAdvert | { readonly rejected: string };
}

const frames = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/vrrp/frames.json", import.meta.url), "utf8"),
) as readonly Frame[];

const ETHERNET_BYTES = 14;
const IPV6_BYTES = 40;

/** What a raw socket makes of a frame; for IPv6 as if such a message came to us all the same. */
function packetOf(hex: string): IncomingPacket {
  const ip = Buffer.from(hex, "hex").subarray(ETHERNET_BYTES);
  if (ip.readUInt8(0) >> 4 === 6) {
    return {
      message: ip.subarray(IPV6_BYTES),
      source: ipFromBytes(ip.subarray(8, 24)),
      destination: ipFromBytes(ip.subarray(24, 40)),
      ttl: 255,
    };
  }
  return {
    message: ip.subarray((ip.readUInt8(0) & 0x0f) * 4),
    source: ipFromBytes(ip.subarray(12, 16)),
    destination: ipFromBytes(ip.subarray(16, 20)),
    ttl: ip.readUInt8(8),
  };
}

describe("vrrp frames of other daemons", () => {
  it("are there", () => assert.equal(frames.length, 24));

  for (const { name, what, frame, expected } of frames) {
    const packet = packetOf(frame);
    if ("rejected" in expected) {
      it(`refuses ${name} as ${expected.rejected}: ${what}`, () =>
        assert.deepEqual(acceptPacket(packet, null), { ok: false, error: expected.rejected }));
      continue;
    }
    it(`accepts ${name}, and would send the same bytes: ${what}`, () => {
      assert.deepEqual(acceptPacket(packet, null), { ok: true, value: expected });
      assert.deepEqual(encodeAdvert(expected, expected.checksumForm, packet), Buffer.from(packet.message));
    });
  }
});
