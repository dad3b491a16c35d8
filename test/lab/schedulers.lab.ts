// lab-needs: ipvs
// Each of the 13 schedulers is accepted by the kernel and read back; four are judged by real connections.
import assert from "node:assert/strict";
import { SCHEDULERS, type Scheduler } from "../../src/config/model.ts";
import { type Director, startDirector, vrrpYaml } from "./support/director.ts";
import { startWeb } from "./support/servers.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { curl, curlFrom, table } from "./support/witness.ts";

const FIRST_PORT = 8001;
/** Addresses of the client from which the hashing schedulers are asked. */
const CLIENTS = Array.from({ length: 30 }, (_, index) => `192.0.2.${150 + index}`);

function portOf(scheduler: Scheduler): number {
  return FIRST_PORT + SCHEDULERS.indexOf(scheduler);
}

describe("schedulers on kernel IPVS", () => {
  let topology: Topology;
  let director: Director;

  before(async () => {
    topology = new Topology({ method: "dr", servers: 3, directors: 1 });
    for (const address of CLIENTS) topology.client.addAddress(`${address}/24`, "eth0");
    await startWeb(
      topology.servers.map((server) => server.host),
      topology.dir,
      { ports: SCHEDULERS.map(portOf) },
    );
    const services = SCHEDULERS.map((scheduler) => {
      const port = portOf(scheduler);
      const servers = topology.servers.map(
        ({ address }, index) => `{ address: ${address}:${port}, weight: ${index + 1} }`,
      );
      return `  ${scheduler}: { listen: ${topology.plan.vip}:${port}, scheduler: ${scheduler}, forward: dr, servers: [${servers.join(", ")}] }\n`;
    });
    director = startDirector(topology, topology.lb(1), `${vrrpYaml(topology, 1)}services:\n${services.join("")}`);
    await waitFor(
      "all services stand and lb1 holds the VIP",
      async () => ({ holds: topology.holders(), services: await table(topology.lb(1)) }),
      (seen) =>
        director.program.hasEnded ||
        (seen.holds.length === 1 &&
          seen.services.length === SCHEDULERS.length &&
          seen.services.every((service) => service.servers.length === 3)),
      { withinMs: 60_000, show: (seen) => `${JSON.stringify(seen)}\n${director.lines.slice(-15).join("\n")}` },
    );
  });

  after(() => topology?.close());

  const url = (scheduler: Scheduler): string => `http://${topology.plan.vip}:${portOf(scheduler)}/`;

  for (const scheduler of SCHEDULERS) {
    it(`${scheduler} is accepted and read back, and serves`, async () => {
      const service = (await table(topology.lb(1))).find((entry) => entry.port === portOf(scheduler));
      assert.equal(service?.scheduler, scheduler);
      const answers = await curl(topology.client, url(scheduler), 1);
      assert.match([...answers.keys()].join(), /^rs[123]$/);
    });
  }

  it("rr: every server alike, whatever its weight", async () => {
    const answers = await curl(topology.client, url("rr"), 30);
    assert.deepEqual(Object.fromEntries(answers), { rs1: 10, rs2: 10, rs3: 10 });
  });

  it("wrr: in proportion to weight", async () => {
    const answers = await curl(topology.client, url("wrr"), 30);
    assert.deepEqual(Object.fromEntries(answers), { rs1: 5, rs2: 10, rs3: 15 });
  });

  for (const scheduler of ["sh", "mh"] as const) {
    it(`${scheduler}: a client stays with its server, clients are spread over all, more to the heavier`, async () => {
      const first = await curlFrom(topology.client, url(scheduler), CLIENTS);
      const again = await curlFrom(topology.client, url(scheduler), CLIENTS);
      assert.deepEqual(again, first);
      const count = (name: string): number => first.filter((who) => who === name).length;
      const spread = [count("rs1"), count("rs2"), count("rs3")];
      assert.equal(
        spread.reduce((sum, one) => sum + one, 0),
        CLIENTS.length,
        `others answered: ${first.join()}`,
      );
      assert.ok(Math.min(...spread) > 0, `a server got nothing: ${spread}`);
      assert.ok((spread[2] ?? 0) > (spread[0] ?? 0), `weight 3 got no more than weight 1: ${spread}`);
    });
  }
});
