// lab-needs: ipvs
// What `plan` says before a start, while a master serves a thousand connections, and after a reload; and what that reload does to
// the connections, to VRRP and to ARP. Witnesses: the clients themselves, ipvsadm, ip, tcpdump.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KernelPlan } from "../../src/plan/model.ts";
import type { Outcome, Running } from "./support/commands.ts";
import { applyYaml, eventsOf, isRunning, planOf, startDaemon, statusOf } from "./support/daemon.ts";
import { type Director, PROGRAM } from "./support/director.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, type Capture, startCapture, weights } from "./support/witness.ts";

const PORT = 7;
const CONNECTIONS = 1_000;
const INTERVAL_MS = 5_000;
/** For a look at the table from outside, which starts a program in a guest. */
const LOOK_MS = 3_000;
const TALKERS = fileURLToPath(new URL("./support/talkers.js", import.meta.url));

describe("plan and reload under a thousand connections", () => {
  let topology: Topology;
  let director: Director;
  let home: string;
  let file: string;
  let clients: Running;

  const server = (number: number): string => `${topology.rs(number).address}:${PORT}`;

  function yamlOf(servers: Readonly<Record<number, number>>, drift = "repair", intervalMs = INTERVAL_MS): string {
    const { vip } = topology.plan;
    const list = Object.entries(servers).map(
      ([number, weight]) => `{ address: "${server(Number(number))}", weight: ${weight} }`,
    );
    return `node: lb1
ipvs: { drift: ${drift}, driftInterval: ${intervalMs}ms }
defaults: { check: { interval: 1s, timeout: 900ms, rise: 1, fall: 3 } }
vrrp: { instances: { outside: { interface: eth0, vrid: 51, priority: 150, addresses: [${vip}/32] } } }
services:
  talk: { listen: "${vip}:${PORT}", scheduler: wrr, forward: dr, servers: [${list.join(", ")}], checks: [tcp] }
`;
  }

  const holdfast = (...args: readonly string[]): Promise<Outcome> =>
    topology
      .lb(1)
      .execAsync([
        process.execPath,
        PROGRAM,
        ...args,
        "--run-dir",
        join(home, "run"),
        "--state-dir",
        join(home, "state"),
      ]);
  async function planJson(path = file): Promise<KernelPlan> {
    const { status, stdout, stderr } = await holdfast("plan", "--json", path);
    const made = JSON.parse(stdout) as KernelPlan;
    assert.equal(status, made.summary.hasChanges ? 2 : 0, `${stdout}${stderr}`);
    return made;
  }

  /** Zero diff after every apply. */
  async function nothingToDo(): Promise<void> {
    const seen = await planOf(director);
    assert.equal(seen.summary.hasChanges, false, `${JSON.stringify(seen)}\n${director.lines.slice(-20).join("\n")}`);
  }

  const serves = (wanted: Readonly<Record<number, number>>) =>
    waitFor(
      "the table",
      async () => JSON.stringify([...(await weights(topology.lb(1), topology.plan.vip, PORT))].sort()),
      (seen) =>
        seen === JSON.stringify(Object.entries(wanted).map(([number, weight]) => [server(Number(number)), weight])),
      { withinMs: 60_000, everyMs: 200, show: (seen) => `${seen}\n${director.lines.slice(-20).join("\n")}` },
    );

  /** `rs1: [answered, of]`, from what the clients say when they are asked. */
  async function answered(): Promise<Readonly<Record<string, readonly number[]>>> {
    const from = clients.lines.length;
    clients.signal("SIGUSR2");
    const { seen } = await waitFor(
      "the clients have asked",
      () => clients.lines.slice(from).find((line) => line.startsWith("answered: ")),
      (line) => line !== undefined,
      { withinMs: 60_000, everyMs: 100, show: () => clients.lines.slice(-5).join("\n") },
    );
    const parts = [...(seen ?? "").matchAll(/(rs\d) (\d+) of (\d+)/g)];
    return Object.fromEntries(parts.map(([, name, count, of]) => [name, [Number(count), Number(of)]]));
  }

  before(async () => {
    topology = new Topology({ method: "dr", servers: 3, directors: 1 });
    home = join(topology.dir, "home");
    file = join(home, "holdfast.yaml");
    mkdirSync(home);
    for (const { host } of topology.servers) {
      const program = host.start([process.execPath, TALKERS, "serve", `${PORT}`, host.name], { name: host.name });
      await program.line(/listening/, 60_000);
    }
  });
  after(() => topology?.close());

  it("before a start: the service would be added, and the servers checked first; nothing is changed by saying so", async () => {
    writeFileSync(file, yamlOf({ 1: 1, 2: 1 }));
    const { status, stdout, stderr } = await holdfast("plan", file);
    assert.equal(status, 2, stderr);
    assert.match(stdout, /^ {2}no daemon runs: /m);
    assert.match(stdout, /^\+ {3}service: wrr$/m);
    assert.match(stdout, new RegExp(`^ {4}server ${server(1)} is checked first and stays out of the table`, "m"));
    assert.match(stdout, /^ {4}not running: holds no address, as it should be$/m);
    assert.doesNotMatch(stdout, /^-/m);
    assert.equal(topology.lb(1).exec(["ipvsadm", "-Sn"]), "");
    const broken = join(home, "broken.yaml");
    writeFileSync(broken, "nonsense: 1\n");
    const refused = await holdfast("plan", broken);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /broken\.yaml:1:1: .*nonsense/);
  });

  it("after a start there is nothing to do, by what the daemon knows and for a copy of its file", async () => {
    director = startDaemon(topology.lb(1), home, { yaml: yamlOf({ 1: 1, 2: 1 }) });
    await isRunning(director, 90_000);
    await serves({ 1: 1, 2: 1 });
    await director.program.line(/instance outside .* -> master/, 60_000);
    await nothingToDo();
    const copy = join(home, "copy.yaml");
    writeFileSync(copy, yamlOf({ 1: 1, 2: 1 }));
    const other = await planJson(copy);
    assert.match(other.basis, /^by the verdicts of the daemon/);
    assert.equal(other.summary.hasChanges, false);
  });

  it("cuts the connections of the removed server only, as the plan said, and leaves VRRP and ARP alone", async () => {
    const { client, plan: network } = topology;
    clients = client.start([process.execPath, TALKERS, "hold", network.vip, `${PORT}`, `${CONNECTIONS}`], {
      name: "clients",
    });
    await clients.line(/^holding: /, 120_000);
    const before = await answered();
    assert.deepEqual(before, { rs1: [500, 500], rs2: [500, 500] });
    const since = (await statusOf(director)).instances[0]?.since;
    const capture = await startCapture(client, join(topology.dir, "reload.pcap"), "eth0", "arp or ip proto 112");

    writeFileSync(file, yamlOf({ 1: 5, 3: 2 }));
    const planned = await planJson();
    assert.deepEqual(planned.summary.cuts, { established: 500, other: 0 });
    const steps = planned.groups.flatMap((group) => group.steps.map(({ type, subject }) => `${type} ${subject}`));
    // The third server is checked before it gets clients, so it is named and not added yet.
    assert.deepEqual(steps.sort(), [`change server ${server(1)}`, `remove server ${server(2)}`]);
    assert.match(JSON.stringify(planned.groups), new RegExp(`server ${server(3)} is checked first`));

    const { status, stdout, stderr } = await holdfast("reload");
    assert.equal(status, 0, `${stdout}${stderr}`);
    assert.match(stdout, new RegExp(`^~ {3}server ${server(1)}: dr weight 1 -> dr weight 5$`, "m"));
    assert.match(stdout, new RegExp(`^- {3}server ${server(2)}: dr weight 1; cuts 500 established connections$`, "m"));
    assert.match(stdout, /^applied, and read back: the kernel is as configured$/m);
    await serves({ 1: 5, 3: 2 });
    await nothingToDo();

    assert.deepEqual(await answered(), { rs1: [500, 500], rs2: [0, 500] });
    await assertQuiet(capture);
    const [instance] = (await statusOf(director)).instances;
    assert.deepEqual([instance?.phase, instance?.since, instance?.counters.becameMaster], ["master", since, 1]);
  });

  /** Adverts went on with the same priority, and nobody said anything by ARP about the VIP. */
  async function assertQuiet(capture: Capture): Promise<void> {
    const lines = await capture.stop();
    const heard = adverts(lines);
    assert.ok(heard.length >= 3, lines.join("\n"));
    assert.deepEqual([...new Set(heard.map(({ priority }) => priority))], [150]);
    const about = lines.filter((line) => /ARP/.test(line) && line.includes(topology.plan.vip));
    assert.deepEqual(about, [], "ARP about the VIP");
  }

  it("a signal logs the plan and carries it out", async () => {
    writeFileSync(file, yamlOf({ 1: 1, 2: 1, 3: 2 }));
    director.program.signal("SIGHUP");
    await director.program.line(/plan: ~ service talk, .*: server .*: dr weight 5 -> dr weight 1/, 60_000);
    await director.program.line(/reloaded: /, 60_000);
    await serves({ 1: 1, 2: 1, 3: 2 });
    await nothingToDo();
    assert.deepEqual((await answered()).rs1, [500, 500]);
  });

  it("a table that a stranger wiped out is healed within one interval, with an event for each object and no failed verdict", async () => {
    const verdicts = (await eventsOf(director, "server")).length;
    const told = (await eventsOf(director, "drift")).length;
    topology.lb(1).exec(["ipvsadm", "-C"]);
    const { tookMs } = await serves({ 1: 1, 2: 1, 3: 2 });
    console.log(`        healed after ${Math.round(tookMs)} ms, looked at every ${INTERVAL_MS} ms`);
    assert.ok(tookMs <= INTERVAL_MS + LOOK_MS, `${tookMs} ms`);
    const repairs = (await eventsOf(director, "drift")).slice(told);
    assert.deepEqual(
      repairs.map(({ subject, from, to }) => [subject, from, to]),
      [
        ["service talk", null, "wrr"],
        [`service talk server ${server(1)}`, null, "dr weight 1"],
        [`service talk server ${server(2)}`, null, "dr weight 1"],
        [`service talk server ${server(3)}`, null, "dr weight 2"],
      ],
    );
    assert.match(repairs[0]?.cause ?? "", new RegExp(`^somebody else changed tcp://${topology.plan.vip}:${PORT} in`));
    assert.equal((await eventsOf(director, "server")).length, verdicts, "no verdict changed");
    assert.deepEqual((await answered()).rs1, [500, 500], "the kernel finds the server of a connection again");
  });

  it("a weight that a stranger set is set back, or reported once while it lasts and left until a reload", async () => {
    const { vip } = topology.plan;
    const lb = topology.lb(1);
    lb.exec(["ipvsadm", "-e", "-t", `${vip}:${PORT}`, "-r", server(1), "-g", "-w", "99"]);
    await serves({ 1: 1, 2: 1, 3: 2 });
    const [last] = (await eventsOf(director, "drift")).slice(-1);
    assert.deepEqual([last?.from, last?.to], ["dr weight 99", "dr weight 1"]);

    await applyYaml(director, yamlOf({ 1: 1, 2: 1, 3: 2 }, "report"));
    lb.exec(["ipvsadm", "-e", "-t", `${vip}:${PORT}`, "-r", server(1), "-g", "-w", "98"]);
    const reported = async () =>
      (await eventsOf(director, "drift")).filter(({ to }) => to === "dr weight 98").map(({ from }) => from);
    await waitFor("it is reported", reported, (seen) => seen.length > 0, { withinMs: 30_000, everyMs: 200 });
    const { health, problems } = await statusOf(director);
    assert.equal(health, "degraded");
    assert.match(
      problems.join(),
      /the kernel's table differs in 1 object .*dr weight 98 -> dr weight 1.*a reload repairs it/,
    );
    assert.deepEqual(await reported(), ["dr weight 1"], "once");
    assert.equal((await planOf(director)).summary.change, 1);
    await applyYaml(director, yamlOf({ 1: 1, 2: 1, 3: 2 }));
    await serves({ 1: 1, 2: 1, 3: 2 });
    await nothingToDo();
    assert.equal((await statusOf(director)).drift?.differences, 0);
  });

  const SERVERS = { 1: 1, 2: 1, 3: 2 };
  /** Looks would come so often that several pass before a verdict does. */
  const OFTEN_MS = 1_000;
  const driftEvents = async (): Promise<number> => (await eventsOf(director, "drift")).length;

  /** A cable is pulled: the third server fails its checks. */
  async function thirdFails(): Promise<void> {
    const told = (await eventsOf(director, "server")).length;
    topology.rs(3).host.cut("silent");
    await waitFor(
      "the third server is down",
      async () => (await eventsOf(director, "server")).slice(told).map(({ subject, to }) => `${subject} ${to}`),
      (seen) => seen.some((text) => text.includes(server(3)) && text.includes("down")),
      { withinMs: 60_000, everyMs: 200 },
    );
  }

  it("drift that is ignored: what a stranger took out stays out and untold, verdicts are carried out, a reload puts it back", async () => {
    await applyYaml(director, yamlOf(SERVERS, "ignore", OFTEN_MS));
    const told = await driftEvents();
    topology.lb(1).exec(["ipvsadm", "-d", "-t", `${topology.plan.vip}:${PORT}`, "-r", server(1)]);
    await thirdFails();
    await serves({ 2: 1 });
    topology.rs(3).host.restore();
    await serves({ 2: 1, 3: 2 });
    const { drift, problems } = await statusOf(director);
    assert.deepEqual([drift?.mode, drift?.differences], ["ignore", 0]);
    assert.doesNotMatch(problems.join(), /differs/);
    assert.equal(await driftEvents(), told, "nobody looked");
    await applyYaml(director, yamlOf(SERVERS, "report", OFTEN_MS));
    await serves(SERVERS);
  });

  it("drift that is reported: a table that was wiped out stays so, over a verdict as well, until a reload", async () => {
    const told = await driftEvents();
    topology.lb(1).exec(["ipvsadm", "-C"]);
    const reported = async () =>
      (await eventsOf(director, "drift")).slice(told).map(({ subject, from, to }) => [subject, from, to]);
    const { seen } = await waitFor("it is reported", reported, (all) => all.length >= 4, {
      withinMs: 30_000,
      everyMs: 200,
    });
    assert.deepEqual(seen, [
      ["service talk", "wrr", null],
      [`service talk server ${server(1)}`, "dr weight 1", null],
      [`service talk server ${server(2)}`, "dr weight 1", null],
      [`service talk server ${server(3)}`, "dr weight 2", null],
    ]);
    await thirdFails();
    const { health, problems } = await statusOf(director);
    assert.equal(health, "degraded");
    assert.match(problems.join(), /the kernel's table differs in [34] objects .*service talk \(tcp:/);
    assert.equal(topology.lb(1).exec(["ipvsadm", "-Sn"]), "");
    topology.rs(3).host.restore();
    await applyYaml(director, yamlOf(SERVERS));
    await serves(SERVERS);
    await nothingToDo();
  });

  it("without a daemon: nothing to do where the table was kept; then one weight that a stranger set, and one kernel setting", async () => {
    const { vip } = topology.plan;
    const lb = topology.lb(1);
    const keeping = yamlOf(SERVERS).replace("ipvs: {", "ipvs: { onStop: keep,");
    await applyYaml(director, keeping);
    await director.stop();
    const [said, made] = [await holdfast("plan", file), await planJson()];
    assert.equal(said.status, 0, `${said.stdout}${said.stderr}`);
    assert.match(said.stdout, /^ {2}no daemon runs: /);
    assert.match(said.stdout, /^nothing to do: the kernel is as configured$/m);
    const stepsOf = ({ groups }: KernelPlan) =>
      groups.flatMap(({ steps }) => steps.map(({ subject, from, to }) => [subject, from, to]));
    assert.deepEqual(stepsOf(made), []);

    lb.exec(["ipvsadm", "-e", "-t", `${vip}:${PORT}`, "-r", server(1), "-g", "-w", "99"]);
    const stranger = [`server ${server(1)}`, "dr weight 99", "dr weight 1"];
    assert.deepEqual(stepsOf(await planJson()), [stranger]);
    const { stdout } = await holdfast("plan", file);
    assert.match(stdout, new RegExp(`^~ {3}server ${server(1)}: dr weight 99 -> dr weight 1$`, "m"));
    assert.match(stdout, /^plan: 0 to add, 1 to change, 0 to remove$/m);

    lb.sysctl({ "net.ipv4.ip_forward": "0" });
    const managing = keeping.replace("ipvs: {", "ipvs: { manageSysctls: true,");
    const inside = `  inside: { listen: "${vip}:9", forward: nat, servers: ["10.0.0.21:9"] }\n`;
    writeFileSync(file, managing + inside);
    const steps = stepsOf(await planJson());
    assert.deepEqual(
      steps.filter(([subject]) => subject?.startsWith("sysctl ")),
      [["sysctl net.ipv4.ip_forward", "0", "1"]],
    );
    assert.ok(steps.some((step) => step.join() === stranger.join()));
    assert.equal(lb.exec(["sysctl", "-n", "net.ipv4.ip_forward"]), "0\n", "saying so changes nothing");
    assert.deepEqual([...(await weights(lb, vip, PORT))][0], [server(1), 99]);
  });
});
