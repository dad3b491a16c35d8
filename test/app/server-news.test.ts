import assert from "node:assert/strict";
import type { ServerSnapshot } from "../../src/app/check-runner.ts";
import { ServerNews } from "../../src/app/server-news.ts";
import type { Decision } from "../../src/health/weights.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const UP: Decision = { verdict: "up", present: true, weight: 1, why: "configured weight" };

/** So many servers of one service; an override drains the first. */
function bench(count: number) {
  const time = new VirtualTime();
  const snapshots = Array.from(
    { length: count },
    (_, index): ServerSnapshot => ({ service: "web", server: `s${index}`, decision: UP, sinceUs: 0, checks: [] }),
  );
  const told: string[] = [];
  const news = new ServerNews({
    clock: time,
    alarms: time,
    runner: {
      servers: count,
      snapshotServer: (_, server) => snapshots.find((one) => one.server === server),
      snapshotPart: (from, size) => {
        const servers = snapshots.slice(from, from + size);
        return { servers, next: from + size >= count ? 0 : from + size };
      },
    },
    rule: (_, server, found) => (server === "s0" ? { ...found, weight: 0, why: "drained" } : found),
    publish: (key, state) => told.push(`${key} ${state === null ? "gone" : state.weight}`),
  });
  return { time, news, told };
}

describe("news of servers", () => {
  it("are told when the turn ends, each once, with what overrides say", () => {
    const { news, told } = bench(3);
    for (const server of ["s1", "s0", "s1", "unknown"]) news.changed("web", server);
    assert.deepEqual(told, []);
    news.tell();
    news.tell();
    assert.deepEqual(told, ["server/web/s1 1", "server/web/s0 0"]);
  });

  it("of one that is gone are told at once", () => {
    const { news, told } = bench(0);
    news.gone("web", "s7");
    assert.deepEqual(told, ["server/web/s7 gone"]);
  });

  it("come round to every server within half a minute, a part each second", () => {
    const { time, news, told } = bench(900);
    news.begin();
    time.advance(1);
    assert.equal(told.length, 30, "a thirtieth");
    time.advance(29 * SECOND);
    assert.equal(new Set(told).size, 900);
    news.stop();
    const before = told.length;
    time.advance(10 * SECOND);
    assert.equal(told.length, before);
  });
});
