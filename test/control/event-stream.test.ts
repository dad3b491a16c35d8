import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventStreams } from "../../src/control/event-stream.ts";
import type { Answer, ControlHandlers } from "../../src/control/routes.ts";
import { ControlServer } from "../../src/control/server.ts";
import { eventOf, FewEvents } from "../support/few-events.ts";
import { turns } from "../support/turns.ts";

/** A reader whose connection takes what the test lets it take. */
class Reader {
  readonly texts: string[] = [];
  isBlocked = false;
  isDropped = false;
  #drained: () => void = () => undefined;
  readonly stop: () => void;

  constructor(answer: Answer | null) {
    assert.ok(answer?.type === "stream");
    this.stop = answer.start({
      write: (text) => {
        this.texts.push(text);
        return !this.isBlocked;
      },
      onDrain: (listener) => {
        this.#drained = listener;
      },
      drop: () => {
        this.isDropped = true;
      },
    });
  }

  drain(): void {
    this.isBlocked = false;
    this.#drained();
  }

  get ids(): readonly number[] {
    return [...this.texts.join("").matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  }
}

describe("server-sent events", () => {
  it("a new reader gets what happens from now on, one that was here before what it missed", async () => {
    const source = new FewEvents();
    source.add(eventOf(10), eventOf(20));
    const streams = new EventStreams(source);
    const [fresh, back] = [new Reader(streams.answer(null, [])), new Reader(streams.answer(10, []))];
    source.add(eventOf(30));
    await turns();
    assert.deepEqual([fresh.ids, back.ids], [[30], [20, 30]]);
    assert.equal(fresh.texts[0], "retry: 1000\n\n");
    assert.equal(fresh.texts[1], `id: 30\ndata: ${JSON.stringify(eventOf(30))}\n\n`);
    for (const reader of [fresh, back]) reader.stop();
    assert.equal(source.readers, 0);
    source.add(eventOf(40));
    await turns();
    assert.deepEqual(fresh.ids, [30], "nothing after the end");
  });

  it("the events of one turn travel together, of the types that are wanted", async () => {
    const source = new FewEvents();
    const reader = new Reader(new EventStreams(source).answer(null, ["server"]));
    for (let id = 1; id <= 250; id += 1) source.add(eventOf(id, { type: id % 2 === 0 ? "server" : "sync" }));
    await turns();
    assert.equal(reader.ids.length, 125);
    assert.equal(reader.texts.length, 1 + 3);
    reader.stop();
  });

  it("a slow reader gets everything later, and no buffer of its own", async () => {
    const source = new FewEvents();
    const reader = new Reader(new EventStreams(source).answer(null, []));
    reader.isBlocked = true;
    for (let id = 1; id <= 1_000; id += 1) source.add(eventOf(id));
    await turns();
    assert.equal(reader.ids.length, 100);
    reader.drain();
    await turns();
    assert.deepEqual([reader.ids.length, reader.ids.at(-1)], [1_000, 1_000]);
    reader.stop();
  });

  it("one that takes nothing any more is dropped; one that is only quiet hears that we are alive", async () => {
    const source = new FewEvents();
    const streams = new EventStreams(source, { heartbeatMs: 5, stalledMs: 20 });
    const [stuck, quiet] = [new Reader(streams.answer(null, [])), new Reader(streams.answer(null, []))];
    stuck.isBlocked = true;
    source.add(eventOf(1));
    while (!stuck.isDropped) await turns();
    assert.ok(!quiet.isDropped);
    assert.ok(quiet.texts.includes(": alive\n\n"));
    assert.ok(!stuck.texts.includes(": alive\n\n"), "nothing is piled up in front of it");
    for (const reader of [stuck, quiet]) reader.stop();
  });

  it("their number is bounded", () => {
    const streams = new EventStreams(new FewEvents(), { maxStreams: 2 });
    const readers = [1, 2].map(() => new Reader(streams.answer(null, [])));
    assert.equal(streams.answer(null, []), null);
    readers[0]?.stop();
    new Reader(streams.answer(null, [])).stop();
    readers[1]?.stop();
  });
});

describe("events by the control API", () => {
  let dir: string;
  let server: ControlServer;
  let source: FewEvents;
  let open: IncomingMessage[] = [];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-events-"));
    source = new FewEvents();
    server = await ControlServer.listen({ path: join(dir, "s"), groupId: null }, {
      events: source,
    } as unknown as ControlHandlers);
  });
  afterEach(async () => {
    for (const response of open) response.destroy();
    open = [];
    await server.close();
    rmSync(dir, { recursive: true });
  });

  const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const asked = request({ socketPath: join(dir, "s"), path, headers }, (response) => {
        open.push(response);
        resolve(response);
      });
      asked.once("error", reject);
      asked.end();
    });
  const json = async (path: string): Promise<{ readonly status: number | undefined; readonly body: unknown }> => {
    const response = await get(path);
    let text = "";
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, body: JSON.parse(text) };
  };
  const STREAM = { accept: "text/event-stream" };

  it("answers a page", async () => {
    source.add(eventOf(10), eventOf(20));
    assert.deepEqual(await json("/v1/events?limit=1"), {
      status: 200,
      body: { version: 1, events: [eventOf(20)], oldest: 10, newest: 20 },
    });
    assert.deepEqual(await json("/v1/events?after=x"), {
      status: 400,
      body: { code: "CONTROL_REFUSED", message: "after is the id of an event" },
    });
  });

  it("streams to who accepts a stream, from where it was", async () => {
    source.add(eventOf(10), eventOf(20));
    const response = await get("/v1/events?after=0", { ...STREAM, "last-event-id": "10" });
    assert.equal(response.headers["content-type"], "text/event-stream");
    let text = "";
    for await (const chunk of response) {
      text += chunk;
      if (text.includes("id: 20\n") && source.readers === 1 && !text.includes("id: 30\n")) source.add(eventOf(30));
      if (text.includes("id: 30\n")) break;
    }
    assert.deepEqual(
      [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id),
      ["20", "30"],
    );
    response.destroy();
    while (source.readers > 0) await turns();
  });

  it("takes what is no id for none, and tells the one too many why not", async () => {
    await get("/v1/events", { ...STREAM, "last-event-id": "'; drop" });
    for (let n = 2; n <= 16; n += 1) await get("/v1/events", STREAM);
    const refusal = await get("/v1/events", STREAM);
    assert.equal(refusal.statusCode, 503);
  });
});
