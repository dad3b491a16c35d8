// lab-needs: netns
// A log that nobody reads, as where journald hangs: adverts go out in time, memory is bounded, what was dropped is told once.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Running, run } from "./support/commands.ts";
import { eventsOf, isRunning, placeIn, startDaemon } from "./support/daemon.ts";
import { type Director, vrrpYaml } from "./support/director.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

const ADVERTISE_MS = 100;
const MIB = 1024 * 1024;
/** A reload with this many warnings, each with the path of its file, which is as long as an include may be: 90 KiB of log. */
const WARNINGS = 90;
const PATH_LENGTH = 900;
const RELOADS = 600;
/** What a supervisor may take meanwhile; unbounded it would be all of the log. */
const GROWTH_MIB = 32;

describe("a log that nobody reads", () => {
  let topology: Topology;
  let director: Director;
  /** What takes the director's log from its pipe, to a file. */
  let reader: Running;
  let log = "";

  before(async () => {
    topology = new Topology({ directors: 1 });
    const host = topology.lb(1);
    const pipe = join(topology.dir, "pipe");
    log = join(topology.dir, "log");
    run(["mkfifo", pipe]);
    reader = host.start(["sh", "-c", 'exec cat "$1" > "$2"', "sh", pipe, log], { name: "reader" });
    let folder = topology.dir;
    while (folder.length < PATH_LENGTH) folder = join(folder, "deep".repeat(15));
    mkdirSync(folder, { recursive: true });
    const track = Array.from({ length: WARNINGS }, (_, index) => `{ interface: none${index}, weight: -1 }`).join(", ");
    // An owner's priority has no weights: a warning for each.
    writeFileSync(
      join(folder, "more.yaml"),
      `vrrp: { instances: { second: { interface: eth0, vrid: 52, priority: 255, addresses: [192.0.2.101/32], track: { interfaces: [${track}] } } } }\n`,
    );
    const home = join(topology.dir, "home");
    const yaml = `log: { level: debug }\ninclude: [${folder}/more.yaml]\n${vrrpYaml(topology, 1, { advertise: `${ADVERTISE_MS}ms` })}`;
    placeIn(home);
    director = startDaemon(host, home, { yaml, wrapper: ["sh", "-c", `exec "$@" > ${pipe}`, "sh"] });
    await isRunning(director);
    await waitFor(
      "the director is master",
      () => readFileSync(log, "utf8"),
      (text) => text.includes("instance outside (eth0, vrid 51): backup -> master"),
      { withinMs: 15_000, show: (text) => text.slice(-2_000) },
    );
  });
  after(() => topology?.close());

  const readBytes = (): number => readFileSync(log).length;
  const residentKib = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${director.program.pid}/status`, "utf8"))?.[1]);
  /** Has curl ask for that many reloads, one after another. */
  const reload = async (count: number): Promise<void> => {
    const socket = join(director.file, "../run/control.sock");
    const { stdout, stderr } = await topology
      .lb(1)
      .execAsync([
        ...["curl", "-s", "-X", "POST", "--unix-socket", socket, "-o", "/dev/null", "-w", "%{http_code}\n"],
        `http://holdfast/v1/reload?[1-${count}]`,
      ]);
    assert.deepEqual([...new Set(stdout.split("\n").filter(Boolean))], ["200"], stderr);
    assert.equal(stdout.split("\n").filter(Boolean).length, count);
  };

  it("delays no advert and takes no memory; events are all there; whoever reads on learns what is missing", async () => {
    // What the first reloads leave in memory stays there, log or no log.
    await reload(RELOADS);
    await waitFor("all is read", readBytes, (bytes) => bytes > RELOADS * WARNINGS * PATH_LENGTH, { withinMs: 30_000 });
    const read = readBytes();
    const before = residentKib();
    const newest = (await eventsOf(director, "reload")).at(-1)?.id ?? 0;
    const capture = await startCapture(topology.lb(1), join(topology.dir, "slow-log.pcap"), "eth0", "vrrp");

    reader.signal("SIGSTOP");
    await reload(RELOADS);
    const grown = residentKib() - before;
    const packets = adverts(await capture.stop()).filter(({ vrid }) => vrid === 51);
    const gaps = packets.slice(1).map(({ atMs }, index) => atMs - (packets[index]?.atMs ?? 0));
    const worstMs = Math.max(...gaps);
    assert.equal(readBytes(), read, "nobody read");
    const events = await eventsOf(director, "reload");
    assert.equal(events.filter(({ id }) => id > newest).length, RELOADS);

    reader.signal("SIGCONT");
    const told = /supervisor: (\d+) log lines were dropped before this one/;
    const { seen } = await waitFor(
      "the reader learns what it missed",
      () => readFileSync(log, "utf8").slice(read),
      (text) => told.test(text),
      { withinMs: 10_000, show: (text) => text.slice(-2_000) },
    );
    const dropped = Number(told.exec(seen)?.[1]);
    console.log(
      `        ${RELOADS} reloads, ${((RELOADS * WARNINGS * PATH_LENGTH) / MIB).toFixed(0)} MiB of log; ` +
        `${(seen.length / MIB).toFixed(2)} MiB were kept, ${dropped} lines dropped; resident memory grew by ` +
        `${(grown / 1024).toFixed(1)} MiB from ${(before / 1024).toFixed(0)}; ${packets.length} adverts, longest gap ${worstMs.toFixed(1)} ms`,
    );
    assert.ok(seen.length < 2 * MIB + 256 * 1024, `${seen.length} bytes were kept`);
    assert.ok(grown < GROWTH_MIB * 1024, `resident memory grew by ${grown} KiB`);
    assert.equal(seen.match(new RegExp(told, "g"))?.length, 1, "once");
    assert.ok(packets.length > 3, `${packets.length} adverts`);
    assert.ok(worstMs < 3 * ADVERTISE_MS, `${worstMs} ms without an advert`);
  });

  it("does not hold up a stop", async () => {
    reader.signal("SIGSTOP");
    await reload(20);
    director.program.signal("SIGTERM");
    await director.program.ended(10_000);
    assert.equal(director.program.exitCode, 0, director.lines.join("\n"));
    assert.ok(!topology.lb(1).holds(topology.plan.vip));
    assert.deepEqual(director.lines, [], "nothing on stderr");
  });
});

