import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirectorError } from "../../src/base/director-error.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { confirmCommand, reloadCommand } from "../../src/cli/daemon-commands.ts";
import { type NoPlan, planCommand, renderPlan } from "../../src/cli/plan.ts";
import type { ControlHandlers } from "../../src/control/routes.ts";
import { ControlServer } from "../../src/control/server.ts";
import type { DirectorStatus } from "../../src/control/status.ts";
import { joinPlan, type KernelPlan, stepOf } from "../../src/plan/model.ts";
import { load } from "../config/support.ts";
import { sampleStatus } from "../support/sample-status.ts";

const STEPS = [
  stepOf("server 10.0.0.3:80", null, "dr weight 1"),
  stepOf("server 10.0.0.2:80", "dr weight 1", null, { cuts: { established: 1, other: 0 } }),
];
const NOTES = ["server 10.0.0.4:80 is down and stays out of the table: script fails: \u001b[2Jboo"];
const PLAN = joinPlan([{ section: "services", title: "service web", steps: STEPS, notes: NOTES }], {
  basis: "by a test",
});
const NOTHING = joinPlan([], { basis: "by a test" });

function terminal(isTerminal = false) {
  const said = { out: "", err: "" };
  const output = (name: "out" | "err") => ({
    write: (text: string) => {
      said[name] += text;
    },
    isTerminal,
  });
  return { said, out: output("out"), err: output("err"), env: {} };
}

describe("holdfast plan", () => {
  let dir: string;
  let controlSocket: string;
  let server: ControlServer | undefined;

  const FILE = "/etc/holdfast/holdfast.yaml";
  const run = async (
    offline: (status: DirectorStatus | null) => Result<KernelPlan, NoPlan>,
    options: { readonly file?: string; readonly json?: boolean } = {},
  ) => {
    const screen = terminal();
    const exitCode = await planCommand({ file: FILE, controlSocket, json: false, ...options }, screen, {
      planOffline: offline,
    });
    return { exitCode, ...screen.said };
  };
  const listen = async (handlers: Partial<ControlHandlers>) => {
    const all = {
      status: sampleStatus,
      events: { page: () => assert.fail(), subscribe: () => assert.fail() },
      ...handlers,
    };
    server = await ControlServer.listen({ path: controlSocket, groupId: null }, all as unknown as ControlHandlers);
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "plan-"));
    controlSocket = join(dir, "control.sock");
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    rmSync(dir, { recursive: true });
  });

  it("without a daemon makes the plan itself: 2 changes, 0 nothing to do", async () => {
    const changes = await run((status) => {
      assert.equal(status, null);
      return ok(PLAN);
    });
    assert.equal(changes.exitCode, 2);
    assert.deepEqual(changes.out.split("\n").slice(2, 6), [
      "  service web",
      "+   server 10.0.0.3:80: dr weight 1",
      "-   server 10.0.0.2:80: dr weight 1; cuts 1 established connection",
      "    server 10.0.0.4:80 is down and stays out of the table: script fails:  [2Jboo",
    ]);
    assert.equal((await run(() => ok(NOTHING))).exitCode, 0);
    const json = await run(() => ok(PLAN), { json: true });
    assert.deepEqual([json.exitCode, JSON.parse(json.out)], [2, PLAN]);
  });

  it("says why there is none: mistakes with their places, the kernel's refusal with the remedy", async () => {
    const broken = load("nonsense: 1\n");
    assert.ok(!broken.ok);
    const mistakes = await run(() => err({ type: "config", problems: broken.error }));
    assert.equal(mistakes.exitCode, 1);
    assert.match(
      mistakes.err,
      /:1:1: error: .*nonsense[\s\S]*holdfast: no plan: \/etc\/holdfast\/holdfast\.yaml: 1 error\n$/,
    );
    const denied = new DirectorError("PRIVILEGE_MISSING", "the kernel refuses access to IPVS");
    const refused = await run(() => err({ type: "system", error: denied }));
    assert.equal(refused.exitCode, 1);
    assert.match(refused.err, /^holdfast: no plan: the kernel refuses access to IPVS\. Run as root/);
    const json = await run(() => err({ type: "system", error: denied }), { json: true });
    assert.match(JSON.parse(json.out).error, /no plan/);
    assert.equal(json.err, "");
  });

  it("asks the daemon that runs with the same file, and takes its status for another", async () => {
    await listen({ plan: async () => ok(PLAN) });
    assert.equal((await run(() => assert.fail("the daemon knows better"))).exitCode, 2);
    const other = await run(
      (status) => {
        assert.equal(status?.node, "lb1");
        return ok(NOTHING);
      },
      { file: "/tmp/new.yaml" },
    );
    assert.equal(other.exitCode, 0);
    await server?.close();
    await listen({ plan: async () => err({ code: "CHILD_FAILED", message: "there is no plan: it starts" }) });
    const refused = await run(() => assert.fail());
    assert.deepEqual([refused.exitCode, refused.err], [1, "holdfast: no plan: there is no plan: it starts.\n"]);
  });

  it("paints what changes on a terminal", () => {
    const text = renderPlan(PLAN, terminal(true));
    assert.match(text, /\u001b\[32m\+ {3}server 10\.0\.0\.3/);
    assert.match(text, /\u001b\[1;31m- {3}server 10\.0\.0\.2/);
  });

  it("reload prints the plan, what the kernel did not take, and how to keep it", async () => {
    const report = { plan: PLAN, changes: [], remaining: [], warnings: ["x.yaml:1:1: odd"], confirmBy: null };
    await listen({
      reload: async (confirmMs) => ok({ ...report, confirmBy: confirmMs === null ? null : "2026-01-02T03:04:05Z" }),
    });
    const plain = terminal();
    assert.equal(await reloadCommand({ controlSocket, json: false, confirm: null }, plain), 0);
    assert.match(
      plain.said.out,
      /\n- {3}server 10\.0\.0\.2.*\n[\s\S]*applied, and read back: the kernel is as configured\n$/,
    );
    assert.equal(plain.said.err, "x.yaml:1:1: odd\n");
    const trial = terminal();
    assert.equal(await reloadCommand({ controlSocket, json: false, confirm: "5m" }, trial), 0);
    assert.match(trial.said.out, /undoes itself at 2026-01-02 \d\d:04 unless you run `holdfast confirm`\n$/);
    await server?.close();
    await listen({ reload: async () => ok({ ...report, remaining: ["adding service x: refused"] }) });
    const failed = terminal();
    assert.equal(await reloadCommand({ controlSocket, json: false, confirm: null }, failed), 1);
    assert.match(failed.said.err, /holdfast: not applied: adding service x: refused\n$/);
    assert.doesNotMatch(failed.said.out, /as configured/);
  });

  it("confirm says what came of it", async () => {
    await listen({
      confirm: async () => err({ code: "CONTROL_REFUSED", message: "no reload waits to be confirmed" }),
      undo: async () => ok({ state: "undone" }),
    });
    const nothing = terminal();
    assert.equal(await confirmCommand({ controlSocket, json: false, undo: false }, nothing), 1);
    assert.equal(nothing.said.err, "holdfast: no reload waits to be confirmed.\n");
    const undone = terminal();
    assert.equal(await confirmCommand({ controlSocket, json: false, undo: true }, undone), 0);
    assert.match(undone.said.out, /^undone: the configuration before is in force/);
  });
});
