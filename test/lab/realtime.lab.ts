// lab-needs: netns
// `vrrp.realtime: true`: what the vrrp process gets of it, seen by chrt and /proc, and what is said where it is refused.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./support/commands.ts";
import { childPid, isRunning, startDaemon } from "./support/daemon.ts";
import { type Director, vrrpYaml } from "./support/director.ts";
import { Topology } from "./support/topology.ts";

/** The unit's capabilities, without the two that realtime wants, and the usual limits. */
const UNPRIVILEGED = ["prlimit", "--rtprio=0", "--memlock=65536", "setpriv", "--bounding-set"];
const UNIT_CAPABILITIES = "-all,+net_admin,+net_raw,+chown";

describe("real-time priority", () => {
  let topology: Topology;
  let homes = 0;

  before(() => {
    topology = new Topology({ directors: 1 });
  });
  after(() => topology?.close());

  const yaml = (realtime: boolean): string =>
    vrrpYaml(topology, 1, { advertise: "100ms" }).replace("vrrp:\n", `vrrp:\n  realtime: ${realtime}\n`);

  function start(realtime: boolean, wrapper: readonly string[] = []): Director {
    homes += 1;
    return startDaemon(topology.lb(1), join(topology.dir, `home-${homes}`), { yaml: yaml(realtime), wrapper });
  }
  /** `SCHED_RR 10` for each thread, without repetition. */
  function policies(pid: number): string[] {
    const text = run(["chrt", "--all-tasks", "--pid", String(pid)]);
    const found = [...text.matchAll(/policy: (\S+)\n.*priority: (\d+)/g)].map(
      ([, policy, priority]) => `${policy} ${priority}`,
    );
    assert.equal(found.length, readdirSync(`/proc/${pid}/task`).length, text);
    return [...new Set(found)];
  }
  const lockedKb = (pid: number): number =>
    Number(/^VmLck:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

  it("has every thread of the vrrp process, and no other; a reload takes it back and gives it again", async () => {
    const director = start(true);
    await director.program.line(/-> master/);
    assert.deepEqual((await isRunning(director)).problems, []);
    const pid = await childPid(director, "vrrp");
    assert.deepEqual(policies(pid), ["SCHED_RR 10"]);
    assert.ok(lockedKb(pid) > 50_000, `${lockedKb(pid)} kB locked`);
    for (const other of [director.program.pid, await childPid(director, "checker")]) {
      assert.deepEqual(policies(other), ["SCHED_OTHER 0"]);
      assert.equal(lockedKb(other), 0);
    }
    assert.match((await director.reload(yaml(false))).stdout, /^~ {3}vrrp\.realtime changed$/m);
    assert.deepEqual(policies(pid), ["SCHED_OTHER 0"]);
    assert.equal(lockedKb(pid), 0);
    await director.reload(yaml(true));
    assert.deepEqual(policies(pid), ["SCHED_RR 10"]);
    console.log(`        ${lockedKb(pid)} kB locked`);
    await director.stop();
    assert.equal(director.program.exitCode, 0, director.lines.slice(-10).join("\n"));
  });

  it("is warned about where it is refused, and the director serves", async () => {
    const director = start(true, [...UNPRIVILEGED, UNIT_CAPABILITIES]);
    await director.program.line(/-> master/);
    const { health, problems } = await isRunning(director);
    assert.equal(health, "degraded");
    assert.match(problems.join("\n"), /real-time priority was refused \(EPERM\).*CAP_SYS_NICE/);
    assert.match(problems.join("\n"), /could not be locked in memory \(ENOMEM\).*CAP_IPC_LOCK/);
    assert.match(director.lines.join("\n"), /warning vrrp: vrrp\.realtime: real-time priority was refused/);
    await director.reload(yaml(false));
    assert.deepEqual((await isRunning(director)).problems, []);
    await director.stop();
    assert.equal(director.program.exitCode, 0);
  });
});
