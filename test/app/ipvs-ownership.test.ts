import assert from "node:assert/strict";
import fc from "fast-check";
import { IpvsOwnership } from "../../src/app/ipvs-ownership.ts";
import { MemoryLogger, MemoryStore } from "../support/memory-store.ts";

const BOOT = "0c4f1bd0-3b1c-4a59-8f0e-6d9a5d3c1e11";
const WEB = "tcp://192.0.2.10:80";
const DNS = "udp://[2001:db8::1]:53";

function load(store: MemoryStore, bootId = BOOT): { ownership: IpvsOwnership; logger: MemoryLogger } {
  const logger = new MemoryLogger();
  return { ownership: IpvsOwnership.load({ bootId }, { store, logger }), logger };
}

describe("app/ipvs-ownership", () => {
  it("survives a restart, not a boot", () => {
    const store = new MemoryStore();
    load(store).ownership.grow([WEB, DNS]);
    assert.deepEqual([...load(store).ownership.keys].sort(), [WEB, DNS]);
    const { ownership, logger } = load(store, "another boot");
    assert.equal(ownership.keys.size, 0);
    assert.deepEqual(logger.entries, []);
  });

  it("saves only what changes", () => {
    const store = new MemoryStore();
    const { ownership } = load(store);
    ownership.grow([WEB]);
    ownership.grow([WEB]);
    ownership.shrinkTo([WEB]);
    assert.equal(store.saves, 1);
    ownership.grow([DNS]);
    ownership.shrinkTo([DNS]);
    assert.equal(store.saves, 3);
    assert.deepEqual(store.services, [DNS]);
  });

  it("goes on with a warning when it cannot save, and saves later", () => {
    const store = new MemoryStore();
    const { ownership, logger } = load(store);
    store.isBroken = true;
    ownership.grow([WEB]);
    assert.ok(ownership.keys.has(WEB));
    assert.match(logger.entries[0]?.message ?? "", /cannot be saved: owned\.json: ENOSPC/);
    store.isBroken = false;
    ownership.grow([WEB]);
    assert.deepEqual(store.services, [WEB]);
  });

  it("owns nothing, with a warning, when the list cannot be read", () => {
    const store = new MemoryStore("");
    store.isBroken = true;
    const { ownership, logger } = load(store);
    assert.equal(ownership.keys.size, 0);
    assert.match(logger.entries[0]?.message ?? "", /cannot be read/);
  });

  it("takes a damaged list for an empty one, with a warning", () => {
    const good = { version: 1, bootId: BOOT, services: [WEB] };
    for (const damaged of [
      "",
      "{",
      "null",
      "[]",
      JSON.stringify({ ...good, version: 2 }),
      JSON.stringify({ ...good, bootId: 7 }),
      JSON.stringify({ ...good, services: WEB }),
      JSON.stringify({ ...good, services: [WEB, 7] }),
      JSON.stringify({ ...good, services: ["192.0.2.10:80"] }),
      JSON.stringify({ ...good, services: ["tcp://192.0.2.10:99999"] }),
      JSON.stringify(good).slice(0, -3),
    ]) {
      const store = new MemoryStore(damaged);
      const { ownership, logger } = load(store);
      assert.equal(ownership.keys.size, 0, damaged);
      assert.match(logger.entries[0]?.message ?? "", /damaged.*set aside as owned.*ipvsadm -Ln/s, damaged);
      assert.deepEqual(load(store).logger.entries, [], "told once");
    }
    assert.equal(load(new MemoryStore(JSON.stringify(good))).ownership.keys.size, 1);
  });

  it("any text is a list or an empty one (property)", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        assert.ok(load(new MemoryStore(text)).ownership.keys.size >= 0);
      }),
    );
  });
});
