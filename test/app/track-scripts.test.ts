import assert from "node:assert/strict";
import { scriptFactKey } from "../../src/app/messages.ts";
import { TrackScripts } from "../../src/app/track-scripts.ts";
import type { TrackedScript } from "../../src/config/model.ts";
import type { ScriptFact } from "../../src/vrrp/track.ts";
import { target } from "../support/check-configs.ts";
import { FakeCheckers, HANG, PASS, REFUSE } from "../support/fake-checkers.ts";
import { MemoryLogger } from "../support/memory-store.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;

function script(change: Partial<TrackedScript> = {}): TrackedScript {
  return {
    name: "disk",
    command: ["/bin/true"],
    intervalUs: SECOND,
    timeoutUs: SECOND / 2,
    rise: 2,
    fall: 3,
    weight: null,
    ...change,
  };
}

function rig() {
  const time = new VirtualTime();
  const startUs = time.nowUs();
  const checkers = new FakeCheckers(time);
  const logger = new MemoryLogger();
  const facts = new Map<string, ScriptFact>();
  /** What was told, with the time since the start. */
  const told: string[] = [];
  const scripts = new TrackScripts({
    clock: time,
    alarms: time,
    logger,
    random: () => 0,
    createChecker: (instance, check) => checkers.factory(check, target(0, { service: instance, check: check.name })),
    publish: (key, fact) => {
      told.push(`${(time.nowUs() - startUs) / 1_000} ${key} ${fact === null ? "gone" : fact.isPassing}`);
      if (fact === null) facts.delete(key);
      else facts.set(key, fact);
    },
  });
  const track = (...list: readonly TrackedScript[]) =>
    scripts.reconfigure(
      list.map((each) => ({ instance: "web4", script: each })),
      4,
    );
  const lines = () => logger.entries.map(({ message }) => message);
  return { time, checkers, scripts, facts, told, track, lines };
}

const DISK = scriptFactKey("web4", "disk");

describe("app/track-scripts", () => {
  it("tells nothing before the first run, then what it said; fails by fall and recovers by rise", async () => {
    const { time, checkers, track, told, lines } = rig();
    track(script());
    assert.deepEqual(told, []);
    await time.advanceSettled(SECOND / 2);
    checkers.answer = () => REFUSE;
    await time.advanceSettled(4 * SECOND);
    checkers.answer = () => PASS;
    await time.advanceSettled(5 * SECOND);
    assert.deepEqual(told, [`0 ${DISK} true`, `3000 ${DISK} false`, `6000 ${DISK} true`]);
    assert.deepEqual(lines(), [
      "instance web4: tracked script disk unknown -> passes: fine",
      "instance web4: tracked script disk passes -> fails: refused",
      "instance web4: tracked script disk fails -> passes: fine",
    ]);
  });

  it("one that hangs is ended at its timeout, and has failed", async () => {
    const { time, checkers, track, told } = rig();
    checkers.answer = () => HANG;
    track(script({ fall: 1 }));
    await time.advanceSettled(SECOND / 2);
    assert.deepEqual(told, [`500 ${DISK} false`]);
    assert.equal(checkers.running, 0);
    assert.equal(checkers.aborted, 1);
  });

  it("one whose timeout passed while this process stood still has not failed: its answer waited", async () => {
    const { time, checkers, track, told } = rig();
    checkers.answer = () => ({ ...PASS, afterUs: 2 * SECOND + 100 });
    track(script({ fall: 1, intervalUs: 10 * SECOND }));
    await time.advanceSettled(1);
    time.stall(2 * SECOND);
    await time.advanceSettled(SECOND / 4);
    assert.deepEqual(told, [`2000.1 ${DISK} true`]);
    assert.equal(checkers.aborted, 0);
  });

  it("runs no more at once than it may, and says so of one that never gets its turn", async () => {
    const { time, checkers, scripts, told, lines } = rig();
    checkers.answer = () => HANG;
    const slow = script({ timeoutUs: SECOND });
    scripts.reconfigure(
      ["a", "b", "c"].map((name) => ({ instance: "web4", script: { ...slow, name } })),
      1,
    );
    await time.advanceSettled(10 * SECOND);
    assert.equal(checkers.maxRunning, 1);
    assert.equal(new Set(told.map((line) => line.split(" ")[1])).size, 3, "each gets its turn");
    assert.equal(lines().filter((line) => line.includes("no script slot came free within 1s")).length > 0, true);
  });

  it("a reload leaves alone what did not change, keeps what stood, and forgets what is gone", async () => {
    const { time, checkers, track, told, facts } = rig();
    track(script());
    await time.advanceSettled(SECOND / 2);
    track(script());
    await time.advanceSettled(SECOND);
    assert.equal(checkers.starts.length, 2, "the schedule goes on");
    // A changed script begins as up as it was: one failure is not enough.
    checkers.answer = () => REFUSE;
    track(script({ intervalUs: 2 * SECOND }));
    await time.advanceSettled(SECOND);
    assert.equal(facts.get(DISK)?.isPassing, true);
    track();
    assert.deepEqual(told.at(-1), `2500 ${DISK} gone`);
    const runs = checkers.starts.length;
    await time.advanceSettled(10 * SECOND);
    assert.equal(checkers.starts.length, runs);
  });

  it("a stop ends what runs and tells nothing more: what was found out stands", async () => {
    const { time, checkers, scripts, track, told } = rig();
    track(script());
    await time.advanceSettled(SECOND / 2);
    checkers.answer = () => HANG;
    await time.advanceSettled(SECOND / 2);
    scripts.stop();
    await time.advanceSettled(10 * SECOND);
    assert.deepEqual([told, checkers.running], [[`0 ${DISK} true`], 0]);
  });
});
