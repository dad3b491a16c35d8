// lab-needs: ipvs
// The lab itself, with tables made by hand and Debian's keepalived: what fails here is the lab, not holdfast.
import assert from "node:assert/strict";
import { run } from "./support/commands.ts";
import { keepalivedInstance, startKeepalived } from "./support/keepalived.ts";
import { startProbe } from "./support/probe.ts";
import { startGreeter, startWeb } from "./support/servers.ts";
import { CLASSIC_PLAN, type Method, Topology, withTopology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { curl, greeting, table } from "./support/witness.ts";

const FLAG: Readonly<Record<Method, string>> = { nat: "-m", dr: "-g", tun: "-i" };

describe("the lab with tables made by hand", () => {
  before(() => {
    run(["modprobe", "ip_vs"]);
  });

  for (const method of ["nat", "dr", "tun"] as const) {
    it(`${method}: curl through the VIP is answered by both servers in turn`, async () => {
      await withTopology({ method, servers: 2, directors: 1 }, async (topology) => {
        const { vip, gateway } = topology.plan;
        const lb = topology.lb(1);
        await startWeb(
          topology.servers.map((server) => server.host),
          topology.dir,
        );
        lb.addAddress(`${vip}/32`, "eth0");
        if (method === "nat") lb.addAddress(`${gateway}/32`, "eth1");
        lb.exec(["ipvsadm", "-A", "-t", `${vip}:80`, "-s", "rr"]);
        for (const { address } of topology.servers) {
          lb.exec(["ipvsadm", "-a", "-t", `${vip}:80`, "-r", `${address}:80`, FLAG[method]]);
        }
        const answers = await curl(topology.client, `http://${vip}/`, 10);
        assert.deepEqual(Object.fromEntries(answers), { rs1: 5, rs2: 5 });
        const [service] = await table(lb);
        assert.deepEqual(
          service?.servers.map((server) => [server.address, server.method, server.weight]),
          topology.servers.map((server) => [server.address, method, 1]),
        );
      });
    });
  }

  it("the classic address plan carries another port and a greeting", async () => {
    await withTopology({ method: "nat", servers: 2, directors: 1, plan: CLASSIC_PLAN }, async (topology) => {
      const { vip, gateway } = topology.plan;
      const lb = topology.lb(1);
      lb.addAddress(`${vip}/32`, "eth0");
      lb.addAddress(`${gateway}/32`, "eth1");
      await startGreeter(topology.rs(2).host, 21, "220 rs2");
      lb.exec(["ipvsadm", "-A", "-t", `${vip}:21`]);
      lb.exec(["ipvsadm", "-a", "-t", `${vip}:21`, "-r", "172.16.0.3:21", "-m"]);
      assert.equal(await greeting(topology.client, vip, 21), "220 rs2");
    });
  });
});

describe("the lab with keepalived", () => {
  let topology: Topology;
  before(() => {
    topology = new Topology({ directors: 2 });
  });
  after(() => topology.close());

  for (const kind of ["carrier", "silent"] as const) {
    it(`sees the gap when the master's cable fails (${kind}) and the return`, async () => {
      const { vip } = topology.plan;
      const masters = [200, 100].map((priority, index) =>
        startKeepalived(
          topology,
          topology.lb(index + 1),
          keepalivedInstance({ priority, advertiseS: 0.1, address: vip }),
        ),
      );
      try {
        await waitFor(
          "lb1 is master",
          () => topology.holders().join(),
          (seen) => seen === "lb1",
          { withinMs: 20_000 },
        );
        const control = topology.plan.directors[1] ?? "";
        const probe = await startProbe(topology.client, topology.dir, { address: vip, control, everyMs: 5 });
        await probe.answers(50);
        topology.lb(1).cut(kind);
        await waitFor(
          "lb2 holds the VIP",
          () => topology.lb(2).holds(vip),
          (holds) => holds,
          { withinMs: 20_000 },
        );
        await probe.answers(50);
        topology.lb(1).restore();
        await waitFor(
          "lb1 alone is master",
          () => topology.holders().join(),
          (seen) => seen === "lb1",
          { withinMs: 20_000 },
        );
        const report = await probe.stop();
        assert.ok(report.gapMs > 250, `a gap of three intervals of 100 ms and more, seen ${report.gapMs} ms`);
        assert.ok(report.lost > 40, `lost ${report.lost}`);
      } finally {
        for (const master of masters) await master.stop();
      }
    });
  }
});
