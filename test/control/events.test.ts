import assert from "node:assert/strict";
import { EventStreamReader } from "../../src/control/event-stream.ts";
import {
  EVENT_TYPES,
  type EventQuery,
  firstAfter,
  isEventLine,
  parseEventQuery,
  selectEvents,
} from "../../src/control/events.ts";
import { eventOf } from "../support/few-events.ts";

const EVENTS = [eventOf(10), eventOf(20, { type: "server" }), eventOf(30), eventOf(40, { type: "reload" })];
const ALL: EventQuery = { after: null, limit: 100, types: [], sinceMs: null };
const idsOf = (change: Partial<EventQuery>) => selectEvents(EVENTS, { ...ALL, ...change }).map(({ id }) => id);

describe("which events are wanted", () => {
  it("the newest, in order", () => {
    assert.deepEqual(idsOf({}), [10, 20, 30, 40]);
    assert.deepEqual(idsOf({ limit: 2 }), [30, 40]);
    assert.deepEqual(idsOf({ limit: 0 }), []);
  });
  it("those after one that was seen, the first of them", () => {
    assert.deepEqual(idsOf({ after: 20 }), [30, 40]);
    assert.deepEqual(idsOf({ after: 25 }), [30, 40]);
    assert.deepEqual(idsOf({ after: 0, limit: 3 }), [10, 20, 30]);
    assert.deepEqual(idsOf({ after: 40 }), []);
  });
  it("all of them where the one that was seen is of another journal", () => {
    assert.deepEqual(idsOf({ after: 41 }), [10, 20, 30, 40]);
    assert.equal(firstAfter([], 41), 0);
  });
  it("of some types, since a time", () => {
    assert.deepEqual(idsOf({ types: ["server", "reload"] }), [20, 40]);
    assert.deepEqual(idsOf({ types: ["instance"], limit: 1 }), [30]);
    assert.deepEqual(idsOf({ sinceMs: 20 }), [20, 30, 40]);
  });
});

describe("how a request says which", () => {
  const parsed = (query: string) => parseEventQuery(new URLSearchParams(query));

  it("by its query", () => {
    assert.deepEqual(parsed(""), { ok: true, value: ALL });
    assert.deepEqual(parsed("after=7&limit=2&type=server,drift&type=drill&since=1970-01-01T00:00:01Z"), {
      ok: true,
      value: { after: 7, limit: 2, types: ["server", "drift", "drill"], sinceMs: 1_000 },
    });
    assert.ok(EVENT_TYPES.every((type) => parsed(`type=${type}`).ok));
  });
  it("and what is wrong with it is said", () => {
    const rows: readonly (readonly [string, RegExp])[] = [
      ["after=-1", /after is the id/],
      ["after=1e3", /after is the id/],
      ["after=99999999999999999", /after is the id/],
      ["limit=10001", /limit is a whole number up to 10000/],
      ["limit=", /limit is/],
      ["type=sever", /"sever" is no type of event; daemon, process, instance, .* are/],
      ["type=", /"" is no type/],
      ["since=yesterday", /since is a time such as/],
      ["form=1", /form is not known here; after, limit/],
    ];
    for (const [query, sentence] of rows) {
      const result = parsed(query);
      assert.match(result.ok ? "accepted" : result.error, sentence, query);
    }
  });
});

describe("a line of the files", () => {
  it("is an event, or not", () => {
    const good = JSON.stringify(eventOf(1));
    assert.ok(isEventLine(good));
    for (const line of ["", "{}", "null", "7", good.slice(0, -1), "\u0000\u0000", good.replace('"id":1', '"id":"1"')])
      assert.ok(!isEventLine(line), line);
    assert.ok(!isEventLine(JSON.stringify({ ...eventOf(1), at: "when" })));
    assert.ok(!isEventLine(JSON.stringify({ ...eventOf(1), to: 3 })));
    assert.ok(isEventLine(JSON.stringify({ ...eventOf(1), to: null, added: "later" })));
  });
});

describe("a stream of events", () => {
  it("is read however it is cut", () => {
    const text = `retry: 1000\n\n: alive\n\nid: 10\ndata: ${JSON.stringify(EVENTS[0])}\n\nid: 20\ndata: ${JSON.stringify(EVENTS[1])}\n\n`;
    for (let size = 1; size < text.length; size += 7) {
      const reader = new EventStreamReader();
      const read = [];
      for (let at = 0; at < text.length; at += size) read.push(...reader.push(text.slice(at, at + size)));
      assert.deepEqual(read, EVENTS.slice(0, 2), `pieces of ${size}`);
    }
  });
});
