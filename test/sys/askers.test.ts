import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { HttpAsker } from "../../src/sys/http-asker.ts";
import { IcmpAsker } from "../../src/sys/icmp-asker.ts";
import { startLineProcess } from "../../src/sys/line-process.ts";

function answerOf(ask: (done: (failure: string | null) => void) => void): Promise<string | null> {
  return new Promise((resolve) => ask(resolve));
}

describe("asking by http", () => {
  it("takes a status below 400 for an answer, and tells what else came", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/silent") return;
      if (request.url === "/broken") {
        request.socket.destroy();
        return;
      }
      response.writeHead(Number(request.url?.slice(1) ?? 200)).end("x".repeat(200_000));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const ask = (path: string) => answerOf((done) => new HttpAsker({ address: "127.0.0.1", port }, path).ask(0, done));
    try {
      assert.equal(await ask("/200"), null);
      assert.equal(await ask("/302"), null);
      assert.equal(await ask("/404"), "status 404");
      assert.equal(await ask("/503"), "status 503");
      assert.match((await ask("/broken")) ?? "", /ECONNRESET/);
      let told = 0;
      const silent = new HttpAsker({ address: "127.0.0.1", port }, "/silent").ask(0, () => {
        told += 1;
      });
      silent.forget();
      assert.equal(await ask("/200"), null);
      assert.equal(told, 0, "nobody waits for it");
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    assert.equal(await ask("/200"), "ECONNREFUSED");
  });
});

describe("asking by ICMP", () => {
  for (const address of ["127.0.0.1", "::1"]) {
    it(`${address} answers every question, and questions of others are not ours`, async function () {
      const [first, second] = [IcmpAsker.open(address), IcmpAsker.open(address)];
      if (!first.ok || !second.ok) {
        // Without root, and where the kernel's ping sockets are for nobody.
        const error = first.ok ? null : first.error;
        assert.equal(error?.code, "PRIVILEGE_MISSING");
        return this.skip();
      }
      const keepAlive = setTimeout(() => undefined, 5_000);
      const told: (string | null)[] = [];
      const asked = [0, 1, 70_000].map((id) => answerOf((done) => first.value.ask(id, done)));
      second.value.ask(0, (failure) => told.push(failure)).forget();
      assert.deepEqual(await Promise.all(asked), [null, null, null]);
      assert.deepEqual(told, []);
      first.value.close();
      second.value.close();
      clearTimeout(keepAlive);
    });
  }
});

describe("a program that prints lines", () => {
  interface Told {
    readonly lines: readonly string[];
    readonly reason: string;
  }

  function run(command: readonly [string, ...string[]], endAfterLine = false): Promise<Told> {
    return new Promise((resolve) => {
      const lines: string[] = [];
      const program = startLineProcess(command, {
        onLine: (line) => {
          lines.push(line);
          if (endAfterLine) program.end();
        },
        onEnd: (reason) => resolve({ lines, reason }),
      });
    });
  }

  it("is heard line by line, and ends with its input", async () => {
    const told = await run(["/bin/sh", "-c", "echo one; cat; echo two"], true);
    assert.deepEqual(told, { lines: ["one", "two"], reason: "/bin/sh ended with exit code 0" });
  });

  it("tells how it ended, with its last words", async () => {
    const told = await run(["/bin/sh", "-c", "echo no such host >&2; exit 255"]);
    assert.equal(told.reason, "/bin/sh ended with exit code 255: no such host");
    assert.match((await run(["/nonexistent/program"])).reason, /ENOENT/);
    assert.match((await run(["/bin/sh", "-c", "kill -9 $$"])).reason, /was ended by SIGKILL/);
  });
});
