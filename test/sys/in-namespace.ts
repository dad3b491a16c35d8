import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { CLONE_NEWNET } from "../../src/sys/constants.ts";
import { loadNative } from "../../src/sys/native.ts";

/**
 * Runs something in another network namespace: sockets that it opens stay there, whoever uses them later.
 * @param name as `ip netns` knows it
 * @param action synchronous: other code of this thread would run in that namespace as well
 */
export function inNamespace<T>(name: string, action: () => T): T {
  const native = loadNative();
  assert.ok(native.ok, native.ok ? "" : native.error.message);
  const home = openSync("/proc/thread-self/ns/net", "r");
  const there = openSync(`/run/netns/${name}`, "r");
  try {
    assert.equal(native.value.setns(there, CLONE_NEWNET), 0);
    return action();
  } finally {
    assert.equal(native.value.setns(home, CLONE_NEWNET), 0);
    closeSync(there);
    closeSync(home);
  }
}
