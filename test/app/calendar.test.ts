import assert from "node:assert/strict";
import { Calendar, type RunOutcome } from "../../src/app/calendar.ts";
import { doScheduled, type ScheduledWork } from "../../src/app/scheduled-work.ts";
import { err, ok } from "../../src/base/result.ts";
import { renderSchedules } from "../../src/cli/schedule-command.ts";
import type { ScheduleAction, ScheduleConfig } from "../../src/config/model.ts";
import { MemoryLogger, MemoryStore } from "../support/memory-store.ts";
import { WallTime } from "../support/wall-time.ts";

const plain = (text: string) => text;
const plainPaint = { good: plain, bad: plain, dim: plain, strong: plain };

function schedule(cron: string, change: Partial<ScheduleConfig> = {}): ScheduleConfig {
  return { name: "nightly", cron, timezone: "UTC", action: { type: "reload" }, ...change };
}

describe("the calendar", () => {
  let store: MemoryStore;
  let logger: MemoryLogger;
  let acted: string[];
  let outcome: RunOutcome;
  /** What a run waits for; null = it is over at once. */
  let hold: Promise<RunOutcome> | null = null;
  let time: WallTime | null = null;
  const calendars: Calendar[] = [];

  beforeEach(() => {
    store = new MemoryStore();
    logger = new MemoryLogger();
    acted = [];
    outcome = { isGood: true, cause: "it was done" };
    hold = null;
  });
  afterEach(() => {
    for (const calendar of calendars.splice(0)) calendar.stop();
    time?.end();
    time = null;
  });

  function at(iso: string): void {
    for (const calendar of calendars.splice(0)) calendar.stop();
    time?.end();
    time = new WallTime(iso);
  }

  const pass = (ms: number) => time?.pass(ms);

  function open(...schedules: readonly ScheduleConfig[]): Calendar {
    const calendar = new Calendar({
      store,
      logger,
      wallMs: () => Date.now(),
      act: async (name, action) => {
        acted.push(`${name} ${action.type} ${new Date().toISOString()}`);
        return hold ?? outcome;
      },
    });
    calendars.push(calendar);
    calendar.configure(schedules);
    return calendar;
  }

  const events = () =>
    logger.entries.flatMap(({ event }) => (event === undefined ? [] : [`${event.to}: ${event.cause}`]));

  it("does what is due, and tells what it came to", async () => {
    at("2026-03-01T03:59:58Z");
    const calendar = open(schedule("0 4 * * *"));
    await pass(4_000);
    assert.deepEqual(acted, ["nightly reload 2026-03-01T04:00:00.000Z"]);
    assert.deepEqual(events(), ["started: it is time for reload", "done: it was done"]);
    const [status] = calendar.status();
    assert.equal(status?.next[0], "2026-03-02T04:00:00.000Z");
    assert.deepEqual(status?.lastRun, { at: "2026-03-01T04:00:00.000Z", isGood: true, cause: "it was done" });
    outcome = { isGood: false, cause: "no peer is heard" };
    at("2026-03-02T03:59:59Z");
    open(schedule("0 4 * * *"));
    await pass(2_000);
    assert.deepEqual(events().slice(-1), ["failed: no peer is heard"]);
  });

  it("does not begin what its last run still does: told at once, the rest in one when it is over", async () => {
    at("2026-03-01T03:59:59Z");
    let end: (outcome: RunOutcome) => void = () => undefined;
    hold = new Promise((resolve) => {
      end = resolve;
    });
    const calendar = open(schedule("* * * * *"));
    await pass(60_000);
    assert.equal(acted.length, 1);
    assert.deepEqual(events(), ["started: it is time for reload"]);
    await pass(2_000);
    const of = "its run of 2026-03-01T04:00:00.000Z still went on";
    assert.deepEqual(events().slice(1), [
      `missed: reload was due at 2026-03-01T04:01:00.000Z, and ${of}; it is not made up for`,
    ]);
    assert.deepEqual(calendar.status()[0]?.missed, { count: 1, last: "2026-03-01T04:01:00.000Z", why: of });
    // Taken out of the configuration and put back: it still goes on.
    calendar.configure([]);
    calendar.configure([schedule("* * * * *")]);
    await pass(180_000);
    assert.deepEqual([acted.length, events().length], [1, 2]);
    end({ isGood: false, cause: "no peer is heard" });
    hold = null;
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(events().slice(2), [
      `missed: reload was due 3 times from 2026-03-01T04:02:00.000Z to 2026-03-01T04:04:00.000Z, and ${of}; it is not made up for`,
      "failed: no peer is heard",
    ]);
    assert.equal(calendar.status()[0]?.missed?.count, 3);
    await pass(60_000);
    assert.deepEqual(events().slice(4), ["started: it is time for reload", "done: it was done"]);
    assert.equal(calendar.status()[0]?.missed, null);
  });

  it("keeps to the clock on the wall when clocks are changed", () => {
    at("2026-03-27T12:00:00Z");
    const spring = open(schedule("30 2 * * *", { timezone: "Europe/Berlin" })).status()[0];
    // On 29 March there is no 02:30 in Berlin.
    assert.deepEqual(spring?.next, [
      "2026-03-28T01:30:00.000Z",
      "2026-03-30T00:30:00.000Z",
      "2026-03-31T00:30:00.000Z",
    ]);
    at("2026-10-24T12:00:00Z");
    const autumn = open(schedule("0 4 * * *", { timezone: "Europe/Berlin" })).status()[0];
    assert.deepEqual(autumn?.next, [
      "2026-10-25T03:00:00.000Z",
      "2026-10-26T03:00:00.000Z",
      "2026-10-27T03:00:00.000Z",
    ]);
    at("2026-10-24T12:00:00Z");
    const twice = open(schedule("30 2 * * *", { timezone: "Europe/Berlin" })).status()[0];
    const onTheDay = twice?.next.filter((iso) => iso.startsWith("2026-10-25"));
    assert.equal(onTheDay?.length, 1, "02:30 comes twice that night, and is one run");
  });

  it("tells what was due while no daemon ran, and does not make it up", async () => {
    at("2026-03-01T12:00:00Z");
    open(schedule("0 4 * * *"), schedule("0 5 * * *", { name: "later" })).stop();
    at("2026-03-04T04:30:00Z");
    const calendar = open(schedule("0 4 * * *"), schedule("0 5 * * *", { name: "later" }));
    await pass(2_000);
    assert.deepEqual(acted, []);
    assert.deepEqual(events(), [
      "missed: reload was due 3 times from 2026-03-02T04:00:00.000Z to 2026-03-04T04:00:00.000Z, and no daemon was running; it is not made up for",
      "missed: reload was due 2 times from 2026-03-02T05:00:00.000Z to 2026-03-03T05:00:00.000Z, and no daemon was running; it is not made up for",
    ]);
    assert.deepEqual(calendar.status()[0]?.missed, {
      count: 3,
      last: "2026-03-04T04:00:00.000Z",
      why: "no daemon was running",
    });
    // Once more: told once, and remembered until a run was good.
    calendar.stop();
    logger.entries.length = 0;
    const again = open(schedule("0 4 * * *"));
    assert.deepEqual([events(), again.status()[0]?.missed?.count], [[], 3]);
    at("2026-03-05T03:59:59Z");
    const third = open(schedule("0 4 * * *"));
    await pass(2_000);
    assert.deepEqual([acted.length, third.status()[0]?.missed], [1, null]);
    third.stop();
    assert.equal(open(schedule("0 4 * * *")).status()[0]?.missed, null, "also after a restart");
  });

  it("a run that was made is not missed, also when the daemon ended right after it began", async () => {
    at("2026-03-01T03:59:59Z");
    open(schedule("0 4 * * *"));
    await pass(2_000);
    at("2026-03-01T05:00:00Z");
    logger.entries.length = 0;
    open(schedule("0 4 * * *"));
    assert.deepEqual(events(), []);
  });

  it("a daemon that was away for long counts no further than it remembered", () => {
    at("2026-03-01T00:00:00Z");
    open(schedule("* * * * *")).stop();
    at("2026-05-01T00:00:00Z");
    open(schedule("* * * * *"));
    assert.match(events()[0] ?? "", /^missed: reload was due 10 or more times from 2026-03-01T00:01:00/);
  });

  it("a schedule that was changed meanwhile was not due as it is now", () => {
    at("2026-03-01T00:00:00Z");
    open(schedule("0 4 * * *")).stop();
    at("2026-03-05T00:00:00Z");
    open(schedule("0 5 * * *"), schedule("0 4 * * *", { name: "new" }));
    assert.deepEqual(events(), []);
  });

  it("a standstill of the process is told as one thing, and a run that is a little late is made", async () => {
    at("2026-03-01T03:00:00Z");
    const calendar = open(schedule("0 * * * *"));
    await pass(1_000);
    // The machine was suspended.
    time?.jump("2026-03-01T08:00:30Z");
    await pass(3_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(events()[0], "started: it is time for reload");
    assert.match(
      events().find((text) => text.startsWith("missed")) ?? "",
      /reload was due 4 times from 2026-03-01T04:00:00.000Z to 2026-03-01T07:00:00.000Z, and the daemon stood still/,
    );
    assert.equal(acted.length, 1, "the run at eight, half a minute late");
    assert.equal(calendar.status()[0]?.missed?.count ?? 0, 4);
  });

  it("a reload keeps what stays as it is, and ends what is gone", async () => {
    at("2026-03-01T03:59:59Z");
    const calendar = open(schedule("0 4 * * *"), schedule("0 4 * * *", { name: "gone" }));
    calendar.configure([schedule("0 4 * * *"), schedule("1 4 * * *", { name: "new" })]);
    await pass(2_000);
    assert.deepEqual(acted, ["nightly reload 2026-03-01T04:00:00.000Z"]);
    assert.deepEqual(
      calendar.status().map(({ name }) => name),
      ["nightly", "new"],
    );
  });

  it("a damaged or unreadable file costs what it knew, and nothing else", () => {
    at("2026-03-01T00:00:00Z");
    for (const text of [
      "{",
      '{"version":1,"schedules":{"nightly":{"cron":1}}}',
      '{"version":1,"schedules":null}',
      "[]",
    ]) {
      store = new MemoryStore(text);
      logger.entries.length = 0;
      assert.equal(open(schedule("0 4 * * *")).status().length, 1);
      assert.match(logger.entries[0]?.message ?? "", /runs that may have been missed are not known/, text);
    }
    store.isBroken = true;
    assert.equal(open(schedule("0 4 * * *")).status().length, 1);
  });

  it("is a list for people, in the time of the zone", () => {
    at("2026-10-24T12:00:00Z");
    const drill: ScheduleAction = {
      type: "drill",
      instance: "web4",
      kind: "takeover",
      target: null,
      maxGapUs: null,
      maxFailed: null,
    };
    const status = open(schedule("0 4 * * *", { name: "drill", timezone: "Europe/Berlin", action: drill })).status();
    const missed = { count: 2, last: "2026-10-23T02:00:00.000Z", why: "no daemon was running" };
    const lastRun = { at: "2026-10-22T02:00:00.000Z", isGood: false, cause: "the drill x failed: the gap was 5s" };
    assert.equal(
      renderSchedules(
        status.map((each) => ({ ...each, missed, lastRun })),
        plainPaint,
      ),
      `drill  takeover drill of web4  0 4 * * * Europe/Berlin
  next: 2026-10-25 04:00 +01:00, 2026-10-26 04:00 +01:00, 2026-10-27 04:00 +01:00
  last: 2026-10-22 04:00 +02:00 failed: the drill x failed: the gap was 5s
  missed: 2 runs, the last at 2026-10-23 04:00 +02:00: no daemon was running
`,
    );
    assert.equal(renderSchedules([], plainPaint), "nothing is scheduled\n");
    assert.match(
      renderSchedules(
        status.map((each) => ({ ...each, next: [] })),
        plainPaint,
      ),
      /next: never/,
    );
  });

  it("hours of a second each do not fill the journal", async () => {
    at("2026-03-01T00:00:00Z");
    open(schedule("* * * * * *"));
    await pass(1_000);
    logger.entries.length = 0;
    time?.jump("2026-03-01T01:00:00Z");
    await pass(2_000);
    assert.equal(events().filter((text) => text.startsWith("missed")).length, 1);
  });
});

describe("scheduled work", () => {
  const calls: unknown[] = [];
  const work: ScheduledWork = {
    reload: async () => ok({ plan: null, changes: [], remaining: [], warnings: [] } as never),
    reconcile: async () => ({ ok: false, code: "CHILD_FAILED", message: "the checker process does not run" }),
    drill: async (...call) => {
      calls.push(call);
      const isForPeer = call[0] === "web6";
      return ok({ result: "refused", reasons: ["it is degraded"], id: "x", isForPeer } as never);
    },
    order: async (order) => {
      calls.push(order);
      return order.type === "drain"
        ? ok({ servers: [{} as never], changes: [], warnings: ["it is the last one"] })
        : err({ code: "X", message: "no" });
    },
  };

  it("is done by whom it concerns", async () => {
    const server = { address: "10.0.0.11", port: 80 };
    const told = [];
    for (const action of [
      { type: "reload" },
      { type: "reconcile" },
      { type: "drill", instance: "web4", kind: "takeover", target: null, maxGapUs: 5, maxFailed: null },
      { type: "drill", instance: "web6", kind: "takeover", target: null, maxGapUs: 5, maxFailed: null },
      { type: "drain", service: "web", server, deadlineUs: 600_000_000, untilUs: 3_600_000_000 },
      { type: "enable", service: "all", server },
    ] as const)
      told.push(await doScheduled("night", action, work));
    assert.deepEqual(told, [
      { isGood: true, cause: "the configuration was read again" },
      { isGood: false, cause: "the checker process does not run" },
      { isGood: false, cause: "the drill x refused: it is degraded" },
      { isGood: true, cause: "the drill x refused: it is degraded" },
      { isGood: true, cause: "drain of 1 server; it is the last one" },
      { isGood: false, cause: "no" },
    ]);
    const by = "schedule night";
    const order = { server: "10.0.0.11:80", weight: null, reason: null, by };
    assert.deepEqual(calls, [
      ["web4", { kind: "takeover", maxGapUs: 5 }, by],
      ["web6", { kind: "takeover", maxGapUs: 5 }, by],
      { ...order, type: "drain", service: "web", until: { type: "for", us: 3_600_000_000 }, deadlineUs: 600_000_000 },
      { ...order, type: "enable", service: "all", until: null, deadlineUs: null },
    ]);
  });
});
