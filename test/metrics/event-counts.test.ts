import assert from "node:assert/strict";
import { EventCounts } from "../../src/metrics/event-counts.ts";
import type { EventFacts } from "../../src/ports/logger.ts";
import { MemoryLogger } from "../support/memory-store.ts";

const event = (type: EventFacts["type"], to: string | null): EventFacts => ({
  type,
  subject: "configuration",
  from: null,
  to,
  cause: "",
});

describe("events, counted", () => {
  it("counts what goes through the log, and hands every line on", () => {
    const counts = new EventCounts(() => 5_000);
    const logger = new MemoryLogger();
    const tee = counts.tee(logger);
    const line = { level: "notice", source: "supervisor", message: "reloaded" } as const;
    tee.log(line);
    tee.log({ ...line, event: event("reload", "applied") });
    tee.log({ ...line, event: event("drift", "weight 1") });
    assert.equal(logger.entries.length, 3);
    assert.deepEqual([counts.count("reload"), counts.count("drift"), counts.count("drill")], [1, 1, 0]);
  });

  it("knows when drills of earlier runs ended, without counting them", () => {
    const counts = new EventCounts(() => 5_000);
    const at = (second: number) => new Date(second * 1_000).toISOString();
    counts.recall([
      { ...event("drill", "passed"), at: at(1) },
      { ...event("drill", "passed"), at: at(2) },
      { ...event("server", "up"), at: at(3) },
    ]);
    assert.deepEqual(counts.outcomes("drill")[0], { outcome: "passed", count: 0, lastAt: 2 });
    counts.take(event("drill", "passed"));
    assert.deepEqual(counts.outcomes("drill")[0], { outcome: "passed", count: 1, lastAt: 5 });
    assert.equal(counts.count("server"), 0);
  });

  it("keeps outcomes apart, with those that never came, and takes no other word for one", () => {
    const counts = new EventCounts(() => 5_000);
    for (const to of ["passed", "failed", "passed", "what somebody wrote", null]) counts.take(event("drill", to));
    assert.deepEqual(counts.outcomes("drill"), [
      { outcome: "passed", count: 2, lastAt: 5 },
      { outcome: "failed", count: 1, lastAt: 5 },
      { outcome: "refused", count: 0, lastAt: null },
      { outcome: "other", count: 2, lastAt: 5 },
    ]);
    assert.equal(counts.last("drill")?.outcome, "other");
    assert.equal(counts.last("reload"), null);
  });
});
