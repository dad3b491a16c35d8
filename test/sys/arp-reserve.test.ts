import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArpReserve } from "../../src/sys/arp-reserve.ts";

describe("interfaces made quiet for a handover", () => {
  it("forgets names of interfaces that are gone, and is silent without a run directory", () => {
    const dir = mkdtempSync(join(tmpdir(), "arp-"));
    try {
      const memory = join(dir, "arp-quiet");
      writeFileSync(memory, "gone0\n../../all\n");
      assert.deepEqual(new ArpReserve(dir).restore(), []);
      assert.ok(!existsSync(memory));
      assert.deepEqual(new ArpReserve(join(dir, "nowhere")).restore(), []);
      assert.equal(new ArpReserve(join(dir, "nowhere")).keepQuiet("gone0"), null);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
