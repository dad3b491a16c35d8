import assert from "node:assert/strict";
import { mock } from "node:test";
import { startWatchdog, watchdogTimeUs } from "../../src/app/watchdog.ts";

describe("watchdog", () => {
  it("is wanted where the service manager waits for this very process", () => {
    assert.equal(watchdogTimeUs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "42" }, 42), 30_000_000);
    assert.equal(watchdogTimeUs({ WATCHDOG_USEC: "30000000" }, 42), 30_000_000);
    assert.equal(watchdogTimeUs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "41" }, 42), undefined, "inherited");
    for (const time of [undefined, "", "0", "-1", "1e9", "soon"])
      assert.equal(watchdogTimeUs({ WATCHDOG_USEC: time, WATCHDOG_PID: "42" }, 42), undefined, String(time));
  });

  it("tells at once and three times in the time, and nothing while something is amiss", () => {
    mock.timers.enable({ apis: ["setInterval"] });
    try {
      const told: string[] = [];
      let isWell = true;
      const timer = startWatchdog(
        { withinUs: 30_000_000 },
        { isWell: () => isWell, notify: (line) => told.push(line) },
      );
      assert.deepEqual(told, ["WATCHDOG=1"]);
      mock.timers.tick(30_000);
      assert.equal(told.length, 4);
      isWell = false;
      mock.timers.tick(30_000);
      assert.equal(told.length, 4);
      isWell = true;
      mock.timers.tick(10_000);
      assert.equal(told.length, 5);
      clearInterval(timer);
    } finally {
      mock.timers.reset();
    }
  });
});
