import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT } from "../../src/base/exit-codes.ts";
import { err, ok } from "../../src/base/result.ts";
import { type OverrideCommandOptions, overrideCommand } from "../../src/cli/override-command.ts";
import type { OverrideOrder, OverrideStatus, ServerOverrideStatus } from "../../src/control/overrides.ts";
import type { ControlHandlers } from "../../src/control/routes.ts";
import { ControlServer } from "../../src/control/server.ts";

const A = { service: "web", server: "10.0.0.11:80" };
const DRAINING: OverrideStatus = {
  type: "drain",
  state: "draining",
  weight: null,
  since: "2026-01-01T00:00:00.000Z",
  until: null,
  deadline: null,
  connections: null,
  cut: null,
  reason: null,
  by: "root",
};
const listed = (part: Partial<OverrideStatus>): ServerOverrideStatus[] => [
  { ...A, isConfigured: true, override: { ...DRAINING, ...part } },
];

describe("holdfast drain, disable, weight, enable", () => {
  let dir: string;
  let server: ControlServer | undefined;
  /** What the daemon was told. */
  let orders: OverrideOrder[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-override-"));
    orders = [];
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    rmSync(dir, { recursive: true });
  });

  async function listen(handlers: Partial<Pick<ControlHandlers, "order" | "overrides">>): Promise<void> {
    const answer: ControlHandlers["order"] = async () =>
      ok({ servers: [{ ...A, before: null, override: DRAINING }], changes: ["changed"], warnings: [] });
    const order: ControlHandlers["order"] = (given) => {
      orders.push(given);
      return (handlers.order ?? answer)(given);
    };
    const stub = { events: { subscribe: () => () => undefined }, overrides: () => [], ...handlers, order };
    server = await ControlServer.listen({ path: join(dir, "s"), groupId: null }, stub as unknown as ControlHandlers);
  }

  async function run(options: Partial<OverrideCommandOptions> = {}) {
    const printed = { out: "", err: "" };
    const output = (name: "out" | "err") => ({
      write: (text: string) => {
        printed[name] += text;
      },
      isTerminal: false,
    });
    const exitCode = await overrideCommand(
      {
        controlSocket: join(dir, "s"),
        order: { type: "drain", ...A },
        by: "ann",
        wait: false,
        json: false,
        askEveryMs: 1,
        ...options,
      },
      { out: output("out"), err: output("err"), env: {} },
    );
    return { exitCode, ...printed };
  }

  it("sends the order with who orders, and prints what stands and what to mind", async () => {
    await listen({
      order: async () =>
        ok({
          servers: [{ ...A, before: "weight 5", override: { ...DRAINING, until: "2036-01-01T12:00:00.000Z" } }],
          changes: [],
          warnings: ["service web: no server is left that takes new connections"],
        }),
    });
    const {
      exitCode,
      out,
      err: complaint,
    } = await run({
      order: { type: "drain", ...A, until: "2h", deadline: "10m", reason: "new kernel" },
    });
    assert.equal(exitCode, EXIT.OK);
    assert.match(out, /^web 10\.0\.0\.11:80: draining, was weight 5, until 20\d\d-\d\d-\d\d \d\d:\d\d\n$/);
    assert.equal(complaint, "holdfast: warning: service web: no server is left that takes new connections\n");
    const { by, reason, deadlineUs, until } = orders[0] ?? {};
    assert.deepEqual(
      { by, reason, deadlineUs, until },
      {
        by: "ann",
        reason: "new kernel",
        deadlineUs: 600_000_000,
        until: { type: "for", us: 7_200_000_000 },
      },
    );
  });

  it("says what was taken off, and that there was nothing", async () => {
    await listen({
      order: async () =>
        ok({
          servers: [
            { ...A, before: "drained", override: null },
            { service: "web", server: "10.0.0.12:80", before: null, override: null },
          ],
          changes: [],
          warnings: [],
        }),
    });
    assert.equal(
      (await run({ order: { type: "enable", service: "web", server: "all" } })).out,
      "web 10.0.0.11:80: drained no more, its checks decide\nweb 10.0.0.12:80: nothing to take off, its checks decide\n",
    );
  });

  it("ends with 1 and the reason when refused, with 4 when nobody answers", async () => {
    const refusal = { code: "CONTROL_REFUSED", message: "there is no service wbe; did you mean web?" };
    await listen({ order: async () => err(refusal) });
    const refused = await run();
    assert.deepEqual(refused, {
      exitCode: EXIT.FAILED,
      out: "",
      err: "holdfast: drain refused: there is no service wbe; did you mean web?\n",
    });
    assert.deepEqual(JSON.parse((await run({ json: true })).out), refusal);
    await server?.close();
    server = undefined;
    const alone = await run();
    assert.equal(alone.exitCode, EXIT.NO_DAEMON);
    assert.match(alone.err, /^holdfast: no daemon answers on .* Start the daemon/);
  });

  it("waits until the server is out, and shows what is left", async () => {
    const steps = [
      listed({}),
      listed({ connections: 2 }),
      listed({ connections: 2 }),
      listed({ connections: 0 }),
      listed({ state: "drained", cut: 1 }),
    ];
    await listen({ overrides: () => steps.shift() ?? [] });
    const { exitCode, out } = await run({ wait: true });
    assert.equal(exitCode, EXIT.OK);
    assert.deepEqual(out.trimEnd().split("\n"), [
      "web 10.0.0.11:80: draining",
      "web 10.0.0.11:80: 2 connections left",
      "web 10.0.0.11:80: drained, 1 connection cut",
    ]);
  });

  it("waits no longer for one that somebody enabled", async () => {
    const steps = [listed({ connections: 2 }), []];
    await listen({ overrides: () => steps.shift() ?? [] });
    const { exitCode, out } = await run({ wait: true });
    assert.equal(exitCode, EXIT.FAILED);
    assert.match(out, /not draining any more: enabled\n$/);
  });

  it("prints as JSON how it ended", async () => {
    await listen({ overrides: () => listed({ state: "drained", cut: 0 }) });
    const { exitCode, out } = await run({ wait: true, json: true });
    assert.equal(exitCode, EXIT.OK);
    const answer = JSON.parse(out);
    assert.equal(answer.servers[0].override.state, "drained");
    assert.deepEqual(answer.changes, ["changed"]);
    assert.equal(JSON.parse((await run({ json: true })).out).servers[0].override.state, "draining");
  });
});
