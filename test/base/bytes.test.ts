import assert from "node:assert/strict";
import { ByteWriter } from "../../src/base/bytes.ts";

describe("base/bytes ByteWriter", () => {
  it("keeps what is written across its growth, at every size and from any capacity", () => {
    for (let capacity = 1; capacity <= 9; capacity++) {
      const writer = new ByteWriter(capacity);
      for (let round = 0; round < 20; round++) {
        writer.u8(0x11).u16be(0x2233).u32be(0x44556677).u16le(0x9988).u32le(0xddccbbaa).i32le(-2);
        writer.bytes(Buffer.from([0xee, 0xff])).zeros(1);
      }
      assert.equal(writer.finish().toString("hex"), "112233445566778899aabbccddfeffffffeeff00".repeat(20));
    }
  });
});
