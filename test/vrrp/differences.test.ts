import assert from "node:assert/strict";
import type { DecodedAdvert } from "../../src/vrrp/advert.ts";
import { differences } from "../../src/vrrp/differences.ts";
import { instance } from "../support/virtual-segment.ts";

const PEER = "198.51.100.9";
const OWN = instance(100, {
  addresses: [
    { address: "192.0.2.10", prefixLength: 24 },
    { address: "192.0.2.11", prefixLength: 24 },
  ],
});

function found(change: Partial<DecodedAdvert>): string[] {
  const advert: DecodedAdvert = {
    vrid: 51,
    priority: 150,
    intervalCs: 100,
    addresses: ["192.0.2.11", "192.0.2.10"],
    checksumForm: "pseudo-header",
    ...change,
  };
  return differences(OWN, PEER, advert).map(({ code, message }) => `${code}: ${message}`);
}

describe("vrrp differences between routers of one VRID", () => {
  it("none, whatever the order of the addresses", () => assert.deepEqual(found({}), []));
  it("the checksum form", () =>
    assert.deepEqual(found({ checksumForm: "message-only" }), [
      `checksum_form: ${PEER} sends the message-only checksum, this node pseudo-header; many daemons drop the other form: set checksum: message-only`,
    ]));
  it("the interval, but not that of a goodbye", () => {
    assert.deepEqual(found({ intervalCs: 50 }), [
      `interval: ${PEER} advertises every 500 ms, this node every 1000 ms; make them equal`,
    ]);
    assert.deepEqual(found({ intervalCs: 50, priority: 0 }), []);
  });
  it("equal priority", () =>
    assert.deepEqual(found({ priority: 100 }), [
      `equal_priority: ${PEER} advertises priority 100, and this node has priority 100 too; between them the higher address decides: make the priorities differ`,
    ]));
  it("another list of addresses", () =>
    assert.deepEqual(found({ addresses: ["192.0.2.10"] }), [
      `address_list: ${PEER} advertises the addresses 192.0.2.10, this node 192.0.2.10, 192.0.2.11; make them equal`,
    ]));
  it("a stranger: no address in common", () =>
    assert.deepEqual(found({ addresses: ["192.0.2.99"] }), [
      `stranger: ${PEER} uses VRID 51 for the addresses 192.0.2.99, this node for 192.0.2.10, 192.0.2.11: two virtual routers share one VRID; give one of them another`,
    ]));
  it("several at once", () =>
    assert.equal(found({ priority: 100, intervalCs: 200, addresses: ["192.0.2.99"] }).length, 3));
});
