import assert from "node:assert/strict";
import type { UpMessage } from "../../src/ipc/messages.ts";
import { Outbox } from "../../src/ipc/outbox.ts";
import type { LogEntry } from "../../src/ports/logger.ts";

const line = (message: string): LogEntry => ({ level: "info", source: "test", message });
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** An outbox whose channel takes one message and then waits to be told. */
function stalled() {
  const sent: UpMessage<number>[] = [];
  const waiting: (() => void)[] = [];
  const outbox = new Outbox<number>((message, done) => {
    sent.push(message);
    waiting.push(done);
  });
  return { outbox, sent, takeOne: () => waiting.shift()?.() };
}

describe("ipc outbox", () => {
  it("keeps only the latest state of each object while the reader does not read", async () => {
    const { outbox, sent, takeOne } = stalled();
    outbox.state("a", 1);
    await turn();
    for (let i = 2; i <= 1000; i += 1) outbox.state("a", i);
    outbox.state("b", 5);
    outbox.state("b", null);
    assert.deepEqual(sent, [{ type: "state", entries: [["a", 1]] }]);
    takeOne();
    assert.deepEqual(sent[1], {
      type: "state",
      entries: [
        ["a", 1000],
        ["b", null],
      ],
    });
    takeOne();
    await turn();
    assert.equal(sent.length, 2);
  });

  it("bounds waiting log lines and tells how many it dropped", async () => {
    const { outbox, sent, takeOne } = stalled();
    outbox.ready();
    await turn();
    for (let i = 0; i < 1_500; i += 1) outbox.log(line(`line ${i}`));
    for (let i = 0; i < 20; i += 1) takeOne();
    const logs = sent.filter((message) => message.type === "log");
    assert.equal(logs.flatMap(({ entries }) => entries).length, 1_000);
    assert.deepEqual(logs[0]?.entries[0], line("line 0"));
    assert.equal(
      logs.reduce((sum, { dropped }) => sum + dropped, 0),
      500,
    );
  });

  it("keeps changes of state when plain lines are dropped already, and counts those it must drop", async () => {
    const { outbox, sent, takeOne } = stalled();
    const event = { type: "server", subject: "s", from: "up", to: "down", cause: "c" } as const;
    outbox.ready();
    await turn();
    for (let i = 0; i < 1_500; i += 1) outbox.log(line(`line ${i}`));
    for (let i = 0; i < 20_010; i += 1) outbox.log({ ...line(`event ${i}`), event });
    for (let i = 0; i < 120; i += 1) takeOne();
    const logs = sent.filter((message) => message.type === "log");
    const entries = logs.flatMap((message) => message.entries);
    const sum = (pick: (log: (typeof logs)[number]) => number) => logs.reduce((total, log) => total + pick(log), 0);
    assert.equal(entries.filter((entry) => entry.event === undefined).length, 1_000);
    assert.equal(entries.filter((entry) => entry.event !== undefined).length, 20_000);
    assert.deepEqual([sum(({ dropped }) => dropped), sum(({ droppedEvents }) => droppedEvents)], [510, 10]);
    outbox.log({ ...line("later"), event });
    await turn();
    takeOne();
    assert.equal(sent.at(-1)?.type, "log", "there is room again");
  });

  it("never drops replies, and sends everything in small messages", async () => {
    const { outbox, sent, takeOne } = stalled();
    for (let i = 0; i < 500; i += 1) outbox.state(`key ${i}`, i);
    outbox.reply(7, { ok: true, value: null });
    await turn();
    for (let i = 0; i < 10; i += 1) takeOne();
    await outbox.drained();
    const states = sent.filter((message) => message.type === "state");
    assert.deepEqual(
      states.map(({ entries }) => entries.length),
      [200, 200, 100],
    );
    assert.deepEqual(sent.at(-1), { type: "reply", id: 7, outcome: { ok: true, value: null } });
  });
});
