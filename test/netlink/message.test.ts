import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/bytes.ts";
import { AttributeReader, AttributeWriter } from "../../src/netlink/attributes.ts";
import {
  decodeErrno,
  decodeHeader,
  encodeMessage,
  NETLINK_HEADER_BYTES,
  splitMessages,
  stampMessage,
} from "../../src/netlink/message.ts";

describe("netlink/message", () => {
  it("writes length, type, flags and leaves sequence and port id to the socket", () => {
    const message = encodeMessage(0x22, 5, (writer) => writer.u8(7));
    assert.equal(message.toString("hex"), "1400000022000500000000000000000007000000");
    stampMessage(message, 0x01020304, 0xfffffffe);
    assert.equal(message.toString("hex"), "140000002200050004030201feffffff07000000");
    assert.deepEqual(decodeHeader(message), {
      ok: true,
      value: { length: 20, type: 0x22, flags: 5, sequence: 0x01020304, portId: 0xfffffffe },
    });
  });

  it("splits a datagram at message borders and refuses one that was cut short", () => {
    const first = encodeMessage(1, 0, (writer) => writer.u8(1));
    const second = encodeMessage(2, 0, (writer) => writer.u32le(2).u32le(3));
    const both = Buffer.concat([first, second]);
    assert.deepEqual(splitMessages(both), { ok: true, value: [first, second] });
    const cut = splitMessages(both.subarray(0, both.length - 4));
    assert.equal(!cut.ok && cut.error.code, "bad-length");
    const stump = splitMessages(both.subarray(0, first.length + 3));
    assert.equal(!stump.ok && stump.error.code, "short-message");
  });

  it("reads acknowledgements: success, errno, and the end of a dump with and without an outcome", () => {
    const ack = (type: number, ...value: number[]) =>
      encodeMessage(type, 0, (writer) => {
        for (const v of value) writer.i32le(v);
      });
    assert.deepEqual(decodeErrno(ack(2, 0)), { ok: true, value: 0 });
    assert.deepEqual(decodeErrno(ack(2, -17)), { ok: true, value: 17 });
    assert.deepEqual(decodeErrno(ack(3)), { ok: true, value: 0 });
    assert.deepEqual(decodeErrno(ack(3, 0)), { ok: true, value: 0 });
    assert.deepEqual(decodeErrno(ack(3, -2)), { ok: true, value: 2 });
    assert.equal(decodeErrno(ack(2)).ok, false);
    assert.equal(decodeErrno(ack(20, 0)).ok, false);
  });

  it("any bytes split into messages that lie within them, or give an error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const messages = splitMessages(Buffer.from(bytes));
        if (!messages.ok) return messages.error.detail.length > 0;
        return messages.value.reduce((sum, message) => sum + message.length, 0) <= bytes.length;
      }),
    );
  });
});

describe("netlink/attributes", () => {
  function encode(write: (attributes: AttributeWriter) => void): Buffer {
    const writer = new ByteWriter();
    write(new AttributeWriter(writer));
    return writer.finish();
  }

  it("pads every value to four bytes and counts only the data in its length", () => {
    const bytes = encode((attributes) => {
      attributes.u8(1, 0xab).u16(2, 0x1234).u16be(3, 0x1234).u32(4, 0xdeadbeef).string(5, "wrr").string(6, "IPVS");
      attributes.nest(7, (inner) => inner.u8(8, 1));
    });
    assert.equal(
      bytes.toString("hex"),
      [
        "05000100ab000000",
        "0600020034120000",
        "0600030012340000",
        "08000400efbeadde",
        "0800050077727200",
        "090006004950565300000000",
        "0c0007800500080001000000",
      ].join(""),
    );
  });

  it("reads back what was written, whatever the mix (property)", () => {
    const item = fc.oneof(
      fc.record({ kind: fc.constant("u8" as const), value: fc.nat(0xff) }),
      fc.record({ kind: fc.constant("u16" as const), value: fc.nat(0xffff) }),
      fc.record({ kind: fc.constant("u16be" as const), value: fc.nat(0xffff) }),
      fc.record({ kind: fc.constant("u32" as const), value: fc.nat(0xffffffff) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(0x3fff), item), { maxLength: 20 }), (list) => {
        const bytes = encode((attributes) => {
          attributes.nest(1, (inner) => {
            for (const [type, { kind, value }] of list) inner[kind](type, value);
          });
        });
        const outer = new AttributeReader(bytes, 0);
        assert.ok(outer.next());
        assert.equal(outer.type, 1, "NLA_F_NESTED is no part of the type");
        const inner = outer.nested();
        for (const [type, { kind, value }] of list) {
          assert.ok(inner.next());
          assert.equal(inner.type, type);
          assert.equal(inner[kind](), value);
        }
        assert.equal(inner.next(), false);
        assert.equal(inner.error, undefined);
      }),
    );
  });

  it("a length beyond its surroundings ends the walk with an error, also inside a nest", () => {
    const bytes = encode((attributes) => attributes.nest(1, (inner) => inner.u32(2, 1)).u32(3, 3));
    bytes.writeUInt16LE(12, 4); // the inner attribute now reaches into the next outer one
    const outer = new AttributeReader(bytes, 0);
    assert.ok(outer.next());
    const inner = outer.nested();
    assert.equal(inner.next(), false);
    assert.equal(inner.error?.code, "bad-attribute");
    assert.ok(outer.next(), "the outer walk goes on");
    assert.equal(outer.u32(), 3);
  });

  it("a value shorter than asked for reads as zero and is remembered as an error", () => {
    const reader = new AttributeReader(
      encode((attributes) => attributes.u8(1, 9)),
      0,
    );
    assert.ok(reader.next());
    assert.equal(reader.u32(), 0);
    assert.deepEqual(reader.outcome(1), {
      ok: false,
      error: { code: "bad-attribute", detail: "attribute 1 has 1 of 4 bytes" },
    });
  });

  it("any bytes are walked to an end without a throw (property)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const walk = (reader: AttributeReader, depth: number): void => {
          while (reader.next()) {
            reader.u8();
            reader.u32();
            reader.string();
            if (depth < 3) walk(reader.nested(), depth + 1);
          }
        };
        walk(new AttributeReader(Buffer.from(bytes), 0), 0);
        walk(new AttributeReader(Buffer.from(bytes), NETLINK_HEADER_BYTES), 0);
      }),
    );
  });
});
