import assert from "node:assert/strict";
import { InOrder } from "../../src/ipc/in-order.ts";

describe("ipc in order", () => {
  it("a later request that needs no waiting does not overtake one that does, and a failure is its asker's alone", async () => {
    const queue = new InOrder();
    const done: string[] = [];
    let load: () => void = () => undefined;
    const loaded = new Promise<void>((resolve) => {
      load = resolve;
    });
    const first = queue.next(async () => {
      await loaded;
      done.push("first");
      throw new Error("no kernel");
    });
    const second = queue.next(() => done.push("second"));
    load();
    await assert.rejects(first, /no kernel/);
    assert.equal(await second, 2);
    assert.deepEqual(done, ["first", "second"]);
  });
});
