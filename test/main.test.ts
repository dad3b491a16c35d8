import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../src/main.js", import.meta.url));

/** Loaded before the program: a bug in one of its roles, which nobody catches, once the program is there to say so. */
const bugIn = (isRole: string): string =>
  `data:text/javascript,${encodeURIComponent(`
    if (${isRole}) process.on("newListener", (name) => {
      if (name === "uncaughtException") setImmediate(() => { throw new TypeError("x is not a function"); });
    });
  `)}`;
const BUG = bugIn("process.argv[2] !== 'internal'");
const BUG_IN_A_CHILD = bugIn("process.argv[2] === 'internal'");

interface Ended {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

async function holdfast(
  args: readonly string[],
  options: { readonly load?: string; readonly stdout?: number; readonly closes?: "stdout" | "stderr" } = {},
): Promise<Ended> {
  const load = options.load === undefined ? [] : ["--import", options.load];
  const isChild = args[0] === "internal";
  const child = spawn(process.execPath, [...load, PROGRAM, ...args], {
    stdio: ["ignore", options.stdout ?? "pipe", "pipe", ...(isChild ? ["ipc" as const] : [])],
  });
  const said = { out: "", err: "" };
  child.stdout?.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    said.err += chunk;
  });
  if (options.closes !== undefined) child[options.closes]?.destroy();
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { exitCode, ...said };
}

describe("the program", () => {
  it("tells a bug in a command as one sentence, and its place with --debug", async () => {
    const [brief, long] = await Promise.all([
      holdfast(["schema"], { load: BUG }),
      holdfast(["schema", "--debug"], { load: BUG }),
    ]);
    // What it printed until then depends on when the fault comes.
    const { exitCode, err } = brief;
    assert.deepEqual(
      [exitCode, err],
      [
        70,
        "holdfast: x is not a function. This is a bug in holdfast; run the command again with --debug to see where.\n",
      ],
    );
    assert.equal(long.exitCode, 70);
    assert.match(long.err, /please report it with what follows\.\nTypeError: x is not a function\n {4}at /);
  });

  it("leaves the place of a bug in the log of a daemon, unasked", async () => {
    const ends = await Promise.all([
      holdfast(["run", "/nonexistent/holdfast.yaml"], { load: BUG }),
      holdfast(["internal", "vrrp"], { load: BUG_IN_A_CHILD }),
      holdfast(["internal", "checker"], { load: BUG_IN_A_CHILD }),
    ]);
    for (const { exitCode, err } of ends) {
      assert.equal(exitCode, 70, err);
      assert.match(err, /please report it with what follows\.\nTypeError: x is not a function\n {4}at /);
    }
  });

  it("says that its output cannot be written", async () => {
    const full = await holdfast(["schema"], { stdout: openSync("/dev/full", "w") });
    assert.equal(full.exitCode, 1);
    assert.match(full.err, /^holdfast: the output cannot be written: ENOSPC.*Check that the disk is not full\.\n$/);
  });

  it("keeps its exit code where nobody reads what it says", async () => {
    const commands = [["check", "/nonexistent/holdfast.yaml"], ["run", "/nonexistent/holdfast.yaml"], ["fly"]];
    const ends = await Promise.all(commands.map((args) => holdfast(args, { closes: "stderr" })));
    assert.deepEqual(
      ends.map(({ exitCode }) => exitCode),
      [78, 78, 64],
    );
  });

  it("ends in good order with the reader of its output, as `| head` has it", async () => {
    assert.deepEqual(await holdfast(["schema"], { closes: "stdout" }), { exitCode: 0, out: "", err: "" });
  });
});
