// lab-needs: netns
// A running daemon that is reloaded, killed in parts and frozen, seen by tcpdump, `ip monitor` and `ip address`.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./support/commands.ts";
import { childPid, eventsOf, isRunning, startDaemon, statusOf } from "./support/daemon.ts";
import type { Director } from "./support/director.ts";
import { controlScrape, parseScrape, sampleOf } from "./support/metrics.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, type Capture, startCapture } from "./support/witness.ts";

const VIP = "192.0.2.100";
const VIP2 = "192.0.2.101";
const OTHER = "192.0.2.110";
/** The kernel refuses an address while another one of its network is there with another scope. */
const [STRANGE, REFUSED] = ["198.51.100.1/24", "198.51.100.100/24"];

interface InstancePlan {
  readonly vrid: number;
  readonly priority?: number;
  readonly addresses: readonly string[];
}

function yamlOf(instances: Readonly<Record<string, InstancePlan>>, level = "info", advertise = "200ms"): string {
  const lines = Object.entries(instances).map(
    ([name, { vrid, priority = 150, addresses }]) =>
      `    ${name}: { interface: eth0, vrid: ${vrid}, priority: ${priority}, advertise: ${advertise}, addresses: [${addresses.map((address) => `${address}/32`).join(", ")}] }\n`,
  );
  const part = lines.length === 0 ? "{}\n" : `\n${lines.join("")}`;
  return `node: lb1\nlog: { level: ${level} }\nvrrp:\n  instances: ${part}`;
}

const WEB: InstancePlan = { vrid: 51, addresses: [VIP] };

