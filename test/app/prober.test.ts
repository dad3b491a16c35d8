import assert from "node:assert/strict";
import { Prober } from "../../src/app/prober.ts";
import type { ProbeLine } from "../../src/drill/probe-lines.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const EVERY = 10_000;
const TIMEOUT = 50_000;

describe("the prober", () => {
  let time: VirtualTime;
  let lines: ProbeLine[];
  let ended: number | null;
  let forgotten: number[];
  let isClosed: boolean;

  /** @param fate after how long a question is answered, null = never; a text = why it fails */
  function start(fate: (id: number) => number | null | string, forUs = 1_000_000): Prober {
    time = new VirtualTime();
    lines = [];
    ended = null;
    forgotten = [];
    isClosed = false;
    return new Prober(
      { target: "icmp://192.0.2.10", everyUs: EVERY, timeoutUs: TIMEOUT, forUs },
      {
        clock: time,
        alarms: time,
        asker: {
          ask: (id, done) => {
            const what = fate(id);
            let isForgotten = false;
            if (what !== null)
              time.after(typeof what === "number" ? what : 0, () => {
                if (!isForgotten) done(typeof what === "number" ? null : what);
              });
            return {
              forget: () => {
                isForgotten = true;
                forgotten.push(id);
              },
            };
          },
          close: () => {
            isClosed = true;
          },
        },
        write: (line) => lines.push(line),
        ended: (failed) => {
          ended = failed;
        },
      },
    );
  }

  const samples = () => lines.filter((line) => line.type === "sample");

  it("asks at its pace whatever became of earlier questions, and ends by itself", () => {
    start((id) => (id === 3 ? null : 700), 100_000);
    time.advance(300_000);
    assert.deepEqual(lines[0], {
      type: "start",
      version: 1,
      target: "icmp://192.0.2.10",
      everyUs: EVERY,
      timeoutUs: TIMEOUT,
    });
    assert.deepEqual(
      samples().map(({ id, sentUs, tookUs }) => [id, sentUs, tookUs]),
      [0, 1, 2, 4, 5, 6, 7, 3, 8, 9].map((id) => [id, id * EVERY, id === 3 ? null : 700]),
      "question 3 is told when its time is over, between others",
    );
    assert.equal(samples().find(({ id }) => id === 3)?.reason, "no answer within 50 ms");
    assert.deepEqual(lines.at(-1), { type: "end", sent: 10, failed: 1 });
    assert.deepEqual([ended, forgotten, isClosed], [1, [3], true]);
  });

  it("tells why a question was refused", () => {
    start(() => "ECONNREFUSED", 20_000);
    time.advance(200_000);
    assert.deepEqual(
      samples().map(({ reason }) => reason),
      ["ECONNREFUSED", "ECONNREFUSED"],
    );
    assert.equal(ended, 2);
  });

  it("does not make up for what it missed while the machine stood still", () => {
    start(() => 100, 100_000);
    time.advance(25_000);
    // The alarm for 30 ms goes off at 62 ms.
    time.alarmLateUs = 32_000;
    time.advance(10_000);
    time.alarmLateUs = 0;
    time.advance(300_000);
    const sent = samples().map(({ sentUs }) => sentUs);
    assert.ok(sent.length < 10, `${sent}`);
    assert.ok(
      sent.slice(1).every((us, index) => us - (sent[index] ?? 0) >= 1_000),
      `no burst: ${sent}`,
    );
    assert.equal(lines.at(-1)?.type, "end");
  });

  it("told to end, it waits for what is under way", () => {
    const prober = start((id) => (id === 2 ? null : 5_000));
    time.advance(23_000);
    prober.end();
    prober.end();
    assert.equal(ended, null);
    time.advance(200_000);
    assert.deepEqual([ended, lines.at(-1)], [1, { type: "end", sent: 3, failed: 1 }]);
    assert.equal(lines.filter(({ type }) => type === "end").length, 1);
  });
});
