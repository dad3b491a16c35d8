import assert from "node:assert/strict";
import fc from "fast-check";
import { BodyPattern } from "../../src/checks/body-pattern.ts";
import { HttpChecker } from "../../src/checks/http.ts";
import { TlsContexts } from "../../src/checks/tls-settings.ts";
import { attemptBy } from "../support/attempts.ts";
import { httpCheck, target } from "../support/check-configs.ts";
import { listenRaw, type TestServer } from "../support/servers.ts";
import "../support/properties.ts";

/** Pieces of responses; a random row of them is mostly nonsense with a true core. */
const PIECES = [
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.0 200\r\n",
  "HTTP/1.1 103 Early\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 204 No\r\n",
  "HTTP/1.1 503 X\r\n",
  "HTTP/2.0 200 OK\r\n",
  "content-length: 2\r\n",
  "content-length: -1\r\n",
  "transfer-encoding: chunked\r\n",
  "connection: keep-alive\r\n",
  "connection: upgrade\r\nupgrade: h2c\r\n",
  "keep-alive: timeout=5\r\n",
  "\r\n",
  "2\r\nok\r\n",
  "0\r\n\r\n",
  "ok",
  "\n",
  ": \r\n",
  "ffffffffffffffff\r\n",
  "x: y\r\n",
  "\u0000",
];

describe("checks/http against nonsense", () => {
  let server: TestServer;
  let response: readonly string[] = [];
  before(async () => {
    server = await listenRaw((socket) => {
      socket.once("data", () => {
        for (const piece of response) socket.write(Buffer.from(piece, "latin1"));
        socket.end();
      });
    });
  });
  after(() => server.close());

  it("one checker survives any row of responses with an outcome for each, on one connection each", async () => {
    const parts = { contexts: new TlsContexts(), pattern: (source: string) => new BodyPattern(source) };
    const check = httpCheck({ expectBody: { type: "contains", text: "ok" } });
    const checker = new HttpChecker({ check, target: target(server.port) }, parts);
    let attempts = 0;
    const piece = fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "binary", maxLength: 8 }));
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        response = pieces;
        const outcome = await attemptBy(checker);
        attempts += 1;
        assert.equal(typeof outcome.passed, "boolean");
        if (outcome.passed) assert.match(pieces.join(""), /ok/);
      }),
      { numRuns: 400 },
    );
    checker.close();
    assert.equal(server.connections(), attempts);
  });
});
