// lab-needs: ipvs
// What a daemon does to the kernel's table at start, reload, stop and when its parts die, seen by ipvsadm, curl and nlmon.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./support/commands.ts";
import { applyYaml, childPid, eventsOf, isRunning, startDaemon, statusOf } from "./support/daemon.ts";
import type { Director } from "./support/director.ts";
import { startWeb } from "./support/servers.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { startCapture, weights } from "./support/witness.ts";

const PORT = 80;
const OTHER_PORT = 8080;
const FOREIGN = "192.0.2.200:25";
/** Commands of the IPVS family that only read. @see linux/ip_vs.h */
const READING = [4, 8, 11, 13, 15];

const KEEP: Plan = { ipvs: "onStop: keep" };

interface Plan {
  readonly weights?: Readonly<Record<number, number>>;
  readonly other?: boolean;
  /** A server that nothing checks. */
  readonly unchecked?: string;
  readonly none?: boolean;
  readonly ipvs?: string;
}

describe("a daemon and the kernel's table", () => {
  let topology: Topology;
  let director: Director;
  let home: string;

  const vip = (): string => topology.plan.vip;
  const server = (number: number): string => `${topology.rs(number).address}:${PORT}`;

  /** The VIP stands by hand, so that clients reach the table whatever the daemon does. */
  function yamlOf(plan: Plan = {}): string {
    const { weights: wanted = { 1: 1, 2: 1 }, other = false, none = false, ipvs = "", unchecked = null } = plan;
    const servers = Object.entries(wanted).map(
      ([number, weight]) => `{ address: "${server(Number(number))}", weight: ${weight} }`,
    );
    const web = `  web: { listen: "${vip()}:${PORT}", scheduler: rr, forward: nat, servers: [${servers.join(", ")}], checks: [tcp] }\n`;
    const more = `  more: { listen: "${vip()}:${OTHER_PORT}", forward: nat, servers: ["${server(1)}"], checks: [tcp] }\n`;
    const blind = `  blind: { listen: "${vip()}:${OTHER_PORT}", forward: nat, servers: ["${server(1)}", "${unchecked}"], checks: [] }\n`;
    const services = none ? " {}\n" : `\n${web}${other ? more : ""}${unchecked === null ? "" : blind}`;
    return `node: lb1\nipvs: { ${ipvs} }\ndefaults: { check: { interval: 1s, timeout: 900ms, rise: 1, fall: 3 } }\nservices:${services}`;
  }
  const start = (plan: Plan = {}): Director => startDaemon(topology.lb(1), home, { yaml: yamlOf(plan) });
  const list = (...options: readonly string[]): string => topology.lb(1).exec(["ipvsadm", "-Ln", ...options]);
  const services = (): string[] =>
    list()
      .split("\n")
      .filter((line) => /^(TCP|UDP)/.test(line))
      .map((line) => line.split(/\s+/)[1] ?? "");

  async function serves(wanted: Readonly<Record<number, number>>, port = PORT): Promise<void> {
    const expected = JSON.stringify(Object.entries(wanted).map(([number, weight]) => [server(Number(number)), weight]));
    await waitFor(
      `the table has ${expected}`,
      async () => JSON.stringify([...(await weights(topology.lb(1), vip(), port))].sort()),
      (seen) => seen === expected || director.program.hasEnded,
      { withinMs: 60_000, everyMs: 100, show: (seen) => `${seen}\n${director.lines.slice(-20).join("\n")}` },
    );
    assert.ok(!director.program.hasEnded, director.lines.slice(-20).join("\n"));
  }
  const comesTo = (health: "healthy" | "degraded") =>
    waitFor(
      "its health",
      () => statusOf(director),
      (status) => status.health === health,
      {
        withinMs: 60_000,
        everyMs: 200,
        show: ({ problems }) => problems.join("\n"),
      },
    );
  const kernelEvents = async () =>
    (await eventsOf(director, "kernel")).map(({ subject, from, to }) => `${subject}: ${from} -> ${to}`);
  const reload = async (plan: Plan): Promise<string> => (await applyYaml(director, yamlOf(plan))).join("\n");
  async function stop(): Promise<void> {
    await director.stop();
    assert.equal(director.program.exitCode, 0, director.lines.slice(-20).join("\n"));
  }
  /** Requests one after the other, each over a connection of its own, until told to stop. */
  function startClient(): Running {
    const loop = `while :; do curl -s -o /dev/null --max-time 4 --noproxy '*' -w '%{http_code}\\n' http://${vip()}:${PORT}/; done`;
    return topology.client.start(["sh", "-c", loop], { name: "client" });
  }

  const answers = (client: Running, more: number) => {
    const from = client.lines.length;
    return waitFor(
      "answers",
      () => client.lines.length - from,
      (count) => count >= more,
      { withinMs: 30_000 },
    );
  };
  const hasServices = (...wanted: readonly string[]) =>
    waitFor(
      "the services",
      () => services().sort().join(),
      (seen) => seen === [...wanted, FOREIGN].sort().join(),
      {
        withinMs: 30_000,
        show: (seen) => `${seen}\n${director.lines.slice(-20).join("\n")}`,
      },
    );
  /** The supervisor is killed; its children end by themselves. */
  async function crash(): Promise<void> {
    const children = (await statusOf(director)).processes.map(({ pid }) => pid ?? 0);
    director.program.signal("SIGKILL");
    await waitFor(
      "the children end",
      () => children.filter(isAlive),
      (alive) => alive.length === 0,
      {
        withinMs: 30_000,
      },
    );
  }

  before(async () => {
    topology = new Topology({ method: "nat", servers: 3, directors: 1 });
    home = join(topology.dir, "home");
    mkdirSync(home);
    topology.lb(1).addAddress(`${vip()}/32`, "eth0");
    topology.lb(1).addAddress(`${topology.plan.gateway}/32`, "eth1");
    await startWeb(
      topology.servers.map(({ host }) => host),
      topology.dir,
      { ports: [PORT] },
    );
    topology.lb(1).exec(["ipvsadm", "-A", "-t", FOREIGN, "-s", "rr"]);
    topology.lb(1).exec(["ipvsadm", "-a", "-t", FOREIGN, "-r", "192.0.2.201:25", "-m", "-w", "7"]);
  });
  after(() => topology?.close());
  afterEach(() => {
    assert.match(list(), /192\.0\.2\.200:25 rr\n\s+-> 192\.0\.2\.201:25\s+Masq\s+7 /, "a foreign service is untouched");
  });

  // The tests follow each other on one table: a start takes ten seconds in a guest, so there are four.

  it("a start without a setting that services need: status is degraded, names it, and the command in it mends that", async () => {
    topology.lb(1).sysctl({ "net.ipv4.ip_forward": "0" });
    director = start(KEEP);
    await serves({ 1: 1, 2: 1 });
    await isRunning(director);
    const { status, stdout } = await director.command(["status"]);
    const said = /^ *! {2}sysctl net\.ipv4\.ip_forward is 0, needed is 1: .*Run `([^`]+)`/m.exec(stdout);
    assert.ok(status === 3 && said?.[1] !== undefined, stdout);
    assert.equal(topology.lb(1).exec(["sysctl", "-n", "net.ipv4.ip_forward"]), "0\n");
    topology.lb(1).exec(said[1].split(" "));
    await comesTo("healthy");
    const subject = "sysctl net.ipv4.ip_forward";
    assert.deepEqual(await kernelEvents(), [`${subject}: null -> 0`, `${subject}: 0 -> 1`]);
  });

  it("a server that the kernel refuses: status names it, it is not said to be in the table, and goes in when it can", async () => {
    const { insideDirectors, insidePrefix } = topology.plan;
    assert.equal(insidePrefix, 24);
    const broadcast = insideDirectors[0]?.replace(/\d+$/, "255") ?? "";
    const before = await kernelEvents();
    await applyYaml(director, yamlOf({ ...KEEP, unchecked: `${broadcast}:${PORT}` }));
    const { seen } = await comesTo("degraded");
    assert.match(
      seen.problems.join("\n"),
      new RegExp(
        `^the kernel's table is not as wanted in 1 object \\(service blind: adding server ${broadcast}:80 of `,
      ),
    );
    const row = seen.services.find(({ name }) => name === "blind")?.servers[1];
    assert.deepEqual([row?.server, row?.verdict, row?.present], [`${broadcast}:80`, "up", false]);
    assert.match(row?.why ?? "", /not in the kernel's table: the kernel finds its address unusable: .*broadcast/);
    await serves({ 1: 1 }, OTHER_PORT);

    topology.lb(1).exec(["ip", "route", "del", "table", "local", "broadcast", broadcast, "dev", "eth1"]);
    await comesTo("healthy");
    const all = await weights(topology.lb(1), vip(), OTHER_PORT);
    assert.deepEqual([...all.keys()].sort(), [server(1), `${broadcast}:80`].sort());
    const table = "kernel's table";
    assert.deepEqual((await kernelEvents()).slice(before.length), [
      `${table}: null -> not as wanted`,
      `${table}: not as wanted -> as wanted`,
    ]);
    await reload(KEEP);
  });

  it("reload applies what changed, and writes nothing if nothing did or the file is broken", async () => {
    await serves({ 1: 1, 2: 1 });
    const netlink = await startNetlinkWitness();
    const before = list("--stats");
    assert.deepEqual(await reload(KEEP), "");
    const refused = await director.reload(`${yamlOf({ ...KEEP, weights: { 1: 9 } })}nonsense: 1\n`);
    assert.equal(refused.status, 78);
    assert.match(refused.stderr, /holdfast\.yaml:\d+:1: .*nonsense/);
    assert.equal(list("--stats"), before);
    assert.deepEqual(await netlink.writes(), []);

    assert.match(await reload({ ...KEEP, weights: { 1: 5, 2: 1, 3: 2 } }), /weight changed/);
    await serves({ 1: 5, 2: 1, 3: 2 });
    await reload({ ...KEEP, weights: { 1: 5, 3: 2 } });
    await serves({ 1: 5, 3: 2 });
    assert.match(await reload({ ...KEEP, other: true }), /service more added/);
    await serves({ 1: 1, 2: 1 });
    await serves({ 1: 1 }, OTHER_PORT);
    writeFileSync(director.file, yamlOf(KEEP));
    director.program.signal("SIGHUP");
    await hasServices(`${vip()}:${PORT}`);
    assert.ok((await netlink.writes()).length > 0, "the witness sees writes where there are some");
    await netlink.stop();
  });

  it("the checker dies, then the supervisor: no request fails, counters go on, what left the file goes", async () => {
    await reload({ ...KEEP, other: true });
    await serves({ 1: 1 }, OTHER_PORT);
    const client = startClient();
    await answers(client, 5);
    process.kill(await childPid(director, "checker"), "SIGKILL");
    await director.program.line(/the checker process ended by signal SIGKILL/);
    // What somebody breaks meanwhile is repaired by the next checker.
    topology.lb(1).exec(["ipvsadm", "-a", "-t", `${vip()}:${PORT}`, "-r", server(3), "-m", "-w", "0"]);
    await director.program.line(/the checker process runs again/, 60_000);
    await serves({ 1: 1, 2: 1 });

    await crash();
    assert.deepEqual(services().sort(), [`${vip()}:${PORT}`, `${vip()}:${OTHER_PORT}`, FOREIGN].sort());
    const before = connections(list("--stats"), server(1));
    director = start(KEEP);
    await isRunning(director);
    await hasServices(`${vip()}:${PORT}`);
    assert.ok(connections(list("--stats"), server(1)) >= before, "counted from zero again");
    await answers(client, 2);
    client.kill();
    assert.deepEqual([...new Set(client.lines)], ["200"]);
  });

  it("onStop: keep serves on through a restart and loses nobody, also with a damaged list of owned services", async () => {
    await serves({ 1: 1, 2: 1 });
    const client = startClient();
    await answers(client, 2);
    await stop();
    assert.match(director.lines.join("\n"), /the IPVS services stay in the kernel/);
    const counted = connections(list("--stats"), server(1));
    const owned = join(home, "state/ipvs-services.json");
    const damaged = '{"version":1,"services":[';
    writeFileSync(owned, damaged);
    await answers(client, 2);
    director = start(KEEP);
    await isRunning(director);
    await answers(client, 2);
    assert.match(director.lines.join("\n"), /owns is damaged .* set aside as .*ipvs-services\.json\.damaged-1/);
    assert.equal(readFileSync(`${owned}.damaged-1`, "utf8"), damaged);
    await serves({ 1: 1, 2: 1 });
    assert.ok(connections(list("--stats"), server(1)) >= counted);
    client.kill();
    assert.deepEqual([...new Set(client.lines)], ["200"]);
    assert.doesNotMatch(director.lines.join("\n"), /ipvs: .*(removed|deleted|added)/, "nothing was to be done");
  });

  it("warns about a sysctl with the command that sets it, and sets that one alone when told to", async () => {
    const pattern = "^net\\.(ipv4|ipv6)\\.(ip_forward|conf|vs)";
    const all = (): string => topology.lb(1).exec(["sysctl", "-a", "--pattern", pattern]);
    topology.lb(1).sysctl({ "net.ipv4.ip_forward": "0" });
    const before = all();
    await reload(KEEP);
    await comesTo("degraded");
    assert.match(
      director.lines.join("\n"),
      /warning checker: sysctl net\.ipv4\.ip_forward is 0, needed is 1: .*Run `sysctl -w net\.ipv4\.ip_forward=1`, or set ipvs\.manageSysctls: true/,
    );
    assert.equal(all(), before);
    await reload({ ipvs: "onStop: keep, manageSysctls: true" });
    assert.match(director.lines.join("\n"), /notice {2}checker: sysctl net\.ipv4\.ip_forward: 0 -> 1/);
    assert.match(all(), /^net\.ipv4\.ip_forward = 1$/m);
    await comesTo("healthy");
    topology.lb(1).sysctl({ "net.ipv4.ip_forward": "0" });
    assert.equal(all(), before, "nothing else was changed");
    topology.lb(1).sysctl({ "net.ipv4.ip_forward": "1" });
  });

  it("takes away owned services at a start without any, and its own at a stop", async () => {
    await crash();
    assert.ok(services().includes(`${vip()}:${PORT}`));
    director = start({ none: true });
    await isRunning(director);
    await hasServices();
    await reload({});
    await serves({ 1: 1, 2: 1 });
    await stop();
    assert.deepEqual(services(), [FOREIGN]);
  });

  /** Every message on the namespace's generic netlink sockets, recorded by the kernel's own monitor device. */
  async function startNetlinkWitness(): Promise<{ writes: () => Promise<number[]>; stop: () => Promise<void> }> {
    const host = topology.lb(1);
    host.exec(["modprobe", "nlmon"]);
    host.exec(["ip", "link", "add", "nlmon0", "type", "nlmon"]);
    host.exec(["ip", "link", "set", "nlmon0", "up"]);
    const file = join(topology.dir, "netlink.pcap");
    const capture = await startCapture(host, file, "nlmon0", "");
    return {
      writes: async () => genericRequests(readFileSync(file)).filter((command) => !READING.includes(command)),
      stop: async () => {
        await capture.stop();
        host.exec(["ip", "link", "delete", "nlmon0"]);
      },
    };
  }
});

