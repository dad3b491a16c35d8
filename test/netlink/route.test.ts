import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AF_INET,
  AF_INET6,
  decodeRouteMessage,
  encodeAddAddress,
  encodeAskForNeighbour,
  encodeDeleteAddress,
  encodeDeleteNeighbour,
  encodeDumpAddresses,
  encodeDumpLinks,
  encodeGetLink,
  IFA_F_DEPRECATED,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_PERMANENT,
  isLinkUsable,
  RT_SCOPE_LINK,
  RTM_NEWADDR,
} from "../../src/netlink/route.ts";

const VIP4 = { address: "192.0.2.10", prefixLength: 32 };
const VIP6 = { address: "2001:db8::10", prefixLength: 128 };

/** What the kernel sent when iproute2 added the addresses below to v0 (index 3), and removed one again. */
const KERNEL = {
  added4:
    "4c00000014000000a510016be31c0000022080000300000008000100c000020a08000200c000020a0700030076300000" +
    "080008008000000014000600ffffffffffffffff3727020037270200",
  added6:
    "480000001400000000000000000000000a80a200030000001400010020010db80000000000000000000000101400060000000000" +
    "ffffffff562702005627020008000800a2000000",
  removed4:
    "4c00000015000000a610016b111d0000022080000300000008000100c000020a08000200c000020a0700030076300000" +
    "080008008000000014000600ffffffffffffffff3727020037270200",
  linkLocal:
    "5000000014000200010000002d3764a60a4080fd0300000014000100fe80000000000000fc327afffe9c64361400060" +
    "0ffffffffffffffff1927020019270200080008008000000005000b0003000000",
};

/** What the kernel sent for a veth, the attributes of no interest left out; length made to fit. Little-endian hex. */
function vethEvent(flags: string, operState: string, carrier: string): Buffer {
  const body = Buffer.from(
    [
      `00000100 02000000 ${flags} ffffffff`,
      "07000300 76310000",
      "08000d00 e8030000",
      `05001000 ${operState}000000`,
      "05001100 00000000",
      "08000400 dc050000",
      `05002100 ${carrier}000000`,
      "0a000100 e2459ad571fb0000",
      "08000500 03000000",
      "08000a00 07000000",
    ]
      .join("")
      .replaceAll(" ", ""),
    "hex",
  );
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeUInt16LE(16, 4);
  return Buffer.concat([header, body]);
}

function decodeHex(hex: string) {
  return decodeRouteMessage(Buffer.from(hex, "hex"));
}

describe("netlink/route addresses", () => {
  it("asks for an IPv4 address with the bytes that iproute2 sends for `ip addr replace`", () => {
    const message = encodeAddAddress({
      interfaceIndex: 1,
      address: VIP4,
      noPrefixRoute: false,
      deprecated: true,
      protocol: 0,
    });
    assert.equal(
      message.toString("hex"),
      "28000000140005050000000000000000" + "0220000001000000" + "08000200c000020a" + "08000100c000020a",
    );
  });

  it("asks for an IPv6 address with the bytes that iproute2 sends for nodad preferred_lft 0", () => {
    const message = encodeAddAddress({
      interfaceIndex: 1,
      address: VIP6,
      noPrefixRoute: false,
      deprecated: true,
      protocol: 0,
    });
    const address = "20010db8000000000000000000000010";
    assert.equal(
      message.toString("hex"),
      `540000001400050500000000000000000a80020001000000` +
        `14000200${address}14000100${address}1400060000000000ffffffff0000000000000000`,
    );
  });

  it("asks for a neighbour with the bytes that iproute2 sends for `ip neigh replace … nud none use`", () => {
    const hex = "240000001c00050500000000000000000200000003000000" + "0000" + "0100" + "08000100c000020a";
    assert.equal(encodeAskForNeighbour(3, "192.0.2.10").toString("hex"), hex);
    const deletion = encodeDeleteNeighbour(3, "192.0.2.10").toString("hex");
    assert.equal(deletion, "240000001d00050000000000000000000200000003000000" + "0000" + "0000" + "08000100c000020a");
  });

  it("puts an address of link scope where it is asked to", () => {
    const hex = encodeAddAddress({
      interfaceIndex: 1,
      address: VIP4,
      noPrefixRoute: false,
      deprecated: false,
      protocol: 0,
      scope: RT_SCOPE_LINK,
    }).toString("hex");
    assert.equal(hex.slice(32, 48), "022000fd01000000");
  });

  it("says who owns the address, and wants no prefix route, by attributes of their own", () => {
    const hex = encodeAddAddress({
      interfaceIndex: 7,
      address: { address: "198.51.100.9", prefixLength: 24 },
      noPrefixRoute: true,
      deprecated: false,
      protocol: 0x70,
    }).toString("hex");
    assert.equal(
      hex,
      "380000001400050500000000000000000218000007000000" +
        "08000200c633640908000100c63364090800080000020000" +
        "05000b0070000000",
    );
  });

  it("deletes with IFA_ADDRESS, so that the prefix length counts", () => {
    assert.equal(
      encodeDeleteAddress(1, VIP4).toString("hex"),
      "280000001500050000000000000000000220000001000000" + "08000200c000020a" + "08000100c000020a",
    );
  });

  it("reads the kernel's events", () => {
    assert.deepEqual(decodeHex(KERNEL.added4), {
      ok: true,
      value: {
        type: "address",
        present: true,
        address: { interfaceIndex: 3, address: VIP4, flags: IFA_F_PERMANENT, scope: 0, protocol: 0, label: "v0" },
      },
    });
    const removed = decodeHex(KERNEL.removed4);
    assert.ok(removed.ok && removed.value.type === "address" && !removed.value.present);
    const added6 = decodeHex(KERNEL.added6);
    assert.ok(added6.ok && added6.value.type === "address");
    assert.deepEqual(added6.value.address, {
      interfaceIndex: 3,
      address: VIP6,
      flags: IFA_F_PERMANENT | IFA_F_DEPRECATED | IFA_F_NODAD,
      scope: 0,
      protocol: 0,
      label: null,
    });
    const linkLocal = decodeHex(KERNEL.linkLocal);
    assert.ok(linkLocal.ok && linkLocal.value.type === "address");
    assert.equal(linkLocal.value.address.protocol, 3);
    assert.equal(linkLocal.value.address.scope, 253);
    assert.equal(linkLocal.value.address.address.address, "fe80::fc32:7aff:fe9c:6436");
  });

  it("dump requests name the family, or none", () => {
    assert.equal(encodeDumpAddresses().toString("hex"), `18000000160001030000000000000000${"00".repeat(8)}`);
    assert.equal(encodeDumpAddresses(4).readUInt8(16), AF_INET);
    assert.equal(encodeDumpAddresses(6).readUInt8(16), AF_INET6);
  });

  it("what is asked for is what would be read back (property)", () => {
    const cidr = fc.oneof(
      fc.record({ address: fc.ipV4(), prefixLength: fc.integer({ min: 1, max: 32 }) }),
      fc.record({
        address: fc.integer({ min: 1, max: 0xffff }).map((n) => `2001:db8::${n.toString(16)}`),
        prefixLength: fc.integer({ min: 1, max: 128 }),
      }),
    );
    fc.assert(
      fc.property(cidr, fc.nat(0xffffff), fc.boolean(), fc.integer({ min: 1, max: 255 }), (address, index, no, who) => {
        const message = encodeAddAddress({
          interfaceIndex: index,
          address,
          noPrefixRoute: no,
          deprecated: false,
          protocol: who,
        });
        const decoded = decodeRouteMessage(message);
        assert.ok(decoded.ok && decoded.value.type === "address");
        assert.deepEqual(decoded.value.address.address, { ...address });
        assert.equal(decoded.value.address.interfaceIndex, index);
        assert.equal(decoded.value.address.protocol, who);
        assert.equal((decoded.value.address.flags & IFA_F_NOPREFIXROUTE) !== 0, no);
      }),
    );
  });
});

