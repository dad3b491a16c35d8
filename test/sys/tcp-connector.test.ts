import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { Endpoint } from "../../src/base/endpoint.ts";
import type { ConnectOutcome, TcpConnector } from "../../src/ports/tcp-connector.ts";
import { EpollTcpConnector, NodeTcpConnector, openTcpConnector } from "../../src/sys/tcp-connector.ts";

type ClosableConnector = TcpConnector & { close?(): void };

/** The outcome of one connection; "cancelled" if there was none within the time and it was given up. */
function connect(
  connector: TcpConnector,
  target: Endpoint,
  withinMs = 5_000,
): Promise<ConnectOutcome | { readonly type: "cancelled" }> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      attempt.cancel();
      attempt.cancel();
      // An outcome that came now all the same would be told within this time.
      setTimeout(() => resolve({ type: "cancelled" }), 20);
    }, withinMs);
    let hasReturned = false;
    const attempt = connector.connect(target, (outcome) => {
      clearTimeout(timer);
      if (isOver) reject(new Error(`told twice, or after it was cancelled: ${outcome.type}`));
      else if (!hasReturned) reject(new Error("told before the call returned"));
      isOver = true;
      resolve(outcome);
    });
    hasReturned = true;
  });
}

function openEpoll(): EpollTcpConnector {
  const opened = EpollTcpConnector.open();
  assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
  return opened.value;
}

async function listen(
  host: string,
  onConnection: (socket: Socket) => void,
): Promise<{ server: Server; target: Endpoint }> {
  const server = createServer(onConnection);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { server, target: { address: address.address, port: address.port } };
}

async function startRefusing(): Promise<Endpoint> {
  const { server, target } = await listen("127.0.0.1", () => undefined);
  await new Promise((resolve) => server.close(resolve));
  return target;
}

async function waitFor(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, "timed out");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A port that answers nothing: its program is stopped and its backlog is full, so the kernel drops each further SYN. */
async function startDeaf(connector: TcpConnector): Promise<{ child: ChildProcess; target: Endpoint }> {
  const script =
    'const s = require("node:net").createServer().listen(0, "127.0.0.1", 1, () => console.log(s.address().port))';
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  assert.ok(child.stdout !== null);
  const [line] = await once(child.stdout, "data");
  child.kill("SIGSTOP");
  await waitFor(() => / T /.test(readFileSync(`/proc/${child.pid}/stat`, "utf8")));
  const target = { address: "127.0.0.1", port: Number(String(line)) };
  for (let filled = 0; filled < 10; filled += 1) {
    const outcome = await connect(connector, target, 300);
    if (outcome.type === "cancelled") return { child, target };
  }
  child.kill("SIGKILL");
  throw new Error("the backlog never filled");
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** Sockets of this machine in TIME_WAIT with this port at either end. */
function timeWaits(port: number): number {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  const lines = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => readFileSync(path, "utf8").split("\n"));
  return lines.filter((line) => line.includes(hex) && / 06 /.test(line)).length;
}

const connectors: readonly (readonly [string, () => ClosableConnector])[] = [
  ["epoll tcp connector", openEpoll],
  ["node tcp connector", () => new NodeTcpConnector()],
];

for (const [name, open] of connectors) {
  describe(name, () => {
    let connector: ClosableConnector;
    beforeEach(() => {
      connector = open();
    });
    afterEach(() => connector.close?.());

    for (const host of ["127.0.0.1", "::1"]) {
      it(`connects to a listener on ${host} and closes with a reset, leaving no TIME_WAIT`, async () => {
        const errors: string[] = [];
        const { server, target } = await listen(host, (socket) => {
          socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? ""));
          socket.resume();
        });
        // The port may have been somebody's before it was ours.
        const before = timeWaits(target.port);
        for (let count = 0; count < 5; count += 1) {
          assert.deepEqual(await connect(connector, target), { type: "connected" });
        }
        await waitFor(() => errors.length === 5);
        assert.deepEqual(new Set(errors), new Set(["ECONNRESET"]));
        assert.ok(timeWaits(target.port) <= before);
        server.close();
      });
    }

    it("tells that nobody listens", async () => {
      const target = await startRefusing();
      assert.deepEqual(await connect(connector, target), { type: "failed", errno: "ECONNREFUSED" });
    });

    it("tells that there is no way to a target", async () => {
      const outcome = await connect(connector, { address: "255.255.255.255", port: 1 });
      assert.equal(outcome.type, "failed");
      assert.match(outcome.type === "failed" ? outcome.errno : "", /^ENETUNREACH|EACCES$/);
    });

    it("tells nothing more of what was given up, under way or just begun", async () => {
      const { child, target } = await startDeaf(connector);
      const unreachable = { address: "255.255.255.255", port: 1 };
      const told: string[] = [];
      for (const at of [target, unreachable]) connector.connect(at, ({ type }) => told.push(type)).cancel();
      const outcomes = await Promise.all([connect(connector, target, 50), connect(connector, target, 150)]);
      await end(child);
      assert.deepEqual(outcomes, [{ type: "cancelled" }, { type: "cancelled" }]);
      assert.deepEqual(told, []);
    });

    it("keeps hundreds of attempts apart", async () => {
      const up = await listen("127.0.0.1", (socket) => socket.on("error", () => undefined).resume());
      const gone = await startRefusing();
      const outcomes = await Promise.all(
        Array.from({ length: 400 }, (_, index) => connect(connector, index % 2 === 0 ? up.target : gone)),
      );
      up.server.close();
      outcomes.forEach((outcome, index) => {
        assert.equal(outcome.type, index % 2 === 0 ? "connected" : "failed", `attempt ${index}`);
      });
    });
  });
}

describe("epoll tcp connector, as a resource", () => {
  it("ends what is under way when closed", async () => {
    const connector = openEpoll();
    const { child, target } = await startDeaf(connector);
    const attempt = connect(connector, target);
    connector.close();
    await end(child);
    assert.deepEqual(await attempt, { type: "failed", errno: "ECANCELED" });
  });

  it("is what openTcpConnector gives where the addon is built", () => {
    const connector = openTcpConnector();
    assert.ok(connector instanceof EpollTcpConnector);
    connector.close();
  });
});
