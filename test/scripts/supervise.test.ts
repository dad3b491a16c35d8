import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { waitUntil } from "../support/wait-until.ts";

const SUPERVISE = pathToFileURL(join(process.cwd(), "scripts/lab/supervise.mjs")).href;

/** Says its pid and those of its children, and waits for them, as a run waits for its daemons. */
const FAMILY = "sleep 600 & sleep 600 & echo $$ $(jobs -p); wait";

/** A run with a folder of its own, as guest.mjs and host.mjs make them: it goes when the child has ended. */
const PROGRAM = `
import { mkdirSync, rmSync } from "node:fs";
import { cutShort, supervise } from ${JSON.stringify(SUPERVISE)};
const [folder, interactive, limitSeconds, ...argv] = process.argv.slice(1);
mkdirSync(folder);
const options = { interactive: interactive === "true", limitSeconds: Number(limitSeconds), spawn: { stdio: ["ignore", "inherit", "inherit"] } };
const { code, ended } = await supervise(argv, options);
console.log("ended");
// Cleaning up takes a moment; whoever sends a signal twice does so here.
await new Promise((next) => setTimeout(next, 100));
rmSync(folder, { recursive: true });
process.exitCode = cutShort(ended, options.limitSeconds) ?? code;
`;

/** Whether a process runs; one that has ended and that nobody has waited for does not. */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe("a supervised run of the lab", () => {
  let dir: string;
  let folder: string;
  let supervisor: ChildProcess;
  /** The child, and what it started. */
  let pids: readonly number[] = [];
  let said = "";

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-test-"));
    folder = join(dir, "run");
    said = "";
  });
  afterEach(() => {
    for (const pid of pids) if (runs(pid)) process.kill(pid, "SIGKILL");
    supervisor.kill("SIGKILL");
    rmSync(dir, { recursive: true });
  });

  async function start({ interactive = false, limitSeconds = 600 } = {}): Promise<void> {
    const argv = [folder, String(interactive), String(limitSeconds), "bash", "-c", FAMILY];
    supervisor = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, ...argv], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    supervisor.stdout?.on("data", (data) => {
      said += data;
    });
    await waitUntil(() => said.includes("\n"), 9_000);
    pids = said.trim().split(/\s+/).map(Number);
    assert.equal(pids.length, 3, said);
    assert.ok(pids.every(runs) && existsSync(folder));
  }

  async function end(): Promise<readonly [status: number | null, signal: NodeJS.Signals | null]> {
    if (supervisor.exitCode === null && supervisor.signalCode === null) await once(supervisor, "exit");
    return [supervisor.exitCode, supervisor.signalCode];
  }

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    it(`${signal}: child and grandchildren are gone, the folder too, and it ends by that signal`, async () => {
      await start();
      supervisor.kill(signal);
      assert.deepEqual(await end(), [null, signal]);
      assert.deepEqual(pids.filter(runs), []);
      assert.equal(existsSync(folder), false);
    });

  it("Ctrl-C that comes twice, by the terminal and by npm, leaves no folder", async () => {
    await start();
    supervisor.kill("SIGINT");
    await waitUntil(() => said.includes("ended"));
    supervisor.kill("SIGINT");
    assert.deepEqual(await end(), [null, "SIGINT"]);
    assert.equal(existsSync(folder), false);
  });

  it("the time limit: the same, with 124", async () => {
    await start({ limitSeconds: 1 });
    assert.deepEqual(await end(), [124, null]);
    assert.deepEqual(pids.filter(runs), []);
    assert.equal(existsSync(folder), false);
  });

  it("is killed outright: the child goes with it", async () => {
    await start();
    supervisor.kill("SIGKILL");
    await end();
    const [child = 0] = pids;
    await waitUntil(() => !runs(child));
  });

  it("on a terminal Ctrl-C is for the child", async () => {
    await start({ interactive: true });
    supervisor.kill("SIGINT");
    supervisor.kill("SIGTERM");
    assert.deepEqual(await end(), [null, "SIGTERM"]);
    const [child = 0] = pids;
    assert.equal(runs(child), false);
  });
});
