import assert from "node:assert/strict";
import { encodeArpProbe, encodeGratuitousArp } from "../../src/vrrp/garp.ts";

describe("gratuitous ARP", () => {
  it("is byte for byte what keepalived sends with the interface's MAC", () => {
    const captured = "ffffffffffff02000000000b0806000108000604000102000000000bc0000265ffffffffffffc0000265";
    assert.equal(encodeGratuitousArp("02:00:00:00:00:0b", "192.0.2.101").toString("hex"), captured);
  });

  it("is byte for byte what keepalived sends with a virtual MAC", () => {
    const captured = "ffffffffffff00005e00010b0806000108000604000100005e00010bc000026fffffffffffffc000026f";
    assert.equal(encodeGratuitousArp("00:00:5e:00:01:0b", "192.0.2.111").toString("hex"), captured);
  });

  it("asks as RFC 5227 has it: without an address of the sender", () => {
    const expected = "ffffffffffff02000000000b0806000108000604000102000000000b00000000000000000000c0000265";
    assert.equal(encodeArpProbe("02:00:00:00:00:0b", "192.0.2.101").toString("hex"), expected);
    assert.throws(() => encodeArpProbe("02:00:00:00:00:0b", "2001:db8::1"), /IPv4/);
  });

  it("refuses what ARP cannot say", () => {
    assert.throws(() => encodeGratuitousArp("02:00:00:00:00:0b", "2001:db8::1"), /IPv4/);
    assert.throws(() => encodeGratuitousArp("02:00:00:00:00", "192.0.2.1"), /MAC/);
  });
});
