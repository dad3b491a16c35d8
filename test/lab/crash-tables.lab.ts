// lab-needs: ipvs
// Processes are killed and frozen where tables are: the kernel forwards meanwhile, and afterwards both tables are right, as ipvsadm sees them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../sim/dice.ts";
import { becomes, describeRound, drawRounds, outlive, type Round, stateOf, strike } from "./support/crash.ts";
import { webYaml } from "./support/pair.ts";
import { startWeb } from "./support/servers.ts";
import { Service } from "./support/service.ts";
import { Topology } from "./support/topology.ts";
import { curl, table } from "./support/witness.ts";

const SERVERS = 2;
const REQUESTS = 6;
const ASK_EVERY_MS = 250;
/** Somebody else's on both directors; it is to survive everything. */
const FOREIGN = "198.51.100.7";
/** Processes start and tables are filled in a guest, where that takes seconds. */
const WHOLE_WITHIN_MS = 120_000;

const USUAL: readonly Round[] = [
  { signal: "SIGKILL", target: "checker", node: 1 },
  { signal: "SIGSTOP", target: "checker", node: 2 },
  { signal: "SIGKILL", target: "all", node: 1 },
  { signal: "SIGKILL", target: "supervisor", node: 2 },
];
/** As many as asked for, of every kind, in an order that the seed draws; those above unless asked. */
const COUNT = process.env.HOLDFAST_CRASH_ROUNDS;
const SEED = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const ROUNDS = COUNT === undefined ? USUAL : drawRounds(Number(COUNT), new Dice(SEED));

describe(`crashes and standstills with tables${COUNT === undefined ? "" : `, seed ${SEED}`}`, () => {
  let topology: Topology;
  const services: Service[] = [];

  before(async function () {
    this.timeout(300_000);
    topology = new Topology({ method: "dr", directors: 2, servers: SERVERS });
    const hosts = topology.servers.map(({ host }) => host);
    await startWeb(hosts, topology.dir);
    for (const host of topology.directors) {
      host.addAddress(`${FOREIGN}/32`, "eth0");
      host.exec(["ipvsadm", "-A", "-t", `${FOREIGN}:443`, "-s", "rr"]);
      host.exec(["ipvsadm", "-a", "-t", `${FOREIGN}:443`, "-r", `${topology.rs(1).address}:443`, "-g", "-w", "7"]);
    }
    for (const number of [1, 2] as const)
      services.push(
        new Service(topology.lb(number), join(topology.dir, `lb${number}`), webYaml(topology, number, "dr")),
      );
    await whole();
  });
  after(async function () {
    this.timeout(120_000);
    await Promise.all(services.map((service) => service.stop()));
    const left = [await stateOf(topology, []), ...(await Promise.all(topology.directors.map(tableOf)))];
    await topology.close();
    const foreign = foreignTable();
    assert.deepEqual(left, [`lb1 eth0 ${FOREIGN}, lb2 eth0 ${FOREIGN}, arp_ignore 0,0`, foreign, foreign]);
  });

  const foreignTable = () => `tcp ${FOREIGN}:443 rr ${topology.rs(1).address}:443 dr 7`;

  async function tableOf(host: Topology["client"]): Promise<string> {
    const entries = await table(host);
    return entries
      .map(({ protocol, address, port, scheduler, flags, servers }) => {
        const each = servers.map((server) => `${server.address}:${server.port} ${server.method} ${server.weight}`);
        return [`${protocol} ${address}:${port}`, scheduler, flags, ...each.sort()].filter(Boolean).join(" ");
      })
      .sort()
      .join(" | ");
  }

  /** lb1 alone has the address, both tables are as configured, both daemons healthy, and what is foreign is still there. */
  async function whole(): Promise<void> {
    const { vip } = topology.plan;
    const servers = topology.servers.map(({ address }, index) => `${address}:80 dr ${index + 1}`).join(" ");
    const tables = `tcp ${vip}:80 wrr ${servers} | ${foreignTable()}`;
    const state = `lb1 eth0 ${vip}, lb1 eth0 ${FOREIGN}, lb2 eth0 ${FOREIGN}, arp_ignore 0,0, master, backup`;
    const look = async () => {
      const seen = [stateOf(topology, services), ...topology.directors.map(tableOf)];
      return (await Promise.all(seen)).join("\n");
    };
    const withinMs = WHOLE_WITHIN_MS;
    // Each look starts six programs: in a guest, looking more often would slow down what is looked at.
    await becomes([state, tables, tables].join("\n"), look, services, { withinMs, everyMs: 500 });
  }

  /** Who answered how many requests, each over a connection of its own. */
  const ask = async () => [...(await curl(topology.client, `http://${topology.plan.vip}/`, REQUESTS))].sort();

  /** Asks again and again until something is over. @returns how many requests were answered, which is all of them */
  async function askUntil(over: Promise<unknown>): Promise<number> {
    const pause = new AbortController();
    void over.catch(() => undefined).finally(() => pause.abort());
    let count = 0;
    do {
      const answers = await ask();
      const served = answers.filter(([who]) => /^rs[12]$/.test(who)).reduce((sum, [, each]) => sum + each, 0);
      assert.equal(served, REQUESTS, `after ${count} requests: ${answers}`);
      count += REQUESTS;
      await sleep(ASK_EVERY_MS, null, { signal: pause.signal }).catch(() => undefined);
    } while (!pause.signal.aborted);
    return count;
  }

  for (const [index, round] of ROUNDS.entries()) {
    it(`round ${index + 1}: ${describeRound(round)}`, async function () {
      this.timeout(2 * WHOLE_WITHIN_MS + 60_000);
      const service = services[round.node - 1];
      assert.ok(service !== undefined);
      const struckMs = performance.now();
      const stricken = strike(service, round);
      // Without a checker the kernel forwards by its last table, and of the backup's troubles a client notices nothing.
      const isUnnoticed = round.target === "checker" || round.node === 2;
      const recovery = outlive(service, round, stricken, WHOLE_WITHIN_MS).then(whole);
      const [asked] = await Promise.all([isUnnoticed ? askUntil(recovery) : 0, recovery]);
      const byWeight = topology.servers.map((_, place) => [`rs${place + 1}`, (place + 1) * (REQUESTS / 3)]);
      assert.deepEqual(await ask(), byWeight);
      const tookS = ((performance.now() - struckMs) / 1000).toFixed(0);
      const forwarded = isUnnoticed ? `; all of ${asked} requests were answered meanwhile` : "";
      console.log(`        right again ${tookS} s after the signal${forwarded}`);
    });
  }
});
