import assert from "node:assert/strict";
import { InstanceTally } from "../../src/app/instance-tally.ts";
import { InstanceVoice } from "../../src/app/instance-voice.ts";
import { Succession } from "../../src/app/succession.ts";
import { MemoryLogger } from "../support/memory-store.ts";
import { instance } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";

function bench() {
  const logger = new MemoryLogger();
  const tally = new InstanceTally();
  const voice = new InstanceVoice(instance(200), { clock: new VirtualTime(), logger });
  const said = () => logger.entries.map(({ level, message }) => `${level} ${message.replace(/^.*\): /, "")}`);
  return { succession: new Succession({ tally, voice }), tally, said };
}

const ENDED = {
  type: "handoverEnded",
  purpose: "rest",
  successor: null,
  tookUs: 5,
  reason: "nobody answered",
} as const;
const SILENCE = { type: "silenceAnswered", successor: null, tookUs: 7, reason: "nobody took over" } as const;

describe("succession of an instance", () => {
  it("tells everybody who waits, once, and counts", async () => {
    const { succession, tally, said } = bench();
    const waiting = [succession.outcome(), succession.outcome()];
    succession.handoverEnded({ ...ENDED, successor: "192.0.2.3", reason: "handed over" }, "backup", 0);
    const report = { successor: "192.0.2.3", tookUs: 5, reason: "handed over" };
    assert.deepEqual(await Promise.all(waiting), [report, report]);
    assert.equal(tally.handovers, 1);
    assert.deepEqual(said(), [], "the transition says it");
    const next = succession.outcome();
    succession.silenceAnswered(SILENCE);
    assert.deepEqual(await next, { successor: null, tookUs: 7, reason: "nobody took over" });
  });

  it("says that a handover failed, but not that a stop found nobody", () => {
    const { succession, tally, said } = bench();
    succession.handoverEnded(ENDED, "master", 0);
    succession.handoverEnded({ ...ENDED, purpose: "stop" }, "initialize", 0);
    assert.deepEqual(said(), ["warning handover failed, this node serves on: nobody answered"]);
    assert.equal(tally.handovers, 0);
    assert.equal(succession.unfollowedUs, null);
  });

  it("remembers when nobody followed its group, only while it serves on", () => {
    const { succession, said } = bench();
    succession.handoverEnded({ ...ENDED, purpose: "follow" }, "fault", 1);
    assert.equal(succession.unfollowedUs, null);
    succession.handoverEnded({ ...ENDED, purpose: "follow" }, "master", 2);
    assert.equal(succession.unfollowedUs, 2);
    assert.deepEqual(said(), ["warning its group is master elsewhere, but nobody answered; this node serves on"]);
  });

  it("says who took over from one that plays dead, or that nobody did", () => {
    const { succession, said } = bench();
    succession.silenceAnswered({ ...SILENCE, successor: "192.0.2.3", reason: "192.0.2.3 took over" });
    succession.silenceAnswered(SILENCE);
    assert.deepEqual(said(), ["notice drill: 192.0.2.3 took over", "warning drill: no successor: nobody took over"]);
  });
});
