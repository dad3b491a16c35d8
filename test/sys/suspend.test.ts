import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MODULE = fileURLToPath(new URL("../../src/sys/suspend.js", import.meta.url));
/** Says what it does to its terminal, and ends with its standard input. */
const PROGRAM = `import { onSuspend } from ${JSON.stringify(MODULE)};
const say = (word) => process.stdout.write(word + "\\n");
const end = onSuspend({ leave: () => say("left"), enter: () => say("entered") });
process.stdin.on("end", () => { end(); say("ended"); }).resume();
say(String(process.pid));`;

/** The state of a process in proc(5): `T` = stopped. */
function stateOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.charAt(0) ?? "";
}

/** @param argv runs the program, which is the last argument of it */
async function start(argv: readonly string[]) {
  const [command = "", ...args] = argv;
  const child = spawn(command, [...args, process.execPath, "--input-type=module", "--eval", PROGRAM], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value as string;
  const pid = Number(await line());
  const end = async () => {
    child.stdin.end();
    assert.equal(await line(), "ended");
    // Bash 5.2 may wait for ever, and at full speed, for a job that stopped and went on.
    child.kill("SIGKILL");
    await closed;
  };
  return { pid, line, end };
}

describe("a program that draws on its terminal", () => {
  // A shell with job control puts it into a process group of its own, as on a terminal.
  const SHELL = ["bash", "-c", 'exec 3>&2 2>&-; set -m; "$@" <&0 2>&3 & wait -f "$!"', "bash"];

  it("gives the terminal back before Ctrl-Z stops it, and takes it when it goes on, again and again", async () => {
    const { pid, line, end } = await start(SHELL);
    for (let round = 0; round < 3; round += 1) {
      process.kill(pid, "SIGTSTP");
      assert.equal(await line(), "left");
      while (stateOf(pid) !== "T") await new Promise((resolve) => setImmediate(resolve));
      process.kill(pid, "SIGCONT");
      assert.equal(await line(), "entered");
    }
    await end();
  });

  it("goes on at once where no shell could wake it", async () => {
    const { pid, line, end } = await start(["env"]);
    process.kill(pid, "SIGTSTP");
    assert.deepEqual([await line(), await line()], ["left", "entered"]);
    await end();
  });
});
