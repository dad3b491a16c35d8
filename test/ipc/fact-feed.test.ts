import assert from "node:assert/strict";
import { FactFeed } from "../../src/ipc/fact-feed.ts";
import type { FactEntry } from "../../src/ipc/messages.ts";

type Phase = { readonly phase: string };
const MASTER: Phase = { phase: "master" };
const BACKUP: Phase = { phase: "backup" };

/** A child that takes one message and then waits to be told. */
function listener() {
  const heard: (readonly FactEntry<Phase>[])[] = [];
  const waiting: (() => void)[] = [];
  const transmit = (entries: readonly FactEntry<Phase>[], done: () => void) => {
    heard.push(entries);
    waiting.push(done);
  };
  return { heard, transmit, takeOne: () => waiting.shift()?.() };
}

describe("ipc fact feed", () => {
  it("tells a child that starts everything known at once, and nothing where nothing is known", () => {
    const feed = new FactFeed<Phase>();
    const early = listener();
    feed.attach(early.transmit);
    assert.deepEqual(early.heard, []);
    feed.detach();
    feed.tell([["a", MASTER]]);
    feed.tell([
      ["a", BACKUP],
      ["b", MASTER],
      ["c", null],
    ]);
    const late = listener();
    feed.attach(late.transmit);
    assert.deepEqual(late.heard, [
      [
        ["a", BACKUP],
        ["b", MASTER],
      ],
    ]);
    assert.deepEqual(early.heard, []);
  });

  it("does not repeat what is known", () => {
    const feed = new FactFeed<Phase>();
    const { heard, transmit, takeOne } = listener();
    feed.attach(transmit);
    feed.tell([["a", MASTER]]);
    takeOne();
    feed.tell([["a", { ...MASTER }]]);
    feed.tell([["b", null]]);
    assert.equal(heard.length, 1);
    feed.tell([["a", null]]);
    assert.deepEqual(heard[1], [["a", null]]);
  });

  it("keeps only the latest of each key while the child does not read", () => {
    const feed = new FactFeed<Phase>();
    const { heard, transmit, takeOne } = listener();
    feed.attach(transmit);
    feed.tell([["a", MASTER]]);
    for (let i = 0; i < 1000; i += 1) feed.tell([["a", { phase: `${i}` }]]);
    feed.tell([
      ["a", BACKUP],
      ["b", MASTER],
    ]);
    assert.equal(heard.length, 1);
    takeOne();
    assert.deepEqual(heard[1], [
      ["a", BACKUP],
      ["b", MASTER],
    ]);
    takeOne();
    assert.equal(heard.length, 2);
  });

  it("expects nothing of a child that is gone", () => {
    const feed = new FactFeed<Phase>();
    const first = listener();
    const second = listener();
    feed.attach(first.transmit);
    feed.tell([["a", MASTER]]);
    feed.detach();
    feed.tell([["a", BACKUP]]);
    feed.attach(second.transmit);
    assert.deepEqual(second.heard, [[["a", BACKUP]]]);
    feed.tell([["a", MASTER]]);
    first.takeOne();
    assert.equal(second.heard.length, 1, "the first child's answer does not free the second one's channel");
    second.takeOne();
    assert.deepEqual(second.heard[1], [["a", MASTER]]);
  });
});
