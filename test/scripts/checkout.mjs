// Needs root. The commands of docs/lab.md and README.md as a person types them, on a terminal: `lab -- exec`, `lab -- shell`, and the demo
// and the tests, which somebody interrupts. Whatever they built is gone afterwards: processes, network namespaces, temporary folders.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const CTRL_C = "\u0003";
const WITHIN_MS = 180_000;

/** pid and start time of a process, which nobody else ever has; its parent; undefined = it has ended. */
function look(pid) {
  try {
    const [, state, parent, ...rest] = /^\d+ \(.*\) (\S) (\d+) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return state === "Z" ? undefined : { id: `${pid} ${rest[0].split(" ")[17]}`, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function everybody() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** `ip netns` of this machine, and its interfaces. */
function networks() {
  const { stdout } = spawnSync("sh", ["-c", "ip netns list; ip -o link | cut -d: -f2"], { encoding: "utf8" });
  return stdout.split("\n").sort();
}

/** A command on a terminal of its own, with a temporary folder that nobody else uses. */
class Terminal {
  #temporary = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  #networks = networks();
  #script;
  #ended;
  #pids = new Set();
  /** Every process that was seen below it; bounded by what a lab starts. */
  #seen = new Map();
  #watch;
  text = "";

  constructor(command) {
    this.#script = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
      cwd: root,
      env: { ...process.env, TMPDIR: this.#temporary, TERM: "dumb" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#script.stdout.setEncoding("utf8").on("data", (text) => {
      this.text += text;
    });
    this.#ended = new Promise((end) => this.#script.on("close", (code, signal) => end(code ?? signal)));
    this.#pids.add(this.#script.pid);
    this.#watch = setInterval(() => this.#note(), 100);
  }

  #note() {
    for (const pid of everybody()) {
      const seen = look(pid);
      if (seen === undefined || (!this.#pids.has(seen.parent) && !this.#pids.has(pid))) continue;
      this.#pids.add(pid);
      this.#seen.set(seen.id, pid);
    }
  }

  type(text) {
    this.#script.stdin.write(text);
  }

  /** Waits until something stands on the screen, behind what was there when it was typed. */
  async shows(pattern, from = 0) {
    for (const until = performance.now() + WITHIN_MS; ; await sleep(50)) {
      const text = this.text.slice(from);
      if (pattern.test(text)) return text;
      assert.ok(this.#script.exitCode === null && performance.now() < until, `${pattern} is not shown:\n${this.text}`);
    }
  }

  /** Types a line and waits for its answer. */
  async answers(line, pattern) {
    const from = this.text.length;
    this.type(`${line}\n`);
    return await this.shows(pattern, from);
  }

  /** @returns exit status */
  async end() {
    const status = await this.#ended;
    clearInterval(this.#watch);
    return status;
  }

  /** Nothing that it built is there any more. */
  assertGone() {
    const left = [...this.#seen].filter(([id, pid]) => look(pid)?.id === id).map(([, pid]) => pid);
    assert.ok(this.#seen.size > 3, "its processes were seen");
    assert.deepEqual(left, [], "processes");
    assert.deepEqual(readdirSync(this.#temporary), [], "temporary folders");
    assert.deepEqual(networks(), this.#networks, "network namespaces and interfaces");
  }

  close() {
    clearInterval(this.#watch);
    this.#script.kill("SIGKILL");
    rmSync(this.#temporary, { recursive: true, force: true });
  }
}

describe("commands of the checkout, on a terminal", () => {
  let terminal;
  afterEach(() => terminal.close());

  it("npm run lab -- exec: output and exit status of one command as root on the lab's kernel", async () => {
    terminal = new Terminal("npm run --silent lab -- exec 'id -un; ipvsadm -Ln; exit 7'");
    assert.equal(await terminal.end(), 7, terminal.text);
    assert.match(terminal.text, /^root\r?\nIP Virtual Server version /m);
    terminal.assertGone();
  });

  it("npm run lab -- shell: a shell in the running topology, where Ctrl-C is for what runs in it; `exit` ends it all", async () => {
    terminal = new Terminal("npm run --silent lab -- shell");
    await terminal.shows(/exit +ends it all[\s\S]*lab# /);
    await terminal.answers("client curl -s http://$VIP/", /^rs[123]\r?$/m);
    await terminal.answers("lb1 holdfast status", /^lb1 +healthy [\s\S]*lab# /m);
    await terminal.answers("lb1 ipvsadm -Ln", /-> \S+:80 +Route +3 /);
    const from = terminal.text.length;
    terminal.type("sleep 600\n");
    await terminal.shows(/sleep 600/, from);
    terminal.type(CTRL_C);
    await terminal.answers("echo goes on: $((6 * 7))", /goes on: 42/);
    terminal.type("exit\n");
    assert.equal(await terminal.end(), 0, terminal.text);
    terminal.assertGone();
  });

  it("npm run lab -- shell tun, without a terminal: what comes on standard input is run", async () => {
    terminal = new Terminal("echo 'client curl -s http://$VIP/; lb1 ipvsadm -Ln' | npm run --silent lab -- shell tun");
    assert.equal(await terminal.end(), 0, terminal.text);
    assert.match(terminal.text, /^rs[123]\r?$/m);
    assert.match(terminal.text, /-> \S+:80 +Tunnel +3 /);
    terminal.assertGone();
  });

  it("npm test: Ctrl-C ends what runs and begins nothing more", async () => {
    terminal = new Terminal("npm test --silent");
    await terminal.shows(/== set-up and build/);
    terminal.type(CTRL_C);
    assert.equal(await terminal.end(), 130, terminal.text);
    assert.doesNotMatch(terminal.text, /== lint|\d passed/);
    terminal.assertGone();
  });

  it("npm run demo: Ctrl-C when the first requests are answered ends it, and nothing is left behind", async () => {
    terminal = new Terminal("npm run --silent demo");
    await terminal.shows(/Answers: rs1 \d/);
    terminal.type(CTRL_C);
    assert.equal(await terminal.end(), 130, terminal.text.slice(-2_000));
    assert.doesNotMatch(terminal.text, /demo: done/);
    terminal.assertGone();
  });
});
