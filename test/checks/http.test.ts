import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createRawServer } from "node:net";
import { BodyPattern } from "../../src/checks/body-pattern.ts";
import { HttpChecker } from "../../src/checks/http.ts";
import type { Outcome } from "../../src/checks/outcome.ts";
import { TlsContexts } from "../../src/checks/tls-settings.ts";
import type { HttpCheckConfig } from "../../src/config/model.ts";
import { attemptBy } from "../support/attempts.ts";
import { httpCheck, target } from "../support/check-configs.ts";
import { closedPort, listen, listenRaw, pour, type TestServer } from "../support/servers.ts";

const parts = { contexts: new TlsContexts(), pattern: (source: string) => new BodyPattern(source) };

function checkerFor(port: number, options: Partial<HttpCheckConfig> = {}): HttpChecker {
  return new HttpChecker({ check: httpCheck(options), target: target(port) }, parts);
}

async function attempt(port: number, options: Partial<HttpCheckConfig> = {}): Promise<Outcome> {
  const checker = checkerFor(port, options);
  const outcome = await attemptBy(checker);
  checker.close();
  return outcome;
}

function reasonOf(outcome: Outcome): string {
  return outcome.passed === true ? "passed" : outcome.reason;
}

describe("checks/http", () => {
  let server: TestServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  /** Answers every connection with these bytes after the request has come, and ends it. */
  async function answering(response: string): Promise<number> {
    server = await listenRaw((socket) => socket.once("data", () => socket.end(response)));
    return server.port;
  }

  it("sends method, path, host and headers, and closes the connection", async () => {
    const seen: IncomingMessage[] = [];
    server = await listen(
      createServer((request, response) => {
        seen.push(request);
        response.end("fine");
      }),
    );
    const headers = { "X-Probe": "yes", "User-Agent": "probe/1" };
    const options = { method: "HEAD", path: "/healthz?x=1", host: "www.example.org", headers };
    assert.deepEqual(await attempt(server.port, options), { passed: true, detail: "status 200" });
    assert.equal((await attempt(server.port)).passed, true);
    const [first, second] = seen;
    assert.deepEqual([first?.method, first?.url, first?.headers.host], ["HEAD", "/healthz?x=1", "www.example.org"]);
    assert.deepEqual([first?.headers["x-probe"], first?.headers["user-agent"]], ["yes", "probe/1"]);
    assert.equal(first?.headers.connection, "close");
    assert.equal(second?.headers.host, `127.0.0.1:${server.port}`);
    assert.equal(second?.headers["user-agent"], "holdfast");
  });

  it("opens a fresh connection for every attempt, and nothing besides", async () => {
    server = await listen(createServer((_request, response) => response.end("fine")));
    const checker = checkerFor(server.port);
    for (let i = 0; i < 5; i++) {
      assert.equal((await attemptBy(checker)).passed, true);
    }
    checker.close();
    assert.equal(server.connections(), 5);
  });

  const statuses: readonly [number, readonly { from: number; to: number }[], boolean][] = [
    [200, [{ from: 200, to: 299 }], true],
    [299, [{ from: 200, to: 299 }], true],
    [300, [{ from: 200, to: 299 }], false],
    [199 + 1, [{ from: 201, to: 201 }], false],
    [
      404,
      [
        { from: 200, to: 200 },
        { from: 404, to: 404 },
      ],
      true,
    ],
    [301, [{ from: 301, to: 301 }], true],
    [503, [{ from: 200, to: 299 }], false],
  ];
  for (const [status, expectStatus, passes] of statuses) {
    const ranges = expectStatus.map(({ from, to }) => `${from}-${to}`).join(",");
    it(`status ${status} ${passes ? "passes" : "fails"} when ${ranges} is expected`, async () => {
      const port = await answering(`HTTP/1.1 ${status} X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n`);
      const outcome = await attempt(port, { expectStatus });
      assert.equal(reasonOf(outcome), passes ? "passed" : "status");
      assert.equal(server?.connections(), 1, "a redirect was followed");
      if (!passes) assert.match(outcome.detail, new RegExp(`^status ${status}, expected \\d`));
    });
  }

  const ok = "HTTP/1.1 200 OK\r\n";
  const bodies: readonly [string, string, Partial<HttpCheckConfig>, string][] = [
    ["contains", `${ok}\r\nall is ok here`, { expectBody: { type: "contains", text: "is ok" } }, "passed"],
    ["contains not", `${ok}\r\nall is bad`, { expectBody: { type: "contains", text: "is ok" } }, "body_mismatch"],
    [
      "contains, beyond what may be read",
      `${ok}\r\n0123456789ok`,
      { expectBody: { type: "contains", text: "ok" }, maxBodyBytes: 11 },
      "body_mismatch",
    ],
    [
      "contains, straddling chunks",
      `${ok}transfer-encoding: chunked\r\n\r\n4\r\nis h\r\n4\r\nealt\r\n1\r\nh\r\n1\r\ny\r\n0\r\n\r\n`,
      { expectBody: { type: "contains", text: "healthy" } },
      "passed",
    ],
    ["matches", `${ok}\r\nload 17 fine`, { expectBody: { type: "matches", pattern: "load \\d+ fine$" } }, "passed"],
    ["matches not", `${ok}\r\nload x`, { expectBody: { type: "matches", pattern: "load \\d+" } }, "body_mismatch"],
    ["empty body", `${ok}content-length: 0\r\n\r\n`, { expectBody: { type: "contains", text: "x" } }, "body_mismatch"],
    [
      "wrong status beats a fitting body",
      "HTTP/1.1 500 X\r\n\r\nok",
      { expectBody: { type: "contains", text: "ok" } },
      "status",
    ],
  ];
  for (const [name, response, options, expected] of bodies) {
    it(`body: ${name} -> ${expected}`, async () => {
      assert.equal(reasonOf(await attempt(await answering(response), options)), expected);
    });
  }

  const broken: readonly [string, string, string][] = [
    ["garbage", "\x00\x01\x02 hello \r\n\r\n", "protocol_error"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "protocol_error"],
    ["nothing but a close", "", "connection_closed"],
    ["half a header", "HTTP/1.1 200 OK\r\ncontent-", "connection_closed"],
    ["a bad status line", "HTTP/1.1 abc OK\r\n\r\n", "protocol_error"],
    ["huge headers", `${ok}x: ${"y".repeat(20_000)}\r\n\r\n`, "headers_too_large"],
    ["many headers", `${ok}${"x: yyyyyyyyyy\r\n".repeat(2_000)}\r\n`, "headers_too_large"],
    ["an upgrade nobody asked for", "HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "protocol_error"],
  ];
  for (const [name, response, expected] of broken) {
    it(`${name} -> ${expected}`, async () => {
      assert.equal(reasonOf(await attempt(await answering(response))), expected);
    });
  }

  it("a body cut short of its length is not a pass", async () => {
    const port = await answering(`${ok}content-length: 100\r\n\r\nonly this`);
    const outcome = await attempt(port, { expectBody: { type: "contains", text: "more" } });
    assert.notEqual(outcome.passed, true);
    assert.ok(["protocol_error", "connection_closed"].includes(reasonOf(outcome)), reasonOf(outcome));
  });

  it("connect_refused when nobody listens, again and again", async () => {
    const checker = checkerFor(await closedPort());
    for (let i = 0; i < 3; i++) {
      assert.equal(reasonOf(await attemptBy(checker)), "connect_refused");
    }
    checker.close();
  });

  it("connection_reset when the server resets instead of answering", async () => {
    server = await listenRaw((socket) => socket.once("data", () => socket.resetAndDestroy()));
    assert.equal(reasonOf(await attempt(server.port)), "connection_reset");
  });

  it("request_invalid when the request cannot be written", async () => {
    const port = await answering(`${ok}\r\n`);
    assert.equal(reasonOf(await attempt(port, { headers: { "bad name": "x" } })), "request_invalid");
  });

  it("decides by the status alone when no body is expected, although the body never ends", async () => {
    server = await listenRaw((socket) => {
      socket.once("data", () => {
        socket.write(`${ok}\r\n`);
        pour(socket, "x".repeat(16_384));
      });
    });
    assert.equal(reasonOf(await attempt(server.port)), "passed");
  });

  it("an endless body costs no more than may be read", async () => {
    let written = 0;
    const piece = "x".repeat(16_384);
    server = await listenRaw((socket) => {
      socket.once("data", () => {
        socket.write(`${ok}\r\n`);
        pour(socket, piece);
      });
      socket.once("close", () => {
        written = socket.bytesWritten;
      });
    });
    const options = { expectBody: { type: "contains", text: "never" }, maxBodyBytes: 65_536 } as const;
    const outcome = await attempt(server.port, options);
    assert.equal(reasonOf(outcome), "body_mismatch");
    assert.match(outcome.detail, /first 65536 bytes/);
    await server.close();
    // What the two kernel buffers hold comes on top of what was read.
    assert.ok(written < 16_000_000, `the server could write ${written} bytes`);
  });

  const endless: readonly [string, string, string, string][] = [
    ["interim responses", "", "HTTP/1.1 103 Early Hints\r\n\r\n", "response_too_large"],
    ["a status line", "HTTP/1.1 200 ", "x".repeat(1_000), "response_too_large"],
    ["a chunk extension", `${ok}transfer-encoding: chunked\r\n\r\n1;`, "x".repeat(1_000), "response_too_large"],
    ["headers", ok, "x: y\r\n", "headers_too_large"],
  ];
  for (const [name, start, piece, expected] of endless) {
    it(`endless ${name} -> ${expected}`, async () => {
      server = await listenRaw((socket) => {
        socket.once("data", () => {
          socket.write(start);
          pour(socket, piece.repeat(Math.ceil(16_384 / piece.length)));
        });
      });
      const expectBody = { type: "contains", text: "never" } as const;
      assert.equal(reasonOf(await attempt(server.port, { expectBody })), expected);
    });
  }

  describe("when the deadline strikes", () => {
    /** Aborts as soon as the server has the request (and has sent `response`), and notes what the server then sees. */
    async function abortAfter(response: string, options: Partial<HttpCheckConfig> = {}): Promise<Outcome> {
      const deadline = new AbortController();
      const closed = new Promise<void>((resolve) => {
        void listenRaw((socket) => {
          socket.once("data", () => socket.write(response, () => setImmediate(() => deadline.abort())));
          socket.once("close", () => resolve());
        }).then(async (started) => {
          server = started;
          outcome = attemptBy(checkerFor(started.port, options), deadline.signal);
        });
      });
      let outcome: Promise<Outcome> | undefined;
      await closed;
      assert.ok(outcome);
      assert.equal(server?.connections(), 1);
      return outcome;
    }

    it("a server that never answers: timeout, and the connection is closed", async () => {
      const outcome = await abortAfter("");
      assert.equal(reasonOf(outcome), "timeout");
      assert.match(outcome.detail, /accepted the connection but sent no complete response header within 500ms/);
    });

    it("a server that sends its header drop by drop: timeout", async () => {
      assert.equal(reasonOf(await abortAfter("HTTP/1.1 200 OK\r\nx-slow: y")), "timeout");
    });

    it("a body that stops half-way: timeout", async () => {
      const expectBody = { type: "contains", text: "ok" } as const;
      const deadline = new AbortController();
      server = await listenRaw((socket) =>
        socket.once("data", () => socket.write(`${ok}content-length: 9\r\n\r\nhalf`)),
      );
      const checker = checkerFor(server.port, { expectBody });
      const outcome = attemptBy(checker, deadline.signal);
      // Abort once the piece of the body has surely been read: a second attempt on its own connection has passed it.
      const probe = checkerFor(server.port);
      assert.equal((await attemptBy(probe)).passed, true);
      await new Promise((resolve) => setImmediate(resolve));
      deadline.abort();
      assert.equal(reasonOf(await outcome), "timeout");
      assert.match((await outcome).detail, /neither matched nor ended|no complete response header/);
    });

    it("a connection that never comes about: timeout, at once", async () => {
      const full = createRawServer();
      server = await listen(full);
      const deadline = new AbortController();
      const checker = checkerFor(server.port);
      const outcome = attemptBy(checker, deadline.signal);
      deadline.abort();
      assert.match((await outcome).detail, /^no connection to 127\.0\.0\.1:\d+ within 500ms$/);
      // The checker is good for another attempt.
      const aborted = new AbortController();
      aborted.abort();
      assert.equal(reasonOf(await attemptBy(checker, aborted.signal)), "timeout");
      checker.close();
    });

    it("after an abort the next attempt works, on one connection of its own", async () => {
      let requests = 0;
      server = await listen(
        createServer((_request, response) => {
          requests += 1;
          if (requests > 1) response.end("fine");
          else deadline.abort();
        }),
      );
      const deadline = new AbortController();
      const checker = checkerFor(server.port);
      assert.equal(reasonOf(await attemptBy(checker, deadline.signal)), "timeout");
      assert.equal(reasonOf(await attemptBy(checker)), "passed");
      checker.close();
      assert.equal(server.connections(), 2);
    });
  });
});
