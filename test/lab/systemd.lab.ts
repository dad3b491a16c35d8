// lab-needs: machines
// The package and its unit on two machines with systemd: installed, started, reloaded, restarted, upgraded, killed and frozen under load,
// bounded, without power and booted again, removed and purged. Witnesses are dpkg, systemctl, systemd-analyze, ip, ipvsadm, and curl on a host beside them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { partOf } from "../support/document-parts.ts";
import { judge, type Load } from "./support/load.ts";
import type { Machine } from "./support/machine.ts";
import { FILE, MachinePair, show } from "./support/machine-pair.ts";
import { MachineStory } from "./support/machine-story.ts";
import { webYaml } from "./support/pair.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

const OLD = "0.9.0~old";
const NEW = "0.9.0";
const SHORT_REQUESTS = 1_000;
/** Where each shell looks for what completes `holdfast`. */
const COMPLETIONS = [
  "/usr/share/bash-completion/completions/holdfast",
  "/usr/share/zsh/vendor-completions/_holdfast",
  "/usr/share/fish/vendor_completions.d/holdfast.fish",
];
/** The one file under /etc that the package brings. */
const EXAMPLE = `${FILE}.example`;
/** Three intervals of a second and the skew of priority 100, and what the machines and tcpdump may be late. */
const TAKEOVER_MS = 3_610 + 1_000;
/** An address that a director has as a real server of others. */
const AS_SERVER = "192.0.2.201";
/** Scripts without end that each server is checked by; each costs some seconds, for starting it on a machine that is full. */
const BURNING = 4;

