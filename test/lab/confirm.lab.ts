// lab-needs: netns
// A reload that is to be confirmed, on a master: it undoes itself, also across a kill of everything and a start after the time is
// over, and stays when it is confirmed. Witnesses: ip, tcpdump.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventsOf, isRunning, planOf, startDaemon, statusOf } from "./support/daemon.ts";
import { type Director, vrrpYaml } from "./support/director.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

const EXTRA = "192.0.2.77";
const TRIAL_MS = 5_000;
const SLACK_MS = 5_000;

describe("reload --confirm", () => {
  let topology: Topology;
  let director: Director;
  let home: string;

  const oldYaml = (): string => vrrpYaml(topology, 1, { advertise: "100ms" });
  /** Another address, and another priority. */
  const newYaml = (): string =>
    oldYaml().replace("/32] }", `/32, ${EXTRA}/32] }`).replace("priority: 150", "priority: 140");
  const holds = (address: string): boolean => topology.lb(1).holds(address);
  const steps = async () => (await eventsOf(director, "reload")).map(({ to }) => to);

  async function comesTo(has: boolean, withinMs: number): Promise<number> {
    const { tookMs } = await waitFor(
      `lb1 ${has ? "holds" : "does not hold"} ${EXTRA}`,
      () => holds(EXTRA),
      (seen) => seen === has,
      { withinMs, everyMs: 20, show: () => director.lines.slice(-15).join("\n") },
    );
    assert.ok(holds(topology.plan.vip), "the other address stays");
    return tookMs;
  }

  async function tryAfter(...options: readonly string[]): Promise<string> {
    writeFileSync(director.file, newYaml());
    const { status, stdout, stderr } = await director.command(["reload", ...options]);
    assert.equal(status, 0, `${stdout}${stderr}`);
    await comesTo(true, 5_000);
    return stdout;
  }

  before(async () => {
    topology = new Topology({ directors: 1 });
    home = join(topology.dir, "home");
    mkdirSync(home);
    director = startDaemon(topology.lb(1), home, { yaml: oldYaml() });
    await isRunning(director);
    await director.program.line(/instance outside .* -> master/);
  });
  after(() => topology?.close());

  it("undoes itself, and says so; the file is left as it was edited; VRRP goes on", async () => {
    const capture = await startCapture(topology.client, join(topology.dir, "trial.pcap"), "eth0", "ip proto 112");
    const said = await tryAfter("--confirm", "5s");
    assert.match(said, /^\+ {3}address 192\.0\.2\.77\/32: on eth0$/m);
    assert.match(said, /^~ {3}instance outside: .*priority.* changed$/m);
    assert.match(said, /undoes itself at \d\d:\d\d unless you run `holdfast confirm`/);
    const waiting = await statusOf(director);
    assert.notEqual(waiting.config.confirmBy, null);
    const tookMs = await comesTo(false, TRIAL_MS + SLACK_MS);
    assert.ok(tookMs <= TRIAL_MS + SLACK_MS);
    const { config, problems, instances } = await statusOf(director);
    assert.deepEqual([config.confirmBy, config.isReverted, instances[0]?.basePriority], [null, true, 150]);
    assert.match(problems.join(), /nobody confirmed the last reload/);
    assert.equal(readFileSync(director.file, "utf8"), newYaml());
    assert.deepEqual(await steps(), ["on trial", "applied", "applied", "undone"]);
    // What the file says is what a reload would do.
    assert.equal((await planOf(director)).summary.add, 1);
    const priorities = adverts(await capture.stop()).map(({ priority }) => priority);
    assert.deepEqual(
      priorities.filter((priority, at) => priority !== priorities[at - 1]),
      [150, 140, 150],
    );
  });

  it("stays when it is confirmed", async () => {
    await tryAfter("--confirm", "5s");
    const confirmed = await director.command(["confirm"]);
    assert.deepEqual([confirmed.status, confirmed.stdout], [0, "confirmed: the configuration stays\n"]);
    const again = await director.command(["confirm"]);
    assert.equal(again.status, 1);
    assert.match(
      again.stderr,
      /^holdfast: no reload waits to be confirmed: it was confirmed .*`holdfast events --type reload` says which\.\n$/,
    );
    assert.equal((await statusOf(director)).config.confirmBy, null);
    assert.ok(holds(EXTRA));
    writeFileSync(director.file, oldYaml());
    assert.equal((await director.command(["reload"])).status, 0);
    await comesTo(false, 5_000);
  });

  it("goes back at a start after everything was killed and the time was over, and at the one after that", async () => {
    await tryAfter("--confirm", "5s");
    const { confirmBy } = (await statusOf(director)).config;
    for (let start = 1; start <= 2; start += 1) {
      await killAll();
      await waitFor(
        "the time is over",
        () => Date.now(),
        (now) => now > Date.parse(confirmBy ?? ""),
        { withinMs: TRIAL_MS + SLACK_MS },
      );
      director = startDaemon(topology.lb(1), home, { yaml: newYaml() });
      await isRunning(director);
      await waitFor(
        "master by the configuration before",
        async () => (await statusOf(director)).instances[0],
        (instance) => instance?.phase === "master",
        { withinMs: 10_000, show: () => director.lines.slice(-15).join("\n") },
      );
      await comesTo(false, 5_000);
      const { config, instances } = await statusOf(director);
      assert.deepEqual([config.isReverted, instances[0]?.basePriority], [true, 150]);
      assert.match(
        director.lines.join("\n"),
        /warning supervisor: started with the configuration before the last reload/,
      );
    }
    // In person it is applied after all.
    assert.equal((await director.command(["reload"])).status, 0);
    await comesTo(true, 5_000);
    assert.equal((await statusOf(director)).config.isReverted, false);
  });

  /** The supervisor is killed; its children end by themselves, and let the address go. */
  async function killAll(): Promise<void> {
    director.program.signal("SIGKILL");
    await director.program.ended();
    await waitFor(
      "nobody holds the address",
      () => topology.holders(),
      (holders) => holders.length === 0,
      { withinMs: 10_000 },
    );
  }
});
