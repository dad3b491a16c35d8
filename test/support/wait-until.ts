import assert from "node:assert/strict";

/** Gives everybody turns until something holds. */
export async function waitUntil(holds: () => boolean, withinMs = 5_000): Promise<void> {
  const untilMs = performance.now() + withinMs;
  while (!holds()) {
    assert.ok(performance.now() < untilMs, "it does not come to that");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
