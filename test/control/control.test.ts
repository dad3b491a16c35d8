import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirectorError } from "../../src/base/director-error.ts";
import { err, ok } from "../../src/base/result.ts";
import { ControlClient } from "../../src/control/client.ts";
import type { ControlHandlers } from "../../src/control/routes.ts";
import { ControlServer } from "../../src/control/server.ts";
import type { DirectorStatus } from "../../src/control/status.ts";
import { joinPlan } from "../../src/plan/model.ts";
import { FewEvents } from "../support/few-events.ts";

const STATUS: DirectorStatus = {
  version: 1,
  node: "lb1",
  program: "0.1.0",
  pid: 1,
  startedAt: "2026-01-01T00:00:00.000Z",
  config: {
    file: "/etc/holdfast/holdfast.yaml",
    loadedAt: "2026-01-01T00:00:00.000Z",
    confirmBy: null,
    isReverted: false,
  },
  health: "healthy",
  problems: [],
  processes: [],
  instances: [],
  services: [],
  sync: null,
  drift: null,
  kernel: null,
  schedules: [],
};

const REPORT = { plan: null, changes: ["service web added"], remaining: [], warnings: [], confirmBy: null };
const PLAN = joinPlan([], { basis: "as the test says" });

const handlers: ControlHandlers = {
  status: () => STATUS,
  plan: async () => ok(PLAN),
  confirm: async () => ok({ state: "confirmed" }),
  undo: async () => ok({ state: "undone" }),
  reload: async () => ok(REPORT),
  overrides: () => [],
  order: async () => ok({ servers: [], changes: [], warnings: [] }),
  handover: async (instance) => ok({ moved: [{ instance, successor: "192.0.2.3", tookMs: 610 }] }),
  events: new FewEvents(),
  metrics: async (accept) => ({ contentType: "text/plain; version=0.0.4", body: Buffer.from(`for_${accept} 1\n`) }),
  drills: {
    run: async (instance, body, askedBy) =>
      err({ code: "CONTROL_REFUSED", message: `${instance} ${JSON.stringify(body)} ${askedBy}` }),
    list: async () => [],
    show: (id) => err({ code: "CONTROL_REFUSED", message: `no ${id}` }),
    bring: () => ok({ wantsMore: false }),
  },
};

describe("control API over a unix socket", () => {
  let dir: string;
  let path: string;
  let server: ControlServer | undefined;
  const client = () => new ControlClient({ path, timeoutMs: 5_000 });
  const listen = async (change: Partial<ControlHandlers> = {}) => {
    server = await ControlServer.listen({ path, groupId: null }, { ...handlers, ...change });
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-control-"));
    path = join(dir, "control.sock");
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    rmSync(dir, { recursive: true });
  });

  /** One raw request, the whole answer as text. */
  function raw(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => socket.write(request));
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("close", () => resolve(answer));
      socket.on("error", reject);
    });
  }

  it("answers status", async () => {
    await listen();
    assert.deepEqual(await client().status(), STATUS);
  });

  it("writes a long status in pieces, and others are answered before its end", async () => {
    const problems = Array.from({ length: 200_000 }, (_, i) => `service s${i}: no server can serve`);
    await listen({ status: () => ({ ...STATUS, problems }) });
    const ended: string[] = [];
    const [long] = await Promise.all([
      client()
        .status()
        .finally(() => ended.push("status")),
      client()
        .overrides()
        .finally(() => ended.push("overrides")),
    ]);
    assert.deepEqual(long, { ...STATUS, problems });
    assert.deepEqual(ended, ["overrides", "status"]);
  });

  it("survives a reader that leaves in the middle of a long status", async () => {
    const problems = Array.from({ length: 200_000 }, (_, i) => `service s${i}: no server can serve`);
    await listen({ status: () => ({ ...STATUS, problems }) });
    const socket = connect(path, () => socket.write("GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n"));
    await once(socket, "data");
    socket.destroy();
    await once(socket, "close");
    assert.deepEqual((await client().status()).problems.length, problems.length);
  });

  it("answers what a reload would change", async () => {
    await listen();
    assert.deepEqual(await client().plan(), ok(PLAN));
  });

  it("answers reload, with the report or with the refusal", async () => {
    await listen();
    assert.deepEqual(await client().reload(), ok(REPORT));
    await server?.close();
    const refusal = { code: "CONFIG_INVALID", message: "nothing was changed", details: "holdfast.yaml:3:5: …" };
    await listen({ reload: async () => err(refusal) });
    assert.deepEqual(await client().reload(), err(refusal));
  });

  it("takes how long a reload may wait to be confirmed, and hears who confirms it", async () => {
    const asked: (number | null)[] = [];
    await listen({
      reload: async (confirmMs) => {
        asked.push(confirmMs);
        return ok(REPORT);
      },
    });
    await client().reload();
    await client().reload("5m");
    assert.deepEqual(asked, [null, 300_000]);
    for (const bad of ["5", "1s", "25h", ""]) {
      const refused = await client().reload(bad);
      assert.ok(!refused.ok && /from 5s to 24h|from 5s to 1d/.test(refused.error.message), JSON.stringify(refused));
    }
    assert.equal(asked.length, 2);
    assert.deepEqual(await client().confirm(), ok({ state: "confirmed" }));
    assert.deepEqual(await client().undo(), ok({ state: "undone" }));
  });

  it("is for root and its group only", async () => {
    await listen();
    assert.equal(statSync(path).mode & 0o777, 0o660);
  });

  it("says so when no daemon answers", async () => {
    await assert.rejects(
      client().status(),
      (thrown) => thrown instanceof DirectorError && thrown.code === "DAEMON_UNREACHABLE",
    );
  });

  it("replaces a socket file that nobody serves, and refuses one that is served", async () => {
    writeFileSync(path, "");
    await listen();
    await assert.rejects(
      ControlServer.listen({ path, groupId: null }, handlers),
      (thrown) => thrown instanceof DirectorError && thrown.code === "DAEMON_RUNNING",
    );
    assert.deepEqual(await client().status(), STATUS, "the first one still serves");
  });

  it("removes its socket when it closes", async () => {
    await listen();
    await server?.close();
    server = undefined;
    assert.equal(existsSync(path), false);
  });

  it("refuses other paths, other methods and large bodies, and survives garbage", async () => {
    await listen();
    const end = "host: x\r\nconnection: close\r\n";
    assert.match(await raw(`GET /v2/status HTTP/1.1\r\n${end}\r\n`), /^HTTP\/1\.1 404 .*CONTROL_REFUSED/s);
    assert.match(await raw(`POST /v1/status HTTP/1.1\r\n${end}content-length: 0\r\n\r\n`), /^HTTP\/1\.1 405 /);
    assert.match(
      await raw(`POST /v1/reload HTTP/1.1\r\n${end}content-length: 70000\r\n\r\n${"x".repeat(70_000)}`),
      /^HTTP\/1\.1 413 /,
    );
    assert.match(await raw("\u0000\u0001\u0002 nonsense\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.deepEqual(await client().status(), STATUS);
  });

  it("turns a fault of a handler into an answer", async () => {
    await listen({
      reload: async () => {
        throw new Error("boom");
      },
    });
    assert.deepEqual(await client().reload(), err({ code: "OWN_FAULT", message: "boom" }));
  });
});
