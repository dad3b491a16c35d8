import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { daemonProcesses, ownRights } from "../../src/sys/process-rights.ts";

describe("rights of processes", () => {
  const children: ChildProcess[] = [];

  /** A process with a limit of its own, when it has it. */
  async function startLimited(descriptors: number): Promise<number> {
    const child = spawn("sh", ["-c", `ulimit -n ${descriptors}; echo; exec cat`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    await once(child.stdout, "data");
    return child.pid ?? 0;
  }

  afterEach(() => {
    for (const child of children.splice(0)) child.kill();
  });

  it("reads each process's own, and says whose they are", async () => {
    const [vrrp, checker] = await Promise.all([startLimited(100), startLimited(200)]);
    const found = daemonProcesses(process.pid, [
      { name: "vrrp", pid: vrrp },
      { name: "checker", pid: checker },
    ]);
    assert.deepEqual(
      found.map(({ name, pid }) => [name, pid]),
      [
        ["supervisor", process.pid],
        ["vrrp", vrrp],
        ["checker", checker],
      ],
    );
    assert.deepEqual(found[0]?.rights, ownRights());
    assert.deepEqual(
      found.slice(1).map(({ rights }) => rights.descriptorLimit),
      [100, 200],
    );
  });

  it("takes no process for the daemon's that its supervisor is not the parent of, nor one that has ended", async () => {
    const vrrp = { name: "vrrp" as const, pid: await startLimited(100) };
    assert.deepEqual(daemonProcesses(1, [vrrp]), []);
    assert.deepEqual(daemonProcesses(process.pid, [vrrp, { name: "checker", pid: 1 }]), []);
    assert.deepEqual(daemonProcesses(process.pid, []), []);
    const child = children[0];
    assert.ok(child !== undefined);
    child.kill();
    await once(child, "exit");
    assert.deepEqual(daemonProcesses(process.pid, [vrrp]), []);
  });
});