describe("package and unit under systemd", function () {
  this.timeout(600_000);
  // Each goes on where the one before ended.
  this.bail(true);
  let pair: MachinePair;
  let oldPackage: string;
  let newPackage: string;

  const yaml = (number: 1 | 2): string => webYaml(pair.topology, number, "dr");

  before(async () => {
    pair = await MachinePair.boot();
    oldPackage = pair.bringPackage(OLD).inMachines;
    newPackage = pair.bringPackage(NEW).inMachines;
  });
  after(() => pair?.close());

  it("installs, is enabled, and waits for a configuration", async () => {
    await pair.both(async (machine) => {
      await machine.run(`apt-get install -y -qq ${oldPackage}`);
      const unit = await show(machine, "UnitFileState,ActiveState,ConditionResult,Result");
      assert.deepEqual(Object.fromEntries(unit), {
        UnitFileState: "enabled",
        ActiveState: "inactive",
        ConditionResult: "no",
        Result: "success",
      });
      assert.equal(await machine.run("holdfast --version"), `${OLD}\n`);
      assert.match(await machine.run("getent group holdfast"), /^holdfast:x:\d+:\n$/);
      assert.equal(await machine.run("dpkg --verify holdfast"), "");
      assert.match(await machine.run("man -w holdfast holdfast.yaml"), /holdfast\.1\.gz\n.*holdfast\.yaml\.5\.gz/);
      await machine.run(COMPLETIONS.map((path) => `test -s ${path}`).join(" && "));
    });
  });

  it("starts on both, and `systemctl start` returns when it serves or stands by", async () => {
    await pair.both(async (machine, number) => {
      await machine.write(FILE, yaml(number));
      await machine.run(`holdfast check ${FILE}`);
      await machine.run("systemctl start holdfast");
      const unit = await show(machine, "Type,NotifyAccess,ActiveState,SubState,StatusText,WatchdogUSec");
      assert.deepEqual(Object.fromEntries(unit), {
        Type: "notify",
        NotifyAccess: "main",
        ActiveState: "active",
        SubState: "running",
        StatusText: "1 instance, 1 service",
        WatchdogUSec: "30s",
      });
    });
    await pair.heldBy("lb1");
    await pair.both((machine) =>
      machine.until(
        "both servers are up",
        "ipvsadm -Ln",
        (text) => text.match(/-> \S+:80 +Route +[12] /g)?.length === 2,
      ),
    );
    assert.match(pair.topology.client.exec(["curl", "-sS", `http://${pair.topology.plan.vip}/`]), /^rs[12]\n$/);
  });

  it("is exposed to 4.0 at most, by systemd-analyze, and complains of nothing", async () => {
    const machine = pair.lb(2);
    for (const unit of (await machine.run("dpkg -L holdfast | grep '/systemd/system/.*\\.service$'"))
      .trim()
      .split("\n")) {
      const name = unit.slice(unit.lastIndexOf("/") + 1).replace("@.", "@web.");
      assert.equal((await machine.try(`systemd-analyze verify ${name} 2>&1`)).stdout, "");
      const said = await machine.run(`systemd-analyze security --no-pager ${name}`);
      const level = Number(/exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
      console.log(`        ${name}: ${level}`);
      assert.ok(level <= 4.0, said);
    }
  });

  it("has what the doctor missed, once the unit says what the doctor names", async () => {
    const machine = pair.lb(2);
    const urgent = yaml(2).replace("vrrp:\n", "vrrp:\n  realtime: true\n");
    await machine.write(FILE, urgent);
    const { stdout } = await machine.try("holdfast doctor");
    assert.match(stdout, /running vrrp process \(\d+\): without CAP_SYS_NICE and CAP_IPC_LOCK/);
    const settings = /-> systemctl edit holdfast {3}# \[Service\] (.*), then restart/.exec(stdout)?.[1] ?? "";
    await machine.run("mkdir -p /etc/systemd/system/holdfast.service.d");
    await machine.write(
      "/etc/systemd/system/holdfast.service.d/override.conf",
      `[Service]\n${settings.replaceAll(", ", "\n")}\n`,
    );
    await machine.run("systemctl daemon-reload && systemctl restart holdfast");
    assert.equal(await machine.run("holdfast doctor"), "no findings\n");
    assert.match(await machine.run("chrt --pid $(pgrep -f 'internal [v]rrp')"), /SCHED_RR/);
    await machine.write(FILE, yaml(2));
    await machine.run("systemctl revert holdfast && systemctl restart holdfast");
  });

  it("reloads by systemctl, and says so when it refuses", async () => {
    const machine = pair.lb(1);
    const before = await show(machine, "MainPID,NRestarts");
    await machine.write(FILE, yaml(1).replace("weight: 2", "weight: 5"));
    await machine.run("systemctl reload holdfast");
    assert.match(await machine.run("ipvsadm -Ln"), /-> \S+:80 +Route +5 /);
    await machine.write(FILE, `${yaml(1)}nonsense: 1\n`);
    const refused = await machine.try("systemctl reload holdfast");
    assert.notEqual(refused.status, 0, "a refused reload is a failed one");
    assert.match(refused.stderr, /journalctl/);
    assert.match(await machine.run("journalctl -u holdfast --no-pager -o cat"), /reload refused, nothing changed/);
    assert.match(await machine.run("ipvsadm -Ln"), /-> \S+:80 +Route +5 /);
    assert.equal((await show(machine, "ActiveState")).get("ActiveState"), "active");
    await machine.write(FILE, yaml(1));
    await machine.run("systemctl reload holdfast");
    assert.deepEqual(await show(machine, "MainPID,NRestarts"), before);
  });

  it("restarts the master without a failed request", async () => {
    const load = pair.load();
    await load.more(20);
    await pair.lb(1).run("systemctl restart holdfast");
    await pair.heldBy("lb1");
    await load.more(20);
    judge("restart of the master", await load.stop(), 2);
  });

  it("is upgraded on both, one after the other, while a client makes a thousand short requests", async () => {
    await pair.lb(2).run(`echo '# ours' >>${EXAMPLE}`);
    const load = pair.load();
    await load.more(20);
    for (const number of [2, 1] as const) {
      await pair.lb(number).run(`dpkg -i ${newPackage}`);
      assert.equal(await pair.lb(number).run("holdfast --version"), `${NEW}\n`);
      assert.match(
        await pair.lb(number).run("holdfast status --json || [ $? = 3 ]"),
        new RegExp(`"program": "${NEW}"`),
      );
      await pair.heldBy("lb1");
    }
    await load.more(Math.max(20, SHORT_REQUESTS - load.requests.length));
    judge("rolled upgrade", await load.stop(), 2);
    assert.match(await pair.lb(2).run(`tail -n 1 ${EXAMPLE}`), /^# ours$/m, "what was edited stays");
    assert.match((await pair.lb(2).try("dpkg --verify holdfast")).stdout, new RegExp(`^\\S+ c ${EXAMPLE}\n$`));
  });

  it("comes back after its supervisor was killed", async () => {
    await survives("the supervisor killed", 2, async (machine) => {
      await machine.run("systemctl kill --kill-whom=main --signal=KILL holdfast");
      await machine.until("it is started again", restarts, (text) => text !== "0\n");
    });
  });

  it("comes back after all of it was killed", async () => {
    await survives("all killed", 2, async (machine) => {
      const before = await machine.run(restarts);
      await machine.run("systemctl kill --kill-whom=all --signal=KILL holdfast");
      await machine.until("it is started again", restarts, (text) => text !== before);
    });
  });

  it("is started again by the watchdog when its event loop hangs", async () => {
    await survives("the supervisor frozen", 2, async (machine) => {
      const before = await machine.run(restarts);
      await machine.run("systemctl kill --kill-whom=main --signal=STOP holdfast");
      await machine.until("the watchdog acts", restarts, (text) => text !== before);
      assert.match(await machine.run("journalctl -u holdfast --no-pager -o cat"), /Watchdog timeout/);
    });
  });

  const restarts = "systemctl show --property=NRestarts --value holdfast";

  /** Strikes the master under load; afterwards it serves again, as a healthy one. */
  async function survives(what: string, moves: number, strike: (machine: Machine) => Promise<void>): Promise<void> {
    const machine = pair.lb(1);
    const load: Load = pair.load();
    await load.more(20);
    await strike(machine);
    await machine.until("it is active", "systemctl is-active holdfast", (text) => text === "active\n");
    await pair.heldBy("lb1");
    await machine.until("it is healthy", "holdfast status", (text) => /healthy/.test(text));
    await load.more(20);
    judge(what, await load.stop(), moves);
  }

  it("keeps to its bounds: what has gone wild is ended, the addresses stay", async () => {
    const machine = pair.lb(1);
    const limits = await machine.run("cat /proc/$(systemctl show -p MainPID --value holdfast)/limits");
    assert.match(limits, /^Max open files +65536 +65536 /m);
    const bounds = await show(
      machine,
      "MemoryMax,TasksMax,CPUWeight,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,OOMScoreAdjust",
    );
    assert.deepEqual(Object.fromEntries(bounds), {
      MemoryMax: String(1 << 30),
      TasksMax: "2048",
      CPUQuotaPerSecUSec: "4s",
      CPUQuotaPeriodUSec: "10ms",
      CPUWeight: "500",
      OOMScoreAdjust: "-500",
    });
    // The machine itself has no more than that: a smaller bound shows the same.
    await machine.run("systemctl set-property --runtime holdfast MemoryMax=300M");
    const script = "#!/usr/bin/perl\nmy $all = 'x' x 400_000_000; sleep 60;\n";
    await machine.run("mkdir -p /etc/holdfast/checks");
    await machine.write("/etc/holdfast/checks/greedy.pl", script, "755");
    const pids = "pgrep -f 'internal [v]rrp' ; systemctl show -p MainPID --value holdfast";
    const before = await machine.run(pids);
    const greedy = yaml(1).replace(
      "checks: [",
      "checks: [{ script: { run: [/etc/holdfast/checks/greedy.pl], timeout: 20s, interval: 20s } }, ",
    );
    await machine.write(FILE, greedy);
    await machine.run("systemctl reload holdfast");
    const events = "cat /sys/fs/cgroup/system.slice/holdfast.service/memory.events";
    await machine.until("the kernel ended what was greedy", events, (text) => /^oom_kill [1-9]/m.test(text));
    assert.equal(await machine.run(pids), before, "supervisor and vrrp process live on");
    assert.deepEqual(await pair.holders(), ["lb1"]);
    await machine.write(FILE, yaml(1));
    await machine.run("systemctl reload holdfast && systemctl revert holdfast");
    await machine.until("it is healthy", "holdfast status", (text) => /healthy/.test(text));
  });

  it("adverts go on while check scripts burn all processor time there is", async () => {
    const machine = pair.lb(1);
    await machine.write("/etc/holdfast/checks/burning.pl", "#!/usr/bin/perl\nwhile (1) { $x++ }\n", "755");
    const burning = "{ script: { run: [/etc/holdfast/checks/burning.pl], timeout: 60s, interval: 60s } }, ";
    await machine.write(FILE, yaml(1).replace("checks: [", `checks: [${burning.repeat(BURNING)}`));
    await machine.run("systemctl reload holdfast");
    const nice = Array.from({ length: BURNING * pair.topology.servers.length }, () => " 10\n").join("");
    await machine.until("all of them burn, and give way", "ps -C burning.pl -o ni=", (text) => text === nice);
    const file = join(pair.topology.dir, "burning.pcap");
    const capture = await startCapture(pair.topology.client, file, "eth0", "vrrp");
    // Ten intervals: the backup waits for less than four.
    const { seen } = await waitFor(
      "ten adverts",
      async () => adverts(await capture.read()),
      (all) => all.length >= 10,
      { withinMs: 60_000, everyMs: 1_000 },
    );
    await capture.stop();
    assert.deepEqual([...new Set(seen.map(({ source }) => source))], [pair.topology.plan.directors[0]]);
    await machine.write(FILE, yaml(1));
    await machine.run("systemctl reload holdfast");
    await machine.until("it is healthy", "holdfast status", (text) => /healthy/.test(text));
  });

  it("prepares a real server by its unit, and gives back what was there", async () => {
    const machine = pair.lb(2);
    const vip = "192.0.2.200";
    const seen = "ip -o address show; sysctl -n net.ipv4.conf.all.arp_ignore";
    // The module makes its device by itself, and that one stays.
    await machine.run("modprobe ipip && ip link set tunl0 up && ip link set tunl0 down");
    const before = await machine.run(seen);
    await new MachineStory(pair).carryOut(partOf("docs/real-servers.md", "systemd"), machine.name);
    assert.match(await machine.run("ip -o address show dev lo"), / inet 192\.0\.2\.10\/32 /);
    assert.equal(await machine.run("systemctl is-enabled holdfast-realserver@web"), "enabled\n");
    await machine.run("systemctl disable --now holdfast-realserver@web");
    assert.equal(await machine.run(seen), before);
    await machine.write(
      "/etc/holdfast/realserver/web.conf",
      `ARGUMENTS=${vip} --method tun --tunnel ipip --interface eth0\n`,
    );
    await machine.run("systemctl start holdfast-realserver@web");
    assert.match(await machine.run("ip -o address show"), new RegExp(` tunl0 +inet ${vip}/32 `));
    assert.equal(await machine.run("sysctl -n net.ipv4.conf.eth0.arp_ignore"), "1\n");
    await machine.run("systemctl restart holdfast-realserver@web && systemctl stop holdfast-realserver@web");
    assert.equal(await machine.run(seen), before);
  });

  it("the plug of its machine is pulled under load, and the peer takes over in time", async () => {
    const machine = pair.lb(1);
    const { client, dir, plan } = pair.topology;
    await machine.run("mkdir -p /etc/holdfast/realserver");
    await machine.write("/etc/holdfast/realserver/boot.conf", `ARGUMENTS=${AS_SERVER} --method dr\n`);
    await machine.run("systemctl enable --now holdfast-realserver@boot && sync");
    const capture = await startCapture(client, join(dir, "plug.pcap"), "eth0", "vrrp");
    const load = pair.load();
    await load.more(20);
    await machine.pullPlug();
    const look = "ip -br address show dev eth0";
    await pair.lb(2).until("it has the address", look, (text) => text.includes(`${plan.vip}/`));
    await load.more(20);
    judge("plug pulled", await load.stop(), 1);
    const heard = adverts(await capture.stop());
    const last = heard.findLast(({ source }) => source === plan.directors[0]);
    const first = heard.find(({ source }) => source === plan.directors[1]);
    assert.ok(last !== undefined && first !== undefined);
    const tookMs = first.atMs - last.atMs;
    console.log(`        the peer advertised ${Math.round(tookMs)} ms after the last advert of the dead machine`);
    assert.ok(tookMs > 0 && tookMs <= TAKEOVER_MS, `it took over after ${tookMs} ms`);
  });

  it("its machine has power again: it starts by itself and serves, as a real server's unit does", async () => {
    const machine = pair.lb(1);
    const load = pair.load();
    await load.more(20);
    machine.powerOn();
    await machine.booted();
    await pair.heldBy("lb1");
    await machine.until("it is healthy", "holdfast status", (text) => /healthy/.test(text));
    await load.more(20);
    // The one that is on its way when the address moves; that the kernel began with an empty table costs none.
    judge("power back", await load.stop(), 1);
    assert.equal(await pair.servers(1), 2);
    const units = "systemctl is-active holdfast holdfast-realserver@boot";
    await machine.until("both units have started", units, (text) => text === "active\nactive\n");
    assert.match(await machine.run("ip -o address show dev lo"), new RegExp(` inet ${AS_SERVER}/32 `));
    assert.equal(await machine.run("sysctl -n net.ipv4.conf.all.arp_ignore"), "1\n");
    await machine.run("systemctl disable --now holdfast-realserver@boot");
  });

  it("is removed, and the peer serves on; nothing is left in the kernel", async () => {
    const machine = pair.lb(1);
    const load = pair.load();
    await load.more(20);
    await machine.run("apt-get remove -y -qq holdfast");
    assert.deepEqual(await pair.holders(), ["lb2"]);
    await load.more(20);
    judge("removal of the master", await load.stop(), 1);
    assert.equal((await machine.run("ip -br address show dev lo")).includes(pair.topology.plan.vip), false);
    assert.equal(await pair.servers(1), 0);
    assert.equal((await machine.try("pgrep -fa 'lib/[h]oldfast'")).stdout, "");
    assert.equal((await machine.try("systemctl is-active holdfast")).stdout, "inactive\n");
    await machine.run(`test -f ${FILE} -a -d /var/lib/holdfast -a ! -e /usr/lib/holdfast -a ! -e /run/holdfast`);
  });

  it("comes back after its removal, and serves as before", async () => {
    const machine = pair.lb(1);
    await machine.run(`dpkg -i ${newPackage} && test ! -e /run/holdfast.installed`);
    await pair.heldBy("lb1");
  });

  it("is purged, and no file is left", async () => {
    const machine = pair.lb(1);
    await machine.run("dpkg --purge holdfast");
    const find =
      "find / -xdev -path /media -prune -o -path /proc -prune -o -path /sys -prune -o -path /var/log -prune -o -iname '*holdfast*' -print";
    assert.equal(await machine.run(find), "");
    assert.equal((await machine.try("systemctl status holdfast")).status, 4, "systemd knows no such unit");
  });

  it("can be installed anew and serves as before", async () => {
    const machine = pair.lb(1);
    await machine.run(`dpkg -i ${newPackage}`);
    await machine.write(FILE, yaml(1));
    await machine.run("systemctl start holdfast");
    await pair.heldBy("lb1");
  });
});
