import assert from "node:assert/strict";
import { EventJournal, type LineStore } from "../../src/app/event-journal.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import type { JournalEvent } from "../../src/control/events.ts";
import type { EventFacts, LogEntry } from "../../src/ports/logger.ts";
import { eventOf } from "../support/few-events.ts";
import { turns } from "../support/turns.ts";

const ALL = { after: null, limit: 100_000, types: [], sinceMs: null };

function entryOf(change: Partial<EventFacts> = {}): LogEntry {
  const event: EventFacts = {
    type: "instance",
    subject: "instance web4",
    from: "backup",
    to: "master",
    cause: "no master",
    ...change,
  };
  return { level: "notice", source: "vrrp", message: "said", event };
}

/** A disk in memory, which can be full and can be slow. */
class FakeStore implements LineStore {
  lines: string[];
  problems: string[] = [];
  isFull = false;
  /** While set, a write waits for it. */
  gate: Promise<void> | null = null;
  batches: number[] = [];
  isClosed = false;

  constructor(lines: readonly string[] = []) {
    this.lines = [...lines];
  }

  recover() {
    return { lines: this.lines, problems: this.problems };
  }

  async append(lines: readonly string[]) {
    await this.gate;
    this.batches.push(lines.length);
    if (this.isFull) return { written: 0, error: new DirectorError("FILE_UNWRITABLE", "writing failed: ENOSPC") };
    this.lines.push(...lines);
    return { written: lines.length, error: null };
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  get ids(): readonly number[] {
    return this.lines.map((line) => (JSON.parse(line) as JournalEvent).id);
  }
}

function journalOn(store: LineStore, clock = { wallMs: 1_000 }) {
  const said: string[] = [];
  const journal = new EventJournal({
    store,
    wallMs: () => clock.wallMs,
    say: (level, message) => said.push(`${level} ${message}`),
  });
  return { journal, said, clock, ids: () => journal.page(ALL).events.map(({ id }) => id) };
}

describe("the event journal", () => {
  it("keeps log lines that are changes of state, and passes all on", async () => {
    const store = new FakeStore();
    const { journal } = journalOn(store);
    const logged: LogEntry[] = [];
    const logger = journal.tee({ log: (entry) => logged.push(entry) });
    journal.open();
    logger.log({ level: "info", source: "vrrp", message: "no change" });
    logger.log(entryOf());
    assert.equal(logged.length, 2);
    const [kept] = journal.page(ALL).events;
    assert.deepEqual(kept, eventOf(1_000, { cause: "no master" }));
    await journal.close(1_000);
    assert.deepEqual(store.lines, [JSON.stringify(kept)]);
    assert.ok(store.isClosed);
  });

  it("gives ids that grow, whatever the clock does, also across restarts", () => {
    const { journal, clock, ids } = journalOn(new FakeStore([JSON.stringify(eventOf(5_000))]));
    journal.open();
    journal.take(entryOf());
    journal.take(entryOf());
    clock.wallMs = 9_000;
    journal.take(entryOf());
    clock.wallMs = 8_000;
    journal.take(entryOf());
    assert.deepEqual(ids(), [5_000, 5_001, 5_002, 9_000, 9_001]);
    assert.equal(journal.newestId, 9_001);
    assert.deepEqual(
      journal.after(5_001, 2).map(({ id }) => id),
      [5_002, 9_000],
    );
  });

  it("keeps the newest ten thousand", () => {
    const { journal, ids } = journalOn(new FakeStore());
    for (let n = 0; n < 25_000; n += 1) journal.take(entryOf());
    assert.equal(ids().length, 10_000);
    assert.equal(ids().at(-1), journal.newestId);
    assert.equal(journal.page(ALL).oldest, ids()[0]);
  });

  it("says what was damaged, and starts without the files where they cannot be read", () => {
    const store = new FakeStore();
    store.problems = ["1.jsonl: the last 3 bytes were cut off"];
    const damaged = journalOn(store);
    damaged.journal.open();
    assert.deepEqual(damaged.said, ["warning events: 1.jsonl: the last 3 bytes were cut off"]);
    const broken = journalOn({
      ...store,
      append: (lines) => store.append(lines),
      close: () => store.close(),
      recover: () => {
        throw new Error("EACCES");
      },
    });
    broken.journal.open();
    broken.journal.take(entryOf());
    assert.match(broken.said.join(), /those of earlier runs could not be read: EACCES/);
    assert.equal(broken.ids().length, 1);
  });

  it("writes nothing before it is opened, and then what came before", async () => {
    const store = new FakeStore();
    const { journal } = journalOn(store);
    journal.take(entryOf());
    await turns();
    assert.deepEqual(store.batches, []);
    journal.open();
    await turns();
    assert.deepEqual(store.ids, [1_000]);
  });

  it("writes in batches, one at a time", async () => {
    const store = new FakeStore();
    let release: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      release = resolve;
    });
    const { journal, ids } = journalOn(store);
    journal.open();
    for (let n = 0; n < 1_200; n += 1) journal.take(entryOf());
    await turns();
    assert.deepEqual(store.batches, [], "the disk is slow; nobody waits for it");
    store.gate = null;
    release();
    await journal.close(1_000);
    assert.deepEqual(store.batches, [1, 500, 500, 199]);
    assert.deepEqual(store.ids, ids());
  });

  it("says once that the disk is full, keeps what waits, and writes it when there is room", async () => {
    const store = new FakeStore();
    store.isFull = true;
    const { journal, said, ids } = journalOn(store);
    journal.open();
    for (let n = 0; n < 3; n += 1) {
      journal.take(entryOf());
      await turns();
    }
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /^warning events: writing failed: ENOSPC\. Check that .* kept in memory meanwhile/);
    store.isFull = false;
    journal.take(entryOf());
    await turns();
    assert.deepEqual(store.ids, ids());
    assert.deepEqual(said.slice(1), ["notice events: they are written again; none is missing"]);
    await journal.close(1_000);
  });

  it("counts what the files lack when the disk was full for long", async () => {
    const store = new FakeStore();
    store.isFull = true;
    const { journal, said } = journalOn(store);
    journal.open();
    for (let n = 0; n < 10_010; n += 1) journal.take(entryOf());
    await turns();
    store.isFull = false;
    journal.take(entryOf());
    await journal.close(1_000);
    assert.equal(store.lines.length, 10_000);
    assert.equal(said.at(-1), "notice events: they are written again; 11 are missing in the files");
  });

  it("a disk that hangs does not hold up a stop", async () => {
    const store = new FakeStore();
    store.gate = new Promise(() => undefined);
    const { journal } = journalOn(store);
    journal.open();
    journal.take(entryOf());
    await journal.close(5);
  });

  it("keeps one line of bounded length of whatever it is told", () => {
    const { journal } = journalOn(new FakeStore());
    journal.take(entryOf({ subject: "a\u001b[2J\nb", from: null, to: null, cause: "x".repeat(5_000) }));
    const [event] = journal.page(ALL).events;
    assert.equal(event?.subject, "a [2J b");
    assert.deepEqual([event?.from, event?.to], [null, null]);
    assert.equal(event?.cause.length, 1_000);
  });

  it("tells who subscribed", () => {
    const { journal } = journalOn(new FakeStore());
    let told = 0;
    const end = journal.subscribe(() => {
      told += 1;
    });
    journal.take(entryOf());
    journal.take({ level: "info", source: "vrrp", message: "no event" });
    end();
    journal.take(entryOf());
    assert.equal(told, 1);
  });
});
