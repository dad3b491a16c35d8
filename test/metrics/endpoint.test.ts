import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { MetricsEndpoint } from "../../src/metrics/endpoint.ts";
import { MemoryLogger } from "../support/memory-store.ts";

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe("metrics over TCP", () => {
  const logger = new MemoryLogger();
  let fails = false;
  let endpoint: MetricsEndpoint;
  let port: number;
  let other: Server | undefined;
  const at = (where: number) => ({ address: "127.0.0.1", port: where });
  const get = (path = "/metrics", init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init);

  beforeEach(async () => {
    fails = false;
    logger.entries.length = 0;
    port = await freePort();
    endpoint = new MetricsEndpoint({
      logger,
      expose: async (accept) => {
        if (fails) throw new Error("boom");
        return { contentType: "text/plain; version=0.0.4", body: Buffer.from(`up{for="${accept}"} 1\n`) };
      },
    });
  });
  afterEach(() => {
    endpoint.close();
    other?.close();
    other = undefined;
  });

  it("serves /metrics and nothing else", async () => {
    await endpoint.configure(at(port));
    assert.equal(endpoint.problem, null);
    const answer = await get("/metrics?x=1", { headers: { accept: "text/plain" } });
    assert.deepEqual(
      [answer.status, answer.headers.get("content-type"), await answer.text()],
      [200, "text/plain; version=0.0.4", 'up{for="text/plain"} 1\n'],
    );
    const head = await get("/metrics", { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    assert.equal((await get("/")).status, 404);
    assert.equal((await get("/v1/status")).status, 404);
    assert.equal((await get("/metrics", { method: "POST", body: "x".repeat(100_000) })).status, 405);
  });

  it("survives garbage and a scrape that fails", async () => {
    await endpoint.configure(at(port));
    const socket = connect(port, "127.0.0.1", () => socket.end("\u0000\u0001 nonsense\r\n\r\n"));
    await once(socket.resume(), "close");
    fails = true;
    assert.equal((await get()).status, 500);
    assert.ok(logger.entries.some(({ message }) => message.includes("boom")));
    fails = false;
    assert.equal((await get()).status, 200);
  });

  it("moves and ends when it is told to", async () => {
    await endpoint.configure(at(port));
    const before = port;
    port = await freePort();
    await endpoint.configure(at(port));
    assert.equal((await get()).status, 200);
    await assert.rejects(fetch(`http://127.0.0.1:${before}/metrics`));
    await endpoint.configure(null);
    await assert.rejects(get());
  });

  it("follows who changes his mind: of two addresses in a row only the second is served", async () => {
    const first = port;
    port = await freePort();
    await Promise.all([endpoint.configure(at(first)), endpoint.configure(at(port))]);
    assert.equal((await get()).status, 200);
    await assert.rejects(fetch(`http://127.0.0.1:${first}/metrics`));
  });

  it("stays where it is when nothing changed: nobody's connection is cut", async () => {
    await endpoint.configure(at(port));
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    let isClosed = false;
    socket.on("close", () => {
      isClosed = true;
    });
    await endpoint.configure(at(port));
    assert.equal((await get()).status, 200);
    assert.equal(isClosed, false);
    socket.destroy();
  });

  it("an address in use is a problem until it is free, told once", async () => {
    other = createServer().listen(port, "127.0.0.1");
    await once(other, "listening");
    await endpoint.configure(at(port));
    assert.match(endpoint.problem ?? "", /metrics are not served on 127\.0\.0\.1:\d+: the address is in use/);
    await endpoint.configure(at(port));
    assert.equal(logger.entries.filter(({ level }) => level === "error").length, 2, "and again to who reloads");
    other.close();
    await once(other, "close");
    await endpoint.configure(at(port));
    assert.equal(endpoint.problem, null);
    assert.equal((await get()).status, 200);
  });

  it("an address that is not this machine's is a problem too", async () => {
    await endpoint.configure({ address: "192.0.2.77", port });
    assert.match(endpoint.problem ?? "", /this machine does not have that address/);
    await endpoint.configure(null);
    assert.equal(endpoint.problem, null, "what is not wanted is no problem");
  });

  it("refuses more connections than it wants to hold", async () => {
    await endpoint.configure(at(port));
    const sockets = Array.from({ length: 16 }, () => connect(port, "127.0.0.1"));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const late = connect(port, "127.0.0.1");
    late.on("error", () => undefined);
    await once(late.resume(), "close");
    for (const socket of sockets) socket.destroy();
  });
});
