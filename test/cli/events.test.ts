import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT } from "../../src/base/exit-codes.ts";
import { type EventsCommandOptions, eventsCommand, readStoredEvents, type StoredEvents } from "../../src/cli/events.ts";
import { EventLines } from "../../src/cli/events-view.ts";
import type { EventQuery, JournalEvent } from "../../src/control/events.ts";
import type { ControlHandlers } from "../../src/control/routes.ts";
import { ControlServer } from "../../src/control/server.ts";
import { readLines } from "../../src/sys/line-log.ts";
import { eventOf, FewEvents } from "../support/few-events.ts";
import { plainPaint } from "../support/paint.ts";
import { turns } from "../support/turns.ts";

const T0 = Date.parse("2026-01-31T04:00:00.123Z");
const QUERY: EventQuery = { after: null, limit: 40, types: [], sinceMs: null };

describe("events for people", () => {
  const show = (events: readonly JournalEvent[]) => new EventLines(plainPaint, "UTC").render(events);

  it("one line each: when, what, from what to what, why", () => {
    assert.equal(
      show([
        eventOf(T0, { cause: "no advert for 3.6s" }),
        eventOf(T0 + 1, {
          type: "server",
          subject: "service web server 10.0.0.11:80",
          from: "up (weight 1)",
          to: "down (not in the table)",
          cause: "http failed\u001b[2J 3 times",
          level: "warning",
        }),
        eventOf(T0 + 2, { type: "override", subject: "service web", from: "drained", to: null, cause: "it expired" }),
        eventOf(T0 + 3, { type: "reload", subject: "configuration", from: null, to: "applied", cause: "" }),
        eventOf(T0 + 4, { type: "process", subject: "process vrrp", from: null, to: null, cause: "3 are missing" }),
      ]),
      `2026-01-31 04:00:00.123  instance web4                    backup -> master  no advert for 3.6s
2026-01-31 04:00:00.124  service web server 10.0.0.11:80  up (weight 1) -> down (not in the table)  http failed [2J 3 times
2026-01-31 04:00:00.125  service web                      drained -> gone  it expired
2026-01-31 04:00:00.126  configuration                    applied
2026-01-31 04:00:00.127  process vrrp                     3 are missing
`,
    );
  });
  it("aligned as they come, without a gap behind short subjects for a long one", () => {
    const lines = new EventLines(plainPaint, "UTC");
    lines.render([eventOf(T0, { subject: "s".repeat(20) })]);
    assert.match(lines.render([eventOf(T0)]), / {2}instance web4 {9}backup/);
    assert.match(lines.render([eventOf(T0, { subject: "s".repeat(60) })]), /s{60} {2}backup/);
    assert.match(lines.render([eventOf(T0)]), / {2}instance web4 {29}backup/);
  });
});

describe("holdfast events", () => {
  let dir: string;
  let source: FewEvents;
  let server: ControlServer | null = null;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-events-"));
    source = new FewEvents();
  });
  afterEach(async () => {
    await server?.close();
    server = null;
    rmSync(dir, { recursive: true });
  });

  const listen = async () => {
    const handlers = { events: source } as unknown as ControlHandlers;
    server = await ControlServer.listen({ path: join(dir, "s"), groupId: null }, handlers);
  };
  const none = (): StoredEvents => ({ dir: "/state/events", events: [], problems: [] });
  /** Runs the command; what it printed grows while it follows. */
  const start = (
    change: Partial<EventsCommandOptions> = {},
    readStored: () => StoredEvents = none,
  ): { readonly printed: { out: string; err: string }; readonly done: Promise<number>; stop(): void } => {
    const printed = { out: "", err: "" };
    const output = (name: "out" | "err") => ({
      write: (text: string) => {
        printed[name] += text;
      },
      isTerminal: false,
    });
    const interrupt = new AbortController();
    const options = { controlSocket: join(dir, "s"), query: QUERY, follow: false, json: false, ...change };
    const terminal = { out: output("out"), err: output("err"), env: {} };
    const done = eventsCommand(options, terminal, { readStored, signal: interrupt.signal, retryMs: 1 });
    return { printed, done, stop: () => interrupt.abort() };
  };
  const ids = (jsonLines: string) => [...jsonLines.matchAll(/^\{"id":(\d+),.*\}$/gm)].map(([, id]) => Number(id));

  it("asks the daemon", async () => {
    source.add(eventOf(1), eventOf(2, { type: "server" }), eventOf(3));
    await listen();
    const { printed, done } = start({ query: { ...QUERY, types: ["instance"] }, json: true });
    assert.equal(await done, EXIT.OK);
    assert.equal(printed.out, `${JSON.stringify(eventOf(1))}\n${JSON.stringify(eventOf(3))}\n`);
    assert.equal(printed.err, "");
  });

  it("reads the files where no daemon runs, and says so", async () => {
    const stored = () => ({ ...none(), events: [eventOf(1), eventOf(2)], problems: ["a.jsonl: 1 damaged line"] });
    const { printed, done } = start({ query: { ...QUERY, limit: 1 }, json: true }, stored);
    assert.equal(await done, EXIT.OK);
    assert.deepEqual(ids(printed.out), [2]);
    assert.match(
      printed.err,
      /^holdfast: a\.jsonl: 1 damaged line\.\nholdfast: no daemon answers on .*; these are the/,
    );
  });

  it("exits with 4 where there is neither", async () => {
    const { printed, done } = start();
    assert.equal(await done, EXIT.NO_DAEMON);
    assert.match(printed.err, /no daemon answers on .*, and there are no events in \/state\/events\. Start the daemon/);
    assert.equal(printed.out, "");
  });

  it("follows, through a restart of the daemon, and ends when told to", async () => {
    source.add(eventOf(1));
    await listen();
    const { printed, done, stop } = start({ follow: true, json: true, query: { ...QUERY, types: ["instance"] } });
    while (source.readers === 0) await turns();
    source.add(eventOf(2), eventOf(3, { type: "server" }));
    while (ids(printed.out).length < 2) await turns();
    await server?.close();
    while (!printed.err.includes("waiting")) await turns();
    // While nobody could be told.
    source.add(eventOf(4));
    await listen();
    while (ids(printed.out).length < 3) await turns();
    stop();
    assert.equal(await done, EXIT.OK);
    assert.deepEqual(ids(printed.out), [1, 2, 4]);
    assert.equal(printed.err, "holdfast: the daemon does not answer any more; waiting for it.\n");
  });

  it("waits for a daemon that does not run yet, with what its files say first", async () => {
    const { printed, done, stop } = start({ follow: true, json: true }, () => ({ ...none(), events: [eventOf(1)] }));
    while (!printed.err.includes("waiting for the daemon")) await turns();
    source.add(eventOf(1), eventOf(2));
    await listen();
    while (ids(printed.out).length < 2) await turns();
    stop();
    await done;
    assert.deepEqual(ids(printed.out), [1, 2]);
  });

  it("finds the files in the state directory", () => {
    assert.deepEqual(readStoredEvents(dir, readLines), { dir: join(dir, "events"), events: [], problems: [] });
    writeFileSync(join(dir, "events"), "no folder");
    assert.throws(() => readStoredEvents(dir, readLines), /events could not be read: ENOTDIR/);
  });
});
