import assert from "node:assert/strict";
import type { LoadedConfig } from "../../src/app/reloader.ts";
import { chooseAtStart } from "../../src/app/start-config.ts";
import { type Trial, TrialBook } from "../../src/app/trial-book.ts";
import { Trials } from "../../src/app/trials.ts";
import { err, ok } from "../../src/base/result.ts";
import type { DirectorConfig } from "../../src/config/model.ts";
import { MemoryLogger, MemoryStore } from "../support/memory-store.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const NOW_MS = 1_000_000_000_000;
const texts = (text: string) => [{ path: "/etc/x.yaml", text }];
const loadedOf = (node: string): LoadedConfig => ({
  config: { node } as DirectorConfig,
  keys: {},
  headerSecrets: {},
  warnings: [],
  texts: texts(node),
});
const TRIAL: Trial = {
  state: "waiting",
  before: texts("old"),
  tried: texts("new"),
  untilMs: NOW_MS + 30_000,
  lengthMs: 60_000,
};

/** A start after a daemon that left this trial behind. `bad` is a text that does not validate. */
function start(trial: Trial | null, file = "new", bad: readonly string[] = []) {
  const store = new MemoryStore(trial === null ? null : JSON.stringify({ version: 1, trial }));
  const book = new TrialBook({ store });
  assert.equal(book.load(), null);
  const take = (text: string) => (bad.includes(text) ? err(`${text} is bad`) : ok(loadedOf(text)));
  const chosen = chooseAtStart({
    book,
    load: () => take(file),
    loadKept: ([first]) => take(first?.text ?? ""),
    isOnDisk: ([first]) => first?.text === file,
    wallMs: () => NOW_MS,
  });
  return { node: chosen.ok ? chosen.value.loaded.config.node : chosen.error, chosen, trial: book.trial, book, store };
}

describe("which configuration a start takes", () => {
  it("that of the files, without a trial or while one waits", () => {
    assert.equal(start(null).node, "new");
    const waiting = start(TRIAL);
    assert.deepEqual([waiting.node, waiting.trial?.state], ["new", "waiting"]);
    const edited = start(TRIAL, "newer");
    assert.deepEqual([edited.node, edited.trial?.tried], ["newer", texts("newer")]);
  });

  it("the one before, where the time was over while no daemon ran, and ever after while the files are the same", () => {
    const over = start({ ...TRIAL, untilMs: NOW_MS - 1 });
    assert.deepEqual([over.node, over.trial?.state], ["old", "reverted"]);
    assert.ok(over.chosen.ok && over.chosen.value.wentBack === "nobody confirmed what was tried");
    assert.equal(start(over.trial).node, "old");
    const edited = start(over.trial, "newer");
    assert.deepEqual([edited.node, edited.trial], ["newer", null]);
    assert.match(edited.store.text ?? "", /"trial":null/);
  });

  it("the one before, where what is on trial does not validate any more", () => {
    const broken = start(TRIAL, "broken", ["broken"]);
    assert.deepEqual([broken.node, broken.trial?.state], ["old", "reverted"]);
    assert.equal(start(TRIAL, "broken", ["broken", "old"]).node, "broken is bad");
    assert.equal(start({ ...TRIAL, untilMs: 0 }, "new", ["old"]).node, "new", "better what was tried than nothing");
    assert.equal(start(null, "broken", ["broken"]).node, "broken is bad");
  });

  it("a record that cannot be used is set aside, and said", () => {
    for (const text of [
      "{",
      '{"version":1}',
      '{"version":1,"trial":{"state":"waiting"}}',
      '{"version":2,"trial":null}',
    ]) {
      const book = new TrialBook({ store: new MemoryStore(text) });
      assert.match(book.load() ?? "", /is damaged .* it now counts as confirmed/, text);
      assert.equal(book.trial, null);
    }
  });

  it("the time goes on where it was, and a clock that was set does not make it longer", async () => {
    for (const [untilMs, afterS] of [
      [NOW_MS + 30_000, 30],
      [NOW_MS + 9_000_000, 60],
    ] as const) {
      const time = new VirtualTime();
      const logger = new MemoryLogger();
      const book = new TrialBook({
        store: new MemoryStore(JSON.stringify({ version: 1, trial: { ...TRIAL, untilMs } })),
      });
      book.load();
      const over: string[] = [];
      const clock = { nowUs: () => time.nowUs(), wallMs: () => NOW_MS };
      new Trials({ book, clock, alarms: time, logger, onOver: (cause) => void over.push(cause) }).open(null);
      await time.advanceSettled((afterS - 1) * 1_000_000);
      assert.deepEqual(over, []);
      await time.advanceSettled(1_000_000);
      assert.deepEqual(over, ["nobody confirmed it within 1m"]);
      assert.match(logger.entries[0]?.message ?? "", /to be confirmed until 20\d\d-.*`holdfast confirm`/);
    }
  });
});
