import assert from "node:assert/strict";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { isLoopback, isUnicast } from "../../src/base/ip.ts";

describe("base/ip", () => {
  const NOT_UNICAST = ["multicast", "unspecified", "broadcast"];

  it("knows loopback and unicast addresses of IPv4 as the library does (property)", () => {
    const bytes = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
    const edges = fc.constantFrom(
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [255, 255, 255, 254],
      [127, 0, 0, 1],
      [239, 255, 255, 255],
    );
    fc.assert(
      fc.property(fc.oneof(bytes, edges), (quad) => {
        const text = quad.join(".");
        const range = ipaddr.parse(text).range();
        assert.equal(isLoopback(text), range === "loopback");
        assert.equal(isUnicast(text), !NOT_UNICAST.includes(range));
      }),
    );
    for (let first = 0; first < 256; first++) {
      const text = `${first}.1.2.3`;
      assert.equal(isUnicast(text), !NOT_UNICAST.includes(ipaddr.parse(text).range()), text);
    }
  });

  it("and those of IPv6", () => {
    assert.deepEqual([isLoopback("::1"), isLoopback("2001:db8::1")], [true, false]);
    assert.deepEqual([isUnicast("ff02::12"), isUnicast("::"), isUnicast("fe80::1")], [false, false, true]);
  });
});
