// lab-needs: netns
// What happened and why: curl follows it through a takeover, `events` tells it after a crash, and a full disk hurts nobody.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalEvent } from "../../src/control/events.ts";
import { assertIsEvent, assertIsStatus } from "../support/json-schema.ts";
import { type Outcome, type Running, run, tryRun } from "./support/commands.ts";
import { isRunning, placeIn, startDaemon, statusOf } from "./support/daemon.ts";
import { type Director, PROGRAM } from "./support/director.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";

const VIP = "192.0.2.100";

function yamlOf(number: 1 | 2): string {
  return `node: lb${number}
vrrp: { instances: { web: { interface: eth0, vrid: 51, priority: ${number === 1 ? 150 : 100}, advertise: 200ms, addresses: [${VIP}/32] } } }
`;
}

describe("events of two directors", () => {
  let topology: Topology;
  const homeOf = (number: 1 | 2): string => join(topology.dir, `home-${number}`);
  const directors: Director[] = [];
  const start = (number: 1 | 2): Director => {
    const director = startDaemon(topology.lb(number), homeOf(number), { yaml: yamlOf(number) });
    directors.push(director);
    return director;
  };

  before(() => {
    topology = new Topology({ directors: 2 });
  });
  after(() => topology?.close());
  afterEach(async () => {
    for (const director of directors.splice(0)) if (!director.program.hasEnded) await director.stop();
  });

  /** What a command of the program says, with the folders of a director, whether it runs or not. */
  const holdfast = (number: 1 | 2, ...args: readonly string[]): Outcome => {
    const { runDir, stateDir } = placeIn(homeOf(number));
    return tryRun([process.execPath, PROGRAM, ...args, "--run-dir", runDir, "--state-dir", stateDir]);
  };
  const eventsOf = (number: 1 | 2): readonly JournalEvent[] => {
    const { stdout } = holdfast(number, "events", "--json", "-n", "1000");
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const event = JSON.parse(line) as JournalEvent;
        assertIsEvent(event);
        return event;
      });
  };
  /** `backup -> master` of the instance, in order. */
  const phases = (events: readonly JournalEvent[]): readonly string[] =>
    events.filter(({ type }) => type === "instance").map(({ from, to }) => `${from} -> ${to}`);
  const curl = (number: 1 | 2, ...headers: readonly string[]): Running => {
    const socket = join(placeIn(homeOf(number)).runDir, "control.sock");
    const argv = ["curl", "-sN", "--unix-socket", socket, "-H", "Accept: text/event-stream"];
    return topology.client.start(
      [...argv, ...headers.flatMap((header) => ["-H", header]), "http://holdfast/v1/events"],
      {
        name: `curl of lb${number}`,
      },
    );
  };
  /** The events that a stream has brought. */
  const streamed = (stream: Running): readonly JournalEvent[] =>
    stream.lines
      .filter((line) => line.startsWith("data: "))
      .map((line) => JSON.parse(line.slice("data: ".length)) as JournalEvent);
  const becomesMaster = (stream: Running, withinMs = 20_000) =>
    waitFor(
      "backup -> master in the stream",
      () => phases(streamed(stream)),
      (seen) => seen.includes("backup -> master"),
      { withinMs, show: (seen) => `${seen.join()}\n${stream.lines.slice(-10).join("\n")}` },
    );

  it("curl follows a takeover, `events` tells the same, and a crash loses none of it", async () => {
    const first = start(1);
    await waitFor(
      "lb1 serves",
      () => topology.holders(VIP),
      (seen) => seen.join() === "lb1",
      { withinMs: 20_000 },
    );
    const second = start(2);
    await waitFor(
      "lb2 hears lb1",
      () => statusOf(second).catch(() => null),
      (status) => status?.instances[0]?.heard?.address === "192.0.2.11",
      { withinMs: 20_000 },
    );
    const shown = holdfast(2, "status", "--json");
    assert.equal(shown.status, 0, shown.stderr);
    assertIsStatus(JSON.parse(shown.stdout));
    const stream = curl(2);
    await stream.line(/^retry: 1000$/);
    // All of it dies, the one that would say goodbye first.
    const pids = (await isRunning(first)).processes.flatMap(({ pid }) => (pid === null ? [] : [pid]));
    for (const pid of [...pids, first.program.pid]) process.kill(pid, "SIGKILL");
    await becomesMaster(stream);
    const seen = streamed(stream);
    const master = seen.find(({ to }) => to === "master");
    assert.equal(master?.subject, "instance web");
    assert.match(
      master?.cause ?? "",
      /^no advert accepted from master 192\.0\.2\.11 \(priority 150\), last heard \d+ms ago/,
    );
    assert.ok(Math.abs(Date.parse(master?.at ?? "") - Date.now()) < 30_000);
    assert.deepEqual(
      stream.lines.filter((line) => line.startsWith("id: ")),
      seen.map(({ id }) => `id: ${id}`),
    );

    const told = eventsOf(2);
    assert.deepEqual(told.slice(-seen.length), seen, "the command tells what the stream told");
    assert.deepEqual(phases(told), ["initialize -> backup", "backup -> master"]);
    assert.match(
      holdfast(2, "events").stdout,
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}instance web +backup -> master {2}/m,
    );

    second.program.signal("SIGKILL");
    await second.program.ended();
    await stream.ended();
    const { status, stderr } = holdfast(2, "events");
    assert.equal(status, 0);
    assert.match(stderr, /no daemon answers on .*; these are the events in .*home-2\/state\/events\./);
    assert.deepEqual(eventsOf(2), told, "the files tell the same after a SIGKILL");

    const again = start(2);
    await isRunning(again);
    const continued = curl(2, `Last-Event-ID: ${master?.id}`);
    await becomesMaster(continued);
    const later = streamed(continued);
    assert.deepEqual(eventsOf(2), [...told, ...later.slice(later.findIndex(({ type }) => type === "daemon"))]);
    assert.equal(later.find(({ type }) => type === "daemon")?.to, "running");
    const ids = eventsOf(2).map(({ id }) => id);
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    );
    await continued.stop("SIGTERM");
    await again.stop();
    assert.equal(eventsOf(2).at(-1)?.to, "stopped", "the last word of a stop in good order is kept");
  });

  it("a line that a crash cut in two is cut off with a warning, and nothing else is lost", async () => {
    const folder = join(placeIn(homeOf(2)).stateDir, "events");
    const told = eventsOf(2);
    appendFileSync(join(folder, readdirSync(folder).sort().at(-1) ?? ""), '{"id":99999999999999,"at":"20');
    assert.deepEqual(eventsOf(2), told, "also where no daemon mends it");
    const director = start(2);
    await director.program.line(/warning .* events: .*jsonl: the last 29 bytes were written in part and are cut off/);
    await isRunning(director);
    assert.deepEqual(eventsOf(2).slice(0, told.length), told);
    await director.stop();
  });

  it("`events -f` goes through a restart of the daemon", async () => {
    const { runDir, stateDir } = placeIn(homeOf(1));
    const argv = [process.execPath, PROGRAM, "events", "-f", "-n", "0", "--run-dir", runDir, "--state-dir", stateDir];
    const follower = topology.client.start(argv, { name: "events -f" });
    await follower.line(/waiting for the daemon/);
    const director = start(1);
    await follower.line(/instance web +backup -> master/);
    await director.stop();
    await follower.line(/the daemon does not answer any more; waiting for it/);
    const again = start(1);
    // What was said after the connection closed comes with the next one.
    await follower.line(/daemon on lb1 +stopping -> stopped/);
    await follower.line(/daemon on lb1 +running/);
    follower.signal("SIGINT");
    assert.equal(await follower.ended(), 0);
    await again.stop();
  });

  it("a disk that is full costs lines in files, and no more", async () => {
    const { stateDir } = placeIn(homeOf(1));
    run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", stateDir]);
    try {
      writeFileSync(join(stateDir, "filler"), "x".repeat(60 * 1024));
      const director = start(1);
      await waitFor(
        "lb1 serves",
        () => topology.holders(VIP),
        (seen) => seen.join() === "lb1",
        { withinMs: 20_000 },
      );
      mkdirSync(join(stateDir, "events"), { recursive: true });
      // Each refused reload is an event; a few hundred bytes are left.
      writeFileSync(director.file, `${yamlOf(1)}${"x".repeat(400)}: 1\n`);
      const refuse = () => holdfast(1, "reload").status;
      // One at least, also where the first event of the start found no room.
      let asked = 0;
      do {
        assert.equal(refuse(), 78);
        asked += 1;
      } while (asked < 12 && !director.lines.some((line) => /events: writing to/.test(line)));
      await director.program.line(/warning .* events: writing to .* failed: ENOSPC.* kept in memory meanwhile/);
      const before = eventsOf(1);
      assert.equal(before.filter(({ to }) => to === "refused").length > 0, true);
      assert.equal(topology.holders(VIP).join(), "lb1", "it serves on");
      run(["rm", join(stateDir, "filler")]);
      assert.equal(refuse(), 78);
      await director.program.line(/events: they are written again; none is missing/);
      const told = eventsOf(1);
      director.program.signal("SIGKILL");
      await director.program.ended();
      assert.deepEqual(eventsOf(1), told, "everything is in the files");
    } finally {
      run(["umount", "-l", stateDir]);
    }
  });
});
