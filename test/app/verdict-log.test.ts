import assert from "node:assert/strict";
import { VerdictLog } from "../../src/app/verdict-log.ts";
import { MANY_ALIKE } from "../../src/base/listed.ts";
import type { Decision } from "../../src/health/weights.ts";
import { MemoryLogger } from "../support/memory-store.ts";

const up = (why: string): Decision => ({ verdict: "up", weight: 1, present: true, why });
const down: Decision = { verdict: "down", weight: 0, present: false, why: "check tcp failed" };

describe("app/verdict-log", () => {
  let logger: MemoryLogger;
  let log: VerdictLog;
  beforeEach(() => {
    logger = new MemoryLogger();
    log = new VerdictLog(logger);
  });
  const messages = () => logger.entries.map(({ message }) => message);
  const brings = (servers: number, to = up("no checks"), service = "web") => {
    for (let i = 1; i <= servers; i++) log.tell({ service, server: `10.0.0.${i}:80`, from: null, to });
  };

  it("a line and an event for each server, whatever comes with a configuration", () => {
    log.together(() => brings(MANY_ALIKE));
    assert.equal(messages().length, MANY_ALIKE);
    assert.equal(messages()[0], "service web: server 10.0.0.1:80: new -> up (weight 1): no checks");
    assert.deepEqual(logger.entries[0]?.event, {
      type: "server",
      subject: "service web server 10.0.0.1:80",
      from: null,
      to: "up (weight 1)",
      cause: "no checks",
    });
  });

  it("one for many that are alike, service by service and reason by reason", () => {
    log.together(() => {
      brings(1000);
      brings(11, up("no checks"), "shop");
      brings(1, up("it was up in the kernel"));
    });
    assert.deepEqual(messages(), [
      "service web: servers 10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80, 10.0.0.4:80, 10.0.0.5:80 and 995 more: new -> up (weight 1): no checks",
      "service shop: servers 10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80, 10.0.0.4:80, 10.0.0.5:80 and 6 more: new -> up (weight 1): no checks",
      "service web: server 10.0.0.1:80: new -> up (weight 1): it was up in the kernel",
    ]);
    assert.equal(logger.entries[0]?.event?.subject, "service web servers 10.0.0.1:80 and 999 more");
  });

  it("one for each that was known, however many change at once", () => {
    const all = Array.from({ length: 50 }, (_, i) => `10.0.0.${i}:80`);
    log.together(() => {
      for (const server of all) log.tell({ service: "web", server, from: up(""), to: down });
    });
    for (const server of all) log.tell({ service: "web", server, from: null, to: down });
    assert.equal(messages().length, 100);
    assert.equal(
      messages()[0],
      "service web: server 10.0.0.0:80: up (weight 1) -> down (not in the table): check tcp failed",
    );
    assert.equal(logger.entries[0]?.level, "warning");
  });

  it("loses nothing where taking the configuration fails", () => {
    assert.throws(() =>
      log.together(() => {
        brings(11);
        throw new Error("no");
      }),
    );
    brings(1);
    assert.equal(messages().length, 2);
  });
});