describe("netlink/route links", () => {
  it("reads a link whose carrier is gone", () => {
    const down = decodeRouteMessage(vethEvent("03100000", "02", "00"));
    assert.ok(down.ok && down.value.type === "link", JSON.stringify(down));
    assert.deepEqual(down.value.link, {
      index: 2,
      name: "v1",
      flags: 0x1003,
      mac: "e2:45:9a:d5:71:fb",
      mtu: 1500,
      operState: "down",
      hasCarrier: false,
      masterIndex: 7,
      lowerIndex: 3,
    });
    assert.equal(isLinkUsable(down.value.link), false);
  });

  it("tells usable by UP and RUNNING, not by operstate, which may be unknown", () => {
    const up = decodeRouteMessage(vethEvent("43100100", "06", "01"));
    assert.ok(up.ok && up.value.type === "link");
    assert.deepEqual([up.value.link.flags, up.value.link.operState, up.value.link.hasCarrier], [0x11043, "up", true]);
    assert.equal(isLinkUsable(up.value.link), true);
    assert.equal(isLinkUsable({ ...up.value.link, operState: "unknown" }), true);
    assert.equal(isLinkUsable({ ...up.value.link, flags: 0x11042 }), false);
  });

  it("does not take a port that leaves a bridge for an interface that is gone", () => {
    const message = vethEvent("43100100", "06", "01");
    message.writeUInt16LE(17, 4);
    message.writeUInt8(7, 16); // AF_BRIDGE
    assert.deepEqual(decodeRouteMessage(message), { ok: true, value: { type: "other", messageType: 17 } });
    message.writeUInt8(0, 16);
    const gone = decodeRouteMessage(message);
    assert.ok(gone.ok && gone.value.type === "link" && !gone.value.present);
  });

  it("asks for one link and for all with the bytes that iproute2 sends", () => {
    assert.equal(
      encodeGetLink("lo").toString("hex"),
      `28000000120001000000000000000000${"00".repeat(16)}070003006c6f0000`,
    );
    assert.equal(encodeDumpLinks().toString("hex"), `20000000120001030000000000000000${"00".repeat(16)}`);
  });

  it("any bytes of any type give a message or a coded error (property)", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.constantFrom(16, 17, 20, RTM_NEWADDR + 1, 99),
        fc.constantFrom(0, 2, 10),
        (body, type, family) => {
          const message = Buffer.concat([Buffer.alloc(16), Buffer.from(body)]);
          message.writeUInt32LE(message.length, 0);
          message.writeUInt16LE(type, 4);
          if (body.length > 0) message.writeUInt8(family, 16);
          const decoded = decodeRouteMessage(message);
          return decoded.ok || decoded.error.code.length > 0;
        },
      ),
    );
  });
});