/** Connections that a server got, from `ipvsadm -Ln --stats`. */
function connections(stats: string, server: string): number {
  const match = new RegExp(`-> ${server.replaceAll(".", "\\.")}\\s+(\\d+)`).exec(stats);
  assert.ok(match?.[1] !== undefined, stats);
  return Number(match[1]);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
/** The header that the monitor device puts in front: 16 bytes, the netlink family in the last two. */
const COOKED_BYTES = 16;
const NETLINK_GENERIC = 16;
const NLM_F_REQUEST = 1;
/** Message types below are the family controller and the protocol's own. */
const GENL_FIRST_FAMILY = 17;

/** The commands of all requests to generic netlink families in a capture of a monitor device. @see linux/netlink.h */
function genericRequests(pcap: Buffer): number[] {
  const commands: number[] = [];
  for (let at = PCAP_HEADER_BYTES; at + RECORD_HEADER_BYTES <= pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8);
    const frame = pcap.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
    at += RECORD_HEADER_BYTES + length;
    if (frame.length < COOKED_BYTES || frame.readUInt16BE(COOKED_BYTES - 2) !== NETLINK_GENERIC) continue;
    for (let message = COOKED_BYTES; message + 17 <= frame.length; ) {
      const bytes = frame.readUInt32LE(message);
      const isRequest = (frame.readUInt16LE(message + 6) & NLM_F_REQUEST) !== 0;
      if (isRequest && frame.readUInt16LE(message + 4) >= GENL_FIRST_FAMILY)
        commands.push(frame.readUInt8(message + 16));
      message += Math.max(16, (bytes + 3) & ~3);
    }
  }
  return commands;
}
