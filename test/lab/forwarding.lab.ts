// lab-needs: ipvs
// curl through the VIP is answered by every real server in proportion to its weight, in nat, dr and tun.
import assert from "node:assert/strict";
import { type Director, startDirector, vrrpYaml } from "./support/director.ts";
import { startGreeter, startWeb } from "./support/servers.ts";
import { CLASSIC_PLAN, type Topology, withTopology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { curl, greeting, type TableService, table, weights } from "./support/witness.ts";

/** A foreign service that no director may touch. */
const FOREIGN = "192.0.2.250:9999";

/** Waits until lb1 holds the VIP and its table has this many servers on a port. */
async function ready(topology: Topology, director: Director, port: number, servers: number): Promise<void> {
  const { vip } = topology.plan;
  await waitFor(
    `lb1 holds ${vip} and forwards port ${port} to ${servers} servers`,
    async () => ({ holds: director.host.holds(vip), weights: await weights(director.host, vip, port) }),
    (seen) => (seen.holds && seen.weights.size === servers) || director.program.hasEnded,
    {
      withinMs: 90_000,
      show: (seen) => `${JSON.stringify([...seen.weights])}\n${director.lines.slice(-15).join("\n")}`,
    },
  );
  assert.ok(!director.program.hasEnded, `the director ended:\n${director.lines.slice(-15).join("\n")}`);
}

/** The table without its connection counters and in a fixed order. */
function shape(services: readonly TableService[]): string[] {
  return services
    .flatMap((service) =>
      service.servers.map(
        (server) =>
          `${service.protocol} ${service.address}:${service.port} ${service.scheduler} -> ${server.address}:${server.port} ${server.method} ${server.weight}`,
      ),
    )
    .sort();
}

describe("forwarding on kernel IPVS", () => {
  for (const method of ["nat", "dr", "tun"] as const) {
    it(`${method}: weights 1, 2, 3 become 10, 20, 30 answers of 60; a stop takes only what is ours`, async () => {
      await withTopology({ method, servers: 3, directors: 1 }, async (topology) => {
        const { vip } = topology.plan;
        const lb = topology.lb(1);
        await startWeb(
          topology.servers.map((server) => server.host),
          topology.dir,
        );
        lb.exec(["modprobe", "ip_vs"]);
        lb.exec(["ipvsadm", "-A", "-t", FOREIGN, "-s", "rr"]);
        const servers = topology.servers.map(
          ({ address }, index) => `      - { address: ${address}:80, weight: ${index + 1} }\n`,
        );
        const director = startDirector(
          topology,
          lb,
          `${vrrpYaml(topology, 1)}services:
  web:
    listen: ${vip}:80
    scheduler: wrr
    forward: ${method}
    servers:
${servers.join("")}    checks: [{ http: { path: /healthz, timeout: 2s, rise: 1 } }]
`,
        );
        await ready(topology, director, 80, 3);
        const answers = await curl(topology.client, `http://${vip}/`, 60);
        assert.deepEqual(Object.fromEntries(answers), { rs1: 10, rs2: 20, rs3: 30 });
        assert.deepEqual(
          shape(await table(lb)),
          topology.servers.map(({ address }, index) => `tcp ${vip}:80 wrr -> ${address}:80 ${method} ${index + 1}`),
        );

        await director.stop();
        assert.equal(director.program.exitCode, 0, director.lines.slice(-15).join("\n"));
        const left = (await table(lb)).map((service) => `${service.address}:${service.port}`);
        assert.deepEqual(left, [FOREIGN]);
        assert.deepEqual(topology.holders(), []);
      });
    });
  }

  it("nat: the classic LVS example, two ports of one VIP, one of them mapped", async () => {
    await withTopology({ method: "nat", servers: 2, directors: 1, plan: CLASSIC_PLAN }, async (topology) => {
      const { vip } = topology.plan;
      const lb = topology.lb(1);
      const [first, second] = [topology.rs(1).host, topology.rs(2).host];
      await startWeb([first], topology.dir, { ports: [80] });
      await startWeb([second], topology.dir, { ports: [8000] });
      await startGreeter(second, 21, "220 rs2 ready");
      const director = startDirector(
        topology,
        lb,
        `${vrrpYaml(topology, 1)}services:
  web:
    listen: 202.103.106.5:80
    scheduler: wrr
    forward: nat
    servers:
      - { address: 172.16.0.2:80, weight: 1 }
      - { address: 172.16.0.3:8000, weight: 2 }
    checks: [{ tcp: { timeout: 2s, rise: 1 } }]
  ftp:
    listen: 202.103.106.5:21
    forward: nat
    servers: [172.16.0.3:21]
    checks: [{ tcp: { timeout: 2s, rise: 1 } }]
`,
      );
      await ready(topology, director, 80, 2);
      await ready(topology, director, 21, 1);
      assert.deepEqual(shape(await table(lb)), [
        "tcp 202.103.106.5:21 wlc -> 172.16.0.3:21 nat 1",
        "tcp 202.103.106.5:80 wrr -> 172.16.0.2:80 nat 1",
        "tcp 202.103.106.5:80 wrr -> 172.16.0.3:8000 nat 2",
      ]);
      const answers = await curl(topology.client, `http://${vip}/`, 30);
      assert.deepEqual(Object.fromEntries(answers), { rs1: 10, rs2: 20 });
      assert.equal(await greeting(topology.client, vip, 21), "220 rs2 ready");
    });
  });
});