describe("a running director", () => {
  let topology: Topology;
  let director: Director;
  let homes = 0;

  before(() => {
    topology = new Topology({ directors: 2 });
  });
  after(() => topology?.close());
  afterEach(async () => {
    if (!director.program.hasEnded) await director.stop();
    assert.deepEqual(topology.lb(1).addresses("eth0").filter(isVirtual), [], director.lines.slice(-20).join("\n"));
  });

  const isVirtual = (cidr: string): boolean => /^192\.0\.2\.1\d\d\//.test(cidr);
  const held = (): string[] => topology.lb(1).addresses("eth0").filter(isVirtual).sort();

  function start(yaml: string, number = 1): Director {
    homes += 1;
    return startDaemon(topology.lb(number), join(topology.dir, `home-${homes}`), { yaml });
  }
  async function holds(...addresses: readonly string[]): Promise<void> {
    const wanted = addresses.map((address) => `${address}/32`).sort();
    await waitFor(`lb1 holds ${wanted}`, held, (seen) => seen.join() === wanted.join(), {
      withinMs: 15_000,
      show: (seen) => `${seen}\n${director.lines.slice(-20).join("\n")}`,
    });
  }
  async function startMaster(yaml = yamlOf({ web: WEB })): Promise<void> {
    director = start(yaml);
    await holds(VIP);
    await isRunning(director);
  }
  async function reload(yaml: string, exitCode = 0): Promise<string> {
    const { status, stdout, stderr } = await director.reload(yaml);
    assert.equal(status, exitCode, `${stdout}${stderr}`);
    return stdout + stderr;
  }
  let captures = 0;
  function capture(filter: string): Promise<Capture> {
    captures += 1;
    return startCapture(topology.client, join(topology.dir, `capture-${captures}.pcap`), "eth0", filter);
  }
  const kill = async (name: "vrrp" | "checker", signal: NodeJS.Signals): Promise<number> => {
    const pid = await childPid(director, name);
    process.kill(pid, signal);
    return pid;
  };
  const connections = (): number => {
    const socket = join(director.file, "../run/control.sock");
    return topology.lb(1).exec(["ss", "-xH", "state", "established"]).split(socket).length - 1;
  };
  /** The lines since a moment that say something happened. */
  const since = (from: number): string[] => director.lines.slice(from);

  it("a reload that changes nothing is silent; one of a broken file changes nothing and says where", async () => {
    await startMaster();
    // Past the second announcement, so that nothing is under way.
    await waitFor("6 s as master", () => statusOf(director), isOld(6_000), { withinMs: 20_000, everyMs: 250 });
    const monitor: Running = topology
      .lb(1)
      .start(["ip", "monitor", "address", "link", "route"], { name: "ip monitor" });
    const arp = await capture("arp");
    const sent = await capture("ip proto 112");
    const before = (await statusOf(director)).instances[0];
    assert.match(await reload(yamlOf({ web: WEB })), /^nothing to do: the kernel is as configured\n$/m);
    assert.match(
      await reload(`# the same\n${yamlOf({ web: WEB })}`),
      /^nothing to do: the kernel is as configured\n$/m,
    );
    const said = director.lines.length;
    director.program.signal("SIGHUP");
    await waitFor(
      "the answer to SIGHUP",
      () => since(said),
      (lines) => lines.some((line) => /unchanged/.test(line)),
      {
        withinMs: 10_000,
      },
    );
    const broken = await reload(`${yamlOf({ web: { ...WEB, vrid: 0 } })}servces: {}\n`, 78);
    assert.match(broken, /holdfast\.yaml:5:\d+.*\n.*\n.*vrid: 0.*\n.*\^/, "file, line and a caret");
    assert.match(broken, /holdfast\.yaml:6:1: .*servces/, "every problem at once");
    assert.match(broken, /reload refused: the configuration has errors; nothing was changed/);
    assert.match(director.lines.at(-1) ?? "", /reload refused, nothing changed: .*holdfast\.yaml:5/);
    const after = (await statusOf(director)).instances[0];
    assert.deepEqual(
      [after?.phase, after?.since, after?.priority, after?.addresses],
      [before?.phase, before?.since, before?.priority, before?.addresses],
    );
    // On a fast machine all of that takes less than four adverts.
    await waitFor(
      "adverts enough to judge",
      async () => adverts(await sent.read()),
      ({ length }) => length >= 4,
      {
        withinMs: 10_000,
      },
    );
    const heard = adverts(await sent.stop());
    const gaps = heard.slice(1).map((advert, i) => advert.atMs - (heard[i]?.atMs ?? 0));
    assert.ok(Math.min(...gaps) > 150, `an advert out of turn: gaps of ${gaps.map(Math.round)} ms`);
    assert.deepEqual(
      (await arp.stop()).filter((line) => line.includes(VIP)),
      [],
    );
    await monitor.stop("SIGTERM");
    assert.deepEqual(monitor.lines, []);
    await director.stop();
  });

  it("a reload adds, removes and changes instances, addresses, priority and log level", async () => {
    await startMaster();
    const arp = await capture(`arp and host ${VIP2}`);
    assert.match(
      await reload(yamlOf({ web: { ...WEB, addresses: [VIP, VIP2] } })),
      /^~ {3}instance web: addresses changed$/m,
    );
    await holds(VIP, VIP2);
    assert.ok((await arp.stop()).length >= 5, "the new address is announced");

    assert.match(await reload(yamlOf({ web: { ...WEB, addresses: [VIP2] } })), /instance web: addresses changed/);
    await holds(VIP2);

    const sent = await capture("ip proto 112");
    assert.match(await reload(yamlOf({ web: { ...WEB, addresses: [VIP2], priority: 180 } })), /priority changed/);
    await waitFor(
      "adverts of 180",
      async () => adverts(await sent.read()),
      (all) => all.at(-1)?.priority === 180,
      {
        withinMs: 5_000,
      },
    );
    await sent.stop();
    assert.deepEqual(held(), [`${VIP2}/32`]);

    const two = { web: { ...WEB, addresses: [VIP2], priority: 180 }, mail: { vrid: 52, addresses: [OTHER] } };
    assert.match(await reload(yamlOf(two)), /^~ {3}instance mail added$/m);
    await holds(VIP2, OTHER);
    const goodbye = await capture("ip proto 112");
    assert.match(await reload(yamlOf({ mail: two.mail })), /^~ {3}instance web removed$/m);
    await holds(OTHER);
    await waitFor(
      "web resigns",
      async () => adverts(await goodbye.read()),
      (all) => all.some(({ vrid, priority }) => vrid === 51 && priority === 0),
      { withinMs: 5_000 },
    );
    await goodbye.stop();
    assert.deepEqual(
      (await statusOf(director)).instances.map(({ name }) => name),
      ["mail"],
    );

    const said = director.lines.length;
    writeFileSync(director.file, yamlOf({ mail: two.mail, web: { vrid: 53, addresses: [VIP] } }, "error"));
    director.program.signal("SIGHUP");
    await holds(OTHER, VIP);
    await reload(yamlOf({ mail: two.mail }, "error"));
    await holds(OTHER);
    assert.deepEqual(since(said), [], "only errors are told at this level");
    assert.match(await reload(yamlOf({}, "info")), /^~ {3}log\.level changed\n~ {3}instance mail removed$/m);
    await holds();
    await director.stop();
  });

  it("a master to whom the kernel refuses an address says so as long as it does, and is not drilled", async () => {
    const host = topology.lb(1);
    host.exec(["ip", "address", "add", STRANGE, "scope", "link", "dev", "eth0"]);
    await startMaster(yamlOf({ web: { ...WEB, addresses: [VIP, VIP2] } }).replace(`${VIP2}/32`, REFUSED));
    await waitFor(
      "its own status",
      () => statusOf(director),
      ({ instances }) => instances[0]?.phase === "master",
      {
        withinMs: 10_000,
      },
    );
    const why = `adding ${REFUSED} on eth0 was refused: EINVAL (invalid argument)`;
    const problem = `instance web is master and lacks address ${REFUSED} on eth0: ${why}; tried again every second`;
    const shown = await director.command(["status"]);
    assert.deepEqual([shown.status, shown.stdout.includes(`!  ${problem}\n`)], [3, true], shown.stdout);
    const drill = await director.command(["drill", "run", "web", "--kind", "handover"]);
    assert.deepEqual([drill.status, `${drill.stdout}${drill.stderr}`.includes(problem)], [1, true], drill.stdout);
    const scrape = parseScrape(await controlScrape(director));
    const refused = 'holdfast_vrrp_addresses_refused{vrrp_instance="web",change="add"}';
    assert.deepEqual([sampleOf(scrape, refused), sampleOf(scrape, "holdfast_healthy")], [1, 0]);

    host.exec(["ip", "address", "del", STRANGE, "dev", "eth0"]);
    await waitFor(
      "lb1 has it",
      () => host.addresses("eth0"),
      (all) => all.includes(REFUSED),
      { withinMs: 10_000 },
    );
    await waitFor(
      "it is well",
      () => statusOf(director),
      ({ health }) => health === "healthy",
      { withinMs: 10_000 },
    );
    const told = (await eventsOf(director, "instance")).map(({ from, to, cause }) => `${from} -> ${to}: ${cause}`);
    assert.deepEqual(
      told.filter((line) => line.includes("refuse")),
      [`null -> address refused: ${why}`, "address refused -> null: the kernel refuses none of its addresses any more"],
    );
  });

  it("two reloads at once: the second takes what was written meanwhile", async () => {
    await startMaster();
    const checker = await kill("checker", "SIGSTOP");
    const first = director.reload(yamlOf({ web: { ...WEB, addresses: [VIP, VIP2] } }));
    await holds(VIP, VIP2);
    const { status: answered, stdout: told } = await director.command(["status"]);
    assert.ok([0, 3].includes(answered), `a frozen checker does not keep status from answering:\n${told}`);
    const second = director.reload(yamlOf({ web: { ...WEB, addresses: [VIP, OTHER] } }));
    // Both are asked before the first is answered.
    await waitFor(
      "the second waits",
      () => connections(),
      (count) => count >= 2,
      { withinMs: 10_000 },
    );
    process.kill(checker, "SIGCONT");
    for (const { status, stdout, stderr } of await Promise.all([first, second])) {
      assert.equal(status, 0, stderr);
      assert.match(stdout, /instance web: addresses changed/);
    }
    await holds(VIP, OTHER);
    await director.stop();
  });

  it("the vrrp process is killed: one master again, a reload meanwhile counts, status says what is", async () => {
    await startMaster();
    const peer = start(yamlOf({ web: { ...WEB, priority: 100 } }), 2);
    await peer.program.line(/initialize -> backup/);
    const said = director.lines.length;
    await kill("vrrp", "SIGKILL");
    const meanwhile = await reload(yamlOf({ web: { ...WEB, priority: 160 } }));
    assert.match(meanwhile, /priority changed/);
    await waitFor(
      "one master, lb1",
      () => topology.holders(VIP),
      (seen) => seen.join() === "lb1",
      { withinMs: 15_000 },
    );
    const status = await isRunning(director);
    assert.deepEqual(
      status.processes.map(({ name, restarts }) => [name, restarts]),
      [
        ["vrrp", 1],
        ["checker", 0],
      ],
    );
    assert.equal(status.instances[0]?.priority, 160);
    assert.match(since(said).join("\n"), /the vrrp process ended by signal SIGKILL; restart 1 in 100ms/);
    assert.match(since(said).join("\n"), /removed 192\.0\.2\.100\/32 from eth0, left behind|-> master: resumes/);
    await waitFor(
      "status of lb1 as master",
      () => statusOf(director),
      (now) => now.instances[0]?.phase === "master",
      {
        withinMs: 10_000,
      },
    );
    await peer.stop();
    await director.stop();
  });

  it("the supervisor is killed: priority 0 is sent, the addresses go, the children end", async () => {
    await startMaster();
    const children = [await childPid(director, "vrrp"), await childPid(director, "checker")];
    const sent = await capture("ip proto 112");
    director.program.signal("SIGKILL");
    await holds();
    await waitFor(
      "the children end",
      () => children.filter(isAlive),
      (alive) => alive.length === 0,
      { withinMs: 10_000 },
    );
    const all = adverts(await sent.stop());
    assert.equal(all.at(-1)?.priority, 0, JSON.stringify(all));
    assert.equal(all.filter(({ priority }) => priority === 0).length, 1);

    // It comes up again over the socket file that is left.
    await startMaster();
    await director.stop();
  });

  it("an address that a dead vrrp process left goes at the stop, and at a start without instances", async () => {
    await startMaster();
    const frozen = await kill("vrrp", "SIGSTOP");
    const { status } = await director.command(["status"]);
    assert.ok([0, 3].includes(status), "a frozen child does not keep status from answering");
    director.program.signal("SIGTERM");
    assert.equal(await director.program.ended(20_000), 0);
    assert.ok(!isAlive(frozen));
    assert.deepEqual(held(), []);
    assert.match(director.lines.join("\n"), /the vrrp process did not stop within \d+ ms; killed/);

    await startMaster();
    const left = await kill("vrrp", "SIGSTOP");
    director.program.signal("SIGKILL");
    process.kill(left, "SIGKILL");
    await director.program.ended();
    assert.deepEqual(held(), [`${VIP}/32`]);
    director = start(yamlOf({}));
    await holds();
    await director.stop();
  });
});

function isOld(ms: number): (status: Awaited<ReturnType<typeof statusOf>>) => boolean {
  return ({ instances }) => instances.length > 0 && instances.every(({ since }) => Date.now() - Date.parse(since) > ms);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
