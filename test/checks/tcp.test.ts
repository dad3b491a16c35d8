import assert from "node:assert/strict";
import type { Outcome } from "../../src/checks/outcome.ts";
import { TcpChecker } from "../../src/checks/tcp.ts";
import type { ConnectOutcome, TcpConnector } from "../../src/ports/tcp-connector.ts";
import { NodeTcpConnector } from "../../src/sys/tcp-connector.ts";
import { target, tcpCheck } from "../support/check-configs.ts";
import { closedPort, listenRaw } from "../support/servers.ts";

const netConnector = new NodeTcpConnector();

function attempt(checker: TcpChecker): Promise<Outcome> {
  return new Promise((resolve) => checker.begin(resolve));
}

describe("checks/tcp", () => {
  it("passes when the connection comes about, on the server's port", async () => {
    const server = await listenRaw((socket) => socket.end());
    const checker = new TcpChecker({ check: tcpCheck(), target: target(server.port) }, netConnector);
    const outcome = await attempt(checker);
    assert.deepEqual(outcome, { passed: true, detail: `127.0.0.1:${server.port} accepted a connection` });
    await server.close();
  });

  it("looks at the port of the check when it has one", async () => {
    const server = await listenRaw((socket) => socket.end());
    const check = tcpCheck({ port: server.port });
    assert.equal((await attempt(new TcpChecker({ check, target: target(1) }, netConnector))).passed, true);
    await server.close();
  });

  it("connect_refused when nobody listens", async () => {
    const port = await closedPort();
    const outcome = await attempt(new TcpChecker({ check: tcpCheck(), target: target(port) }, netConnector));
    assert.deepEqual(outcome, {
      passed: false,
      reason: "connect_refused",
      detail: `127.0.0.1:${port} refused the connection`,
    });
  });

  const rows: readonly [ConnectOutcome, false | null, string, RegExp][] = [
    [{ type: "failed", errno: "ETIMEDOUT" }, false, "timeout", /did not answer/],
    [{ type: "failed", errno: "EHOSTUNREACH" }, false, "unreachable", /EHOSTUNREACH/],
    [{ type: "failed", errno: "ENETUNREACH" }, false, "unreachable", /ENETUNREACH/],
    [{ type: "failed", errno: "ECONNRESET" }, false, "connection_reset", /reset/],
    [{ type: "failed", errno: "EACCES" }, false, "connect_failed", /EACCES/],
    [{ type: "failed", errno: "EMFILE" }, null, "local_resources", /this machine is short of it \(EMFILE\)/],
    [{ type: "failed", errno: "ENOBUFS" }, null, "local_resources", /ENOBUFS/],
  ];
  for (const [connect, passed, reason, detail] of rows) {
    it(`${"errno" in connect ? connect.errno : connect.type} -> ${reason}`, async () => {
      const connector: TcpConnector = {
        connect: (_target, done) => {
          queueMicrotask(() => done(connect));
          return { cancel: () => assert.fail("nobody gave it up") };
        },
      };
      const outcome = await attempt(new TcpChecker({ check: tcpCheck(), target: target(80) }, connector));
      assert.equal(outcome.passed, passed);
      assert.equal("reason" in outcome && outcome.reason, reason);
      assert.match(outcome.detail, detail);
    });
  }

  it("gives up at the deadline, at once and once, and is ready for the next attempt", async () => {
    const connections: { done: (outcome: ConnectOutcome) => void; cancelled: number }[] = [];
    const connector: TcpConnector = {
      connect: (_target, done) => {
        const connection = { done, cancelled: 0 };
        connections.push(connection);
        return {
          cancel: () => {
            connection.cancelled += 1;
          },
        };
      },
    };
    const checker = new TcpChecker({ check: tcpCheck(), target: target(80) }, connector);
    const outcomes: Outcome[] = [];
    const first = checker.begin((outcome) => outcomes.push(outcome));
    assert.equal(outcomes.length, 0);
    first.abort();
    first.abort();
    assert.equal(outcomes.length, 1);
    assert.deepEqual(outcomes[0], {
      passed: false,
      reason: "timeout",
      detail: "no connection to 127.0.0.1:80 within 500ms",
    });
    const second = checker.begin((outcome) => outcomes.push(outcome));
    connections[1]?.done({ type: "connected" });
    second.abort();
    assert.deepEqual(
      outcomes.map(({ passed }) => passed),
      [false, true],
    );
    assert.deepEqual(
      connections.map(({ cancelled }) => cancelled),
      [1, 0],
    );
  });
});