describe("a log whose reader is gone", () => {
  it("costs lines, not the director", async () => {
    const topology = new Topology({ directors: 1 });
    try {
      const host = topology.lb(1);
      const pipe = join(topology.dir, "pipe");
      run(["mkfifo", pipe]);
      const reader = host.start(["cat", pipe], { name: "reader" });
      const yaml = vrrpYaml(topology, 1, { advertise: `${ADVERTISE_MS}ms` });
      const director = startDaemon(host, join(topology.dir, "home"), {
        yaml,
        // What it says in its last words goes the same way.
        wrapper: ["sh", "-c", `exec "$@" > ${pipe} 2>&1`, "sh"],
      });
      await reader.line(/backup -> master/);
      await reader.stop("SIGKILL");
      assert.equal((await director.reload(`${yaml}# changed\n`)).status, 0);
      assert.equal((await director.reload("vrrp: 7\n")).status, 78);
      const status = await isRunning(director);
      assert.equal(status.pid, director.program.pid);
      assert.deepEqual(
        status.processes.map(({ restarts }) => restarts),
        [0, 0],
      );
      assert.ok(host.holds(topology.plan.vip));
      assert.deepEqual(
        (await eventsOf(director, "reload")).map(({ to }) => to),
        ["unchanged", "refused"],
      );
      await director.stop();
      assert.equal(director.program.exitCode, 0);
    } finally {
      await topology.close();
    }
  });
});
