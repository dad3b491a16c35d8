// lab-needs: netns
// How the daemon starts, refuses to start and ends: exit codes, what the service manager is told, how lines look.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./support/commands.ts";
import { childPid, type DaemonOptions, isRunning, placeIn, startDaemon, startNotifyWitness } from "./support/daemon.ts";
import { type Director, PROGRAM, ROOT, vrrpYaml } from "./support/director.ts";
import { Topology } from "./support/topology.ts";

/** Root in name only: it may read the checkout wherever that is, and has no capability. */
const POWERLESS = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];

describe("the daemon starts and ends", () => {
  let topology: Topology;
  let homes = 0;

  before(() => {
    topology = new Topology({ directors: 1 });
  });
  after(() => topology?.close());

  const yaml = (): string => vrrpYaml(topology, 1, { advertise: "100ms" });
  const freshHome = (): string => {
    homes += 1;
    const home = join(topology.dir, `home-${homes}`);
    mkdirSync(home);
    return home;
  };
  const start = (options: Partial<DaemonOptions> = {}): Director =>
    startDaemon(topology.lb(1), freshHome(), { yaml: yaml(), ...options });
  const heldNow = (): string[] => topology.holders();

  async function ends(director: Director, exitCode: number): Promise<string> {
    await director.program.ended(30_000);
    const said = director.lines.join("\n");
    assert.equal(director.program.exitCode, exitCode, said);
    return said;
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`ends with 0 after ${signal}, and leaves nothing behind`, async () => {
      const director = start();
      await director.program.line(/-> master/);
      assert.deepEqual(heldNow(), ["lb1"]);
      director.program.signal(signal);
      const said = await ends(director, 0);
      assert.match(said, new RegExp(`stopping \\(${signal}\\)`));
      assert.match(said, /master -> initialize: stopped.*\n.* supervisor: stopped$/);
      assert.deepEqual(heldNow(), []);
      assert.ok(!existsSync(join(director.file, "../run/control.sock")));
      assert.equal((await director.command(["status"])).status, 4);
      assert.equal((await director.command(["reload"])).status, 4);
    });
  }

  it("takes Ctrl-C, which reaches every process of the group, as SIGTERM", async () => {
    const director = start();
    await director.program.line(/-> master/);
    process.kill(-director.program.pid, "SIGINT");
    const said = await ends(director, 0);
    assert.match(said, /master -> initialize: stopped/);
    assert.doesNotMatch(said, /ended by signal|restart/);
    assert.deepEqual(heldNow(), []);
  });

  it("takes Ctrl-C while its children are still starting", async () => {
    const director = start();
    await director.program.line(/ starts on /);
    process.kill(-director.program.pid, "SIGINT");
    await ends(director, 0);
    assert.deepEqual(heldNow(), []);
  });

  it("ends with 78 for a bad file, which it says with its place on stderr", async () => {
    const home = freshHome();
    const { file } = startDaemon(topology.lb(1), home, { yaml: "vrrp: { instances: { a: { vrid: 0 } } }\n" });
    const bad = await topology.lb(1).execAsync([process.execPath, PROGRAM, "run", file, "--run-dir", join(home, "r")]);
    assert.equal(bad.status, 78);
    assert.equal(bad.stdout, "");
    assert.match(bad.stderr, /holdfast\.yaml:1:\d+:? .*vrid/s);
    assert.match(bad.stderr, /\^/);
    const missing = await topology.lb(1).execAsync([process.execPath, PROGRAM, "run", join(home, "none.yaml")]);
    assert.equal(missing.status, 78);
    assert.match(missing.stderr, /none\.yaml/);
  });

  it("ends with 64 for a command line that it does not know", async () => {
    for (const args of [["run", "--fast"], ["fly"], ["status", "extra"], []]) {
      const { status, stderr } = await topology.lb(1).execAsync([process.execPath, PROGRAM, ...args]);
      assert.equal(status, 64, `${args}: ${stderr}`);
    }
  });

  it("ends with 77 without privilege, for sockets as for folders, and says what to do", async () => {
    const said = await ends(start({ wrapper: POWERLESS }), 77);
    assert.match(said, /CAP_NET_ADMIN and CAP_NET_RAW/);
    assert.doesNotMatch(said, /\n\s+at /, "no stack trace");

    const home = freshHome();
    const { file } = placeIn(home);
    writeFileSync(file, yaml());
    topology.lb(1).exec(["chown", "65534", home]);
    const argv = [process.execPath, PROGRAM, "run", file, "--run-dir", join(home, "mine/holdfast")];
    const folder = await topology.lb(1).execAsync([...POWERLESS, ...argv]);
    assert.equal(folder.status, 77, folder.stderr);
    assert.match(folder.stderr, /cannot make the folder .*mine.holdfast: EACCES.*may write/);
    const nowhere = await topology.lb(1).execAsync([process.execPath, PROGRAM, "run", file, "--run-dir", "/proc/x"]);
    assert.match(nowhere.stderr, /cannot make the folder \/proc\/x: ENOENT/);
  });

  it("ends with 77 where services are configured and the kernel has no IPVS", async function () {
    if (existsSync("/proc/net/ip_vs")) {
      console.log("        skipped: this kernel has IPVS");
      this.skip();
    }
    const services = `services:\n  web: { listen: "${topology.plan.vip}:80", forward: dr, servers: ["192.0.2.21:80"], checks: [tcp] }\n`;
    const said = await ends(start({ yaml: yaml() + services }), 77);
    assert.match(said, /the kernel has no IPVS.*modprobe ip_vs/);
    assert.deepEqual(heldNow(), []);
  });

  it("ends with 77 where the native addon is missing", async () => {
    const home = freshHome();
    const copy = join(home, "checkout");
    mkdirSync(copy);
    for (const entry of ["dist", "package.json"]) cpSync(join(ROOT, entry), join(copy, entry), { recursive: true });
    const said = await ends(
      startDaemon(topology.lb(1), home, { yaml: yaml(), program: join(copy, "dist/main.js") }),
      77,
    );
    assert.match(said, /native addon.*missing/);
    assert.match(said, /npm rebuild/);
    assert.doesNotMatch(said, /\n\s+at /, "no stack trace");
  });

  it("ends with 1 when another daemon uses the run directory, which goes on undisturbed", async () => {
    const home = freshHome();
    const first = startDaemon(topology.lb(1), home, { yaml: yaml() });
    await first.program.line(/-> master/);
    const said = await ends(startDaemon(topology.lb(1), home, { yaml: yaml() }), 1);
    assert.match(said, /another holdfast serves .*control\.sock.*--run-dir/);
    const status = await isRunning(first);
    assert.equal(status.pid, first.program.pid);
    assert.deepEqual(heldNow(), ["lb1"]);
    await first.stop();
    assert.equal(first.program.exitCode, 0);
  });

  it("starts with the unit's capabilities, and gives the socket to the group holdfast", async () => {
    const unit = readFileSync(join(ROOT, "systemd/holdfast.service"), "utf8");
    const named = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1] ?? "";
    const set = named.split(" ").map((capability) => `+${capability.replace("CAP_", "").toLowerCase()}`);
    const groups = join(topology.dir, "group");
    writeFileSync(groups, `${readFileSync("/etc/group", "utf8")}holdfast:x:54321:\n`);
    run(["mount", "--bind", groups, "/etc/group"]);
    try {
      const director = start({ wrapper: ["setpriv", "--bounding-set", ["-all", ...set].join(), "--no-new-privs"] });
      await director.program.line(/-> master/);
      const { mode, gid } = statSync(join(director.file, "../run/control.sock"));
      assert.deepEqual([(mode & 0o777).toString(8), gid], ["660", 54321]);
      await director.stop();
      assert.equal(director.program.exitCode, 0);
    } finally {
      run(["umount", "/etc/group"]);
    }
  });

  it("the unit file is one that systemd accepts", function () {
    const home = freshHome();
    const unit = readFileSync(join(ROOT, "systemd/holdfast.service"), "utf8");
    const file = join(home, "holdfast.service");
    // Where it will be installed there is no program yet, and no manual; the lab's machines verify it with both.
    writeFileSync(file, unit.replaceAll("/usr/bin/holdfast", "/bin/true"));
    const { status, stdout, stderr } = topology.lb(1).tryExec(["systemd-analyze", "verify", "--man=no", file]);
    if (status === 127 || /No such file/.test(stderr)) {
      console.log("        skipped: there is no systemd-analyze");
      this.skip();
    }
    assert.deepEqual([status, stdout + stderr], [0, ""]);
  });

  it("writes text for people, `<N>` for journald and JSON on demand, one line each", async () => {
    const journal = ["sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/$$/fd/1) exec "$@"', "sh"];
    const json = `log: { format: json }\n${yaml()}`;
    const directors = [
      start({ environment: { JOURNAL_STREAM: "1:2" } }),
      start({ wrapper: journal }),
      start({ yaml: json }),
      start({ yaml: json, wrapper: journal }),
    ];
    const [text = "", tagged = "", plain = "", both = ""] = await Promise.all(
      directors.map((director) => director.program.line(/initialize -> backup/)),
    );
    const sentence = "instance outside (eth0, vrid 51): initialize -> backup: started; listening for a master";
    assert.match(text, /^\d{4}-\d\d-\d\dT[\d:.]+Z notice {2}vrrp: instance/);
    assert.equal(tagged, `<5>vrrp: ${sentence}`);
    const { time, ...rest } = JSON.parse(plain) as Record<string, unknown>;
    assert.match(String(time), /^\d{4}-/);
    const facts = { instance: "outside" };
    const cause = "started; listening for a master";
    const event = { type: "instance", subject: "instance outside", from: "initialize", to: "backup", cause };
    assert.deepEqual(rest, { level: "notice", node: "lb1", source: "vrrp", message: sentence, facts, event });
    assert.equal(both.slice(0, 3), "<5>");
    assert.equal((JSON.parse(both.slice(3)) as Record<string, unknown>).message, sentence);
    for (const director of directors) await director.stop();
  });

  it("tells the service manager when it is ready, reloads and stops; status is 0, and 3 in trouble", async () => {
    const home = freshHome();
    const socket = join(home, "notify");
    const manager = await startNotifyWitness(topology.lb(1), socket);
    const told = (): string[] => manager.lines.slice(1);
    const director = startDaemon(topology.lb(1), home, { yaml: yaml(), environment: { NOTIFY_SOCKET: socket } });
    await manager.line(/^READY=1(\||$)/);
    assert.deepEqual(told(), ["READY=1|STATUS=1 instance, 0 services"]);
    assert.equal((await isRunning(director)).health, "healthy");
    const { status, stdout } = await director.command(["status"]);
    assert.equal(status, 0, stdout);

    assert.equal((await director.reload(yaml())).status, 0);
    assert.deepEqual(told().slice(1), ["RELOADING=1", "READY=1|STATUS=1 instance, 0 services"]);
    assert.equal((await director.reload("vrrp: 7\n")).status, 78);
    assert.deepEqual(told().slice(3), ["RELOADING=1", "READY=1|STATUS=1 instance, 0 services"]);

    topology.lb(1).cut("carrier");
    await director.program.line(/-> fault: interface is down/);
    const degraded = await director.command(["status"]);
    assert.equal(degraded.status, 3, degraded.stdout);
    assert.match(degraded.stdout, /degraded/);
    topology.lb(1).restore();
    await director.program.line(/fault -> backup/);

    await director.stop();
    assert.equal(director.program.exitCode, 0);
    assert.deepEqual(told().slice(5), ["STOPPING=1"]);
  });

  it("ends also where it is told to while it reloads, and opens nothing again", async () => {
    const home = freshHome();
    const socket = join(home, "notify");
    const manager = await startNotifyWitness(topology.lb(1), socket);
    const more = "metrics: { listen: 9109 }\nschedules: [{ name: daily, cron: '0 3 * * *', action: reconcile }]\n";
    const director = startDaemon(topology.lb(1), home, {
      yaml: `${yaml()}${more}`,
      environment: { NOTIFY_SOCKET: socket },
    });
    await manager.line(/^READY=1/);
    // The plan of a reload waits for it.
    const checker = await childPid(director, "checker");
    process.kill(checker, "SIGSTOP");
    director.program.signal("SIGHUP");
    await manager.line(/^RELOADING=1/);
    director.program.signal("SIGTERM");
    await manager.line(/^STOPPING=1/);
    process.kill(checker, "SIGCONT");
    const said = await ends(director, 0);
    assert.match(said, /supervisor: stopped/);
    assert.doesNotMatch(said, /stopping \(SIGTERM\).*metrics are served/s);
  });
});
