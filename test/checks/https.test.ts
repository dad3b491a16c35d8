import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from "node:tls";
import { BodyPattern } from "../../src/checks/body-pattern.ts";
import { HttpChecker } from "../../src/checks/http.ts";
import type { Outcome } from "../../src/checks/outcome.ts";
import { TlsContexts } from "../../src/checks/tls-settings.ts";
import type { HttpCheckConfig, TlsConfig } from "../../src/config/model.ts";
import { attemptBy } from "../support/attempts.ts";
import { createAuthority } from "../support/certificates.ts";
import { httpCheck, target, tls } from "../support/check-configs.ts";
import { listen, listenRaw, type TestServer } from "../support/servers.ts";

const authority = createAuthority("test authority");
const stranger = createAuthority("another authority");

describe("checks/http over TLS", () => {
  const dir = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  after(() => rmSync(dir, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const caFile = file("ca.pem", authority.cert);
  const client = authority.issue({});
  const certFile = file("client.pem", client.cert);
  const keyFile = file("client.key", client.key);

  let server: TestServer | undefined;
  let names: (string | false | null)[] = [];
  afterEach(async () => {
    await server?.close();
    server = undefined;
    names = [];
  });

  async function serve(options: TlsOptions): Promise<number> {
    const started = createTlsServer(options, (socket: TLSSocket) => {
      names.push((socket as TLSSocket & { servername: string | false }).servername);
      socket.on("error", () => {});
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    });
    started.on("tlsClientError", () => {});
    server = await listen(started);
    return server.port;
  }

  async function single(
    port: number,
    settings: Partial<TlsConfig>,
    options: Partial<HttpCheckConfig> = {},
    contexts = new TlsContexts(),
  ) {
    const check = httpCheck({ tls: tls(settings), ...options });
    const parts = { contexts, pattern: (source: string) => new BodyPattern(source) };
    const checker = new HttpChecker({ check, target: target(port) }, parts);
    return { checker, outcome: await attemptBy(checker) };
  }

  async function attempt(
    port: number,
    settings: Partial<TlsConfig>,
    options: Partial<HttpCheckConfig> = {},
    contexts?: TlsContexts,
  ): Promise<Outcome> {
    const { checker, outcome } = await single(port, settings, options, contexts);
    const again = await attemptBy(checker);
    assert.deepEqual(again, outcome, "a second attempt by the same checker ends otherwise");
    checker.close();
    return outcome;
  }

  const named = () => authority.issue({ names: ["www.example.org"] });

  const rows: readonly [string, () => TlsOptions, Partial<TlsConfig>, Partial<HttpCheckConfig>, string][] = [
    ["the right name", named, { caFile, serverName: "www.example.org" }, {}, "passed"],
    ["the name of the host header", named, { caFile }, { host: "www.example.org:443" }, "passed"],
    ["another name", named, { caFile, serverName: "www.example.com" }, {}, "tls_certificate"],
    ["no name in the certificate for the address", named, { caFile }, {}, "tls_certificate"],
    ["the address in the certificate", () => authority.issue({ ips: ["127.0.0.1"] }), { caFile }, {}, "passed"],
    ["an unknown authority", () => stranger.issue({ ips: ["127.0.0.1"] }), { caFile }, {}, "tls_certificate"],
    ["only the system's authorities", () => authority.issue({ ips: ["127.0.0.1"] }), {}, {}, "tls_certificate"],
    [
      "an expired certificate",
      () => authority.issue({ ips: ["127.0.0.1"], expired: true }),
      { caFile },
      {},
      "tls_certificate",
    ],
    [
      "verification switched off",
      () => stranger.issue({ names: ["x"], expired: true }),
      { verify: false },
      {},
      "passed",
    ],
  ];
  for (const [name, options, settings, check, expected] of rows) {
    it(`${name} -> ${expected}`, async () => {
      const outcome = await attempt(await serve(options()), settings, check);
      assert.equal(outcome.passed ? "passed" : outcome.reason, expected, outcome.detail);
    });
  }

  it("sends the name as SNI, and no address", async () => {
    const port = await serve(named());
    await attempt(port, { caFile, serverName: "www.example.org" });
    await attempt(port, { verify: false });
    assert.deepEqual(names, ["www.example.org", "www.example.org", false, false]);
  });

  it("shows its client certificate to a server that asks", async () => {
    const options = {
      ...authority.issue({ ips: ["127.0.0.1"] }),
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    };
    const port = await serve(options);
    assert.equal((await attempt(port, { caFile, certFile, keyFile })).passed, true);
    const credential = (name: string) => ({ type: "credential", name }) as const;
    const fromCredentials = { caFile, certFile: credential("client.pem"), keyFile: credential("client.key") };
    assert.equal((await attempt(port, fromCredentials, {}, new TlsContexts(dir))).passed, true);
    const without = await attempt(port, fromCredentials);
    assert.match(without.detail, /CREDENTIALS_DIRECTORY\/client\.pem \(tls cert\) cannot be read/);
  });

  // In TLS 1.3 the client has finished its handshake before the server looks at the client's certificate.
  const refusals = { "TLSv1.2": ["tls_handshake"], "TLSv1.3": ["connection_closed", "connection_reset"] } as const;
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`fails when a ${maxVersion} server wants a client certificate and gets none`, async () => {
      const identity = authority.issue({ ips: ["127.0.0.1"] });
      const options = { ...identity, ca: authority.cert, requestCert: true, rejectUnauthorized: true, maxVersion };
      const port = await serve(options);
      const { outcome } = await single(port, { caFile });
      const reason = outcome.passed === false ? outcome.reason : "passed";
      assert.ok((refusals[maxVersion] as readonly string[]).includes(reason), `${reason}: ${outcome.detail}`);
    });
  }

  it("tls_handshake from a server that speaks no TLS", async () => {
    server = await listenRaw((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
    const outcome = await attempt(server.port, {});
    assert.equal(outcome.passed === false && outcome.reason, "tls_handshake", outcome.detail);
  });

  it("tls_handshake from a server that hangs up", async () => {
    server = await listenRaw((socket) => socket.once("data", () => socket.end()));
    const outcome = await attempt(server.port, {});
    assert.equal(outcome.passed === false && outcome.reason, "tls_handshake", outcome.detail);
  });

  it("timeout in the handshake says so", async () => {
    const deadline = new AbortController();
    server = await listenRaw((socket) => socket.once("data", () => deadline.abort()));
    const check = httpCheck({ tls: tls() });
    const parts = { contexts: new TlsContexts(), pattern: (source: string) => new BodyPattern(source) };
    const outcome = await attemptBy(new HttpChecker({ check, target: target(server.port) }, parts), deadline.signal);
    assert.equal(outcome.passed === false && outcome.reason, "timeout");
    assert.match(outcome.detail, /did not finish the TLS handshake within 500ms/);
  });

  it("tls_files names the file that cannot be read or used", async () => {
    const missing = await attempt(1, { caFile: join(dir, "missing.pem") });
    assert.equal(missing.passed === false && missing.reason, "tls_files");
    assert.match(missing.detail, /missing\.pem \(tls ca\) cannot be read/);
    const mismatch = await attempt(1, { certFile, keyFile: file("other.key", stranger.key) });
    assert.equal(mismatch.passed === false && mismatch.reason, "tls_files");
    assert.match(mismatch.detail, /client\.pem, .*other\.key cannot be used/);
  });

  it("checkers of one configuration share a context", () => {
    const contexts = new TlsContexts();
    const first = contexts.get(tls({ caFile }));
    assert.equal(contexts.get(tls({ caFile, verify: false, serverName: "x" })), first);
    assert.notEqual(contexts.get(tls()), first);
  });
});
