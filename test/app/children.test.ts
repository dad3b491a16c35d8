import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Children } from "../../src/app/children.ts";
import type { ServerOverride } from "../../src/app/messages.ts";
import { StatusBoard } from "../../src/app/status-board.ts";
import { EXIT } from "../../src/base/exit-codes.ts";
import { load } from "../config/support.ts";
import { MemoryLogger } from "../support/memory-store.ts";
import { waitUntil } from "../support/wait-until.ts";

const program = fileURLToPath(new URL("../../../test/fixtures/children/either.mjs", import.meta.url));

const loaded = load(`
vrrp:
  instances:
    web4: { interface: eth0, vrid: 51, priority: 150, addresses: [192.0.2.10/24], track: { services: [web] } }
services:
  web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80], checks: [tcp] }
`);
assert.ok(loaded.ok);
const { config } = loaded.value;
const web = config.services[0] ?? assert.fail();

/** What a child of the fixture says that it was told. */
interface Told {
  readonly config: Readonly<Record<string, unknown>>;
  readonly facts: readonly (readonly [key: string, value: unknown])[];
}

/** Those of the test that runs. */
const made: Children[] = [];

function pair(folders: { readonly runDir?: string; readonly stateDir?: string } = {}) {
  const board = new StatusBoard();
  const logger = new MemoryLogger();
  const heard: string[] = [];
  const overrides: ServerOverride[] = [];
  const children = new Children(
    { program, runDir: "/run/x", stateDir: "/var/lib/x", ...folders },
    {
      first: { take: () => undefined },
      logger,
      board,
      present: () => ({ config, keys: {}, headerSecrets: {} }),
      resting: () => ["web6"],
      overrides: () => overrides,
      onInstances: () => heard.push("instances"),
      onServers: (drains) => heard.push(`servers ${JSON.stringify(drains)}`),
      onVrrpGone: () => heard.push("gone"),
      onReady: () => heard.push("ready"),
      onHopeless: (exit, code) => heard.push(`hopeless ${exit} ${code}`),
    },
  );
  made.push(children);
  const ofVrrp = (): Told => JSON.parse(board.instances(config)[0]?.reason ?? '{"facts":[]}') as Told;
  const ofChecker = (): Told => JSON.parse(board.servers(web)[0]?.why ?? '{"facts":[]}') as Told;
  const start = async () => {
    children.start();
    await waitUntil(() => heard.includes("ready"));
  };
  const said = (message: string) => logger.entries.some((entry) => entry.message === message);
  return { children, board, heard, overrides, ofVrrp, ofChecker, start, said };
}

const pidOf = (children: Children, index: number): number => children.processes[index]?.status().pid ?? assert.fail();

describe("the two children", () => {
  // Also after a failure: with a child left the test run would never end.
  afterEach(async () => {
    for (const children of made.splice(0)) await children.stop();
  });

  it("are ready when both have taken their configuration", async () => {
    const { children, heard, ofVrrp, ofChecker, start } = pair();
    await start();
    assert.deepEqual(
      children.processes.map((child) => child.status().state),
      ["running", "running"],
    );
    assert.equal(heard.filter((one) => one === "ready").length, 1);
    assert.ok(children.isWell());
    assert.deepEqual(children.problems, ["no real-time priority"]);
    await waitUntil(() => ofVrrp().config?.runDir === "/run/x" && ofChecker().config?.stateDir === "/var/lib/x");
    assert.deepEqual(ofVrrp().config.resting, ["web6"]);
    assert.deepEqual(ofChecker().config.track, { scripts: [], services: ["web"] });
    assert.deepEqual(await children.configure(), { ok: true, value: { changes: ["a"], remaining: ["b"] } });
  });

  it("know of each other what they must, and the board everything", async () => {
    const { board, heard, ofVrrp, ofChecker, start } = pair();
    await start();
    await waitUntil(() => ofVrrp().facts.length > 0 && ofChecker().facts.length > 0);
    assert.deepEqual(ofVrrp().facts[0], ["track/service/web", { up: 1 }]);
    assert.deepEqual(ofChecker().facts[0], ["instance/web4", { phase: "master" }]);
    assert.deepEqual(board.serviceTraffic("web"), [{ listen: "tcp://192.0.2.10:80" }]);
    assert.ok(heard.includes("instances"));
    assert.ok(heard.includes('servers [{"service":"web","server":"10.0.0.11:80","count":{"active":2}}]'));
  });

  it("a vrrp process that died is followed by one that rests as it did, and the checker hears of it", async () => {
    const { children, heard, ofVrrp, ofChecker, start, said } = pair();
    await start();
    await waitUntil(() => ofVrrp().config !== undefined);
    process.kill(pidOf(children, 0), "SIGKILL");
    await waitUntil(() => heard.includes("gone"));
    assert.deepEqual(children.problems, []);
    await waitUntil(() => said("the vrrp process runs again"));
    assert.deepEqual(children.problems, ["no real-time priority"]);
    assert.deepEqual(ofVrrp().config.resting, ["web4", "web6"]);
    await waitUntil(() => ofChecker().facts.some(([key, value]) => key === "instance/web4" && value === null));
    await waitUntil(() => ofVrrp().facts.length > 0);
    assert.deepEqual(ofVrrp().facts[0], ["track/service/web", { up: 1 }], "what was found out stands");
  });

  it("an order about servers is known to the next checker process as well", async () => {
    const { children, overrides, ofChecker, start } = pair();
    await start();
    const override = { type: "drain", sinceMs: 1 } as unknown as ServerOverride["override"];
    overrides.push({ service: "web", server: "10.0.0.11:80", override });
    assert.deepEqual(await children.override(overrides), { ok: true, value: overrides });
    process.kill(pidOf(children, 1), "SIGKILL");
    await waitUntil(() => JSON.stringify(ofChecker().config?.overrides) === JSON.stringify(overrides));
  });

  it("a handover is answered with who moved, or with who did not and why", async () => {
    const { children, start } = pair();
    await start();
    assert.deepEqual(await children.handover("web4"), {
      ok: true,
      value: { moved: [{ instance: "web4", successor: "192.0.2.2", tookMs: 3 }] },
    });
    assert.deepEqual(await children.handover("other"), {
      ok: false,
      error: { code: "HANDOVER_FAILED", message: "web6: no other director answered" },
    });
  });

  it("one that lacks something at its first start makes the start hopeless", async () => {
    const { children, heard, said } = pair({ stateDir: "refuse:KERNEL_UNSUPPORTED" });
    children.start();
    await waitUntil(() => heard.some((one) => one.startsWith("hopeless")));
    assert.ok(heard.includes(`hopeless ${EXIT.NO_PRIVILEGE} KERNEL_UNSUPPORTED`));
    assert.ok(!heard.includes("ready"));
    const remedy =
      "Load the kernel module named in the message (for IPVS: `modprobe ip_vs`), or use a kernel that has it.";
    assert.ok(said(`the checker process cannot work: it lacks something. ${remedy}`));
    const outcome = await children.configure();
    assert.ok(!outcome.ok && outcome.error.code === "KERNEL_UNSUPPORTED");
  });

  it("one that only was too slow is a fault of ours, which a service manager tries again", async () => {
    const { children, heard } = pair({ runDir: "refuse:REPLY_TIMEOUT" });
    children.start();
    await waitUntil(() => heard.some((one) => one.startsWith("hopeless")));
    assert.ok(heard.includes(`hopeless ${EXIT.OWN_FAULT} REPLY_TIMEOUT`));
  });
});
