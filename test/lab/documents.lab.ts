// lab-needs: fresh-ipvs
// What the documents say to type is typed, in their order, on hosts prepared as they say; what they show must be printed.
import assert from "node:assert/strict";
import { INSTALLS_PACKAGE, inPassing, leftOut, partOf, TRIAL } from "../support/document-parts.ts";
import type { Block } from "../support/documents.ts";
import type { Host } from "./support/hosts.ts";
import { behindRouter, CLIENT_BEYOND } from "./support/router.ts";
import { startWeb } from "./support/servers.ts";
import { Story } from "./support/story.ts";
import { type Method, Topology, USUAL_PLAN } from "./support/topology.ts";
import { describeTyped } from "./support/typing.ts";
import { waitFor } from "./support/wait.ts";
import { curl } from "./support/witness.ts";

/** The addresses that the documents use. */
const PLAN = { ...USUAL_PLAN, vip: "192.0.2.10" };
/** The section of docs/real-servers.md whose place is the router. */
const ROUTE = "A route on the router";
/** The sections of docs/install.md at whose end a client is served. */
const UNTIL_SERVED = /^[1-5]\./;

/** What one had who comes from keepalived, for docs/install.md. */
const KEEPALIVED = `vrrp_instance web4 {
  interface eth0
  virtual_router_id 51
  priority 150
  virtual_ipaddress { 192.0.2.10/24 }
}
virtual_server 192.0.2.10 80 {
  lb_algo wrr
  lb_kind DR
  protocol TCP
  real_server 192.0.2.21 80 { weight 1 TCP_CHECK { connect_timeout 2 } }
}
`;

/** Ports of the client behind the router from which a director's kernel has connections. */
function portsIn(director: Host): string[] {
  const table = director.exec(["ipvsadm", "-Lnc"]);
  return [...table.matchAll(new RegExp(` ${CLIENT_BEYOND}:(\\d+) `, "g"))].map(([, port = ""]) => port);
}

interface Place {
  readonly topology: Topology;
  readonly story: Story;
}

async function build(method: Method): Promise<Place> {
  const topology = new Topology({ method, servers: 2, plan: PLAN, isBare: true });
  const story = new Story(topology, { leaves: INSTALLS_PACKAGE });
  await startWeb(
    topology.servers.map(({ host }) => host),
    topology.dir,
  );
  return { topology, story };
}

const pageOf = (page: string): readonly Block[] => partOf(page, "documents");

function configOf(page: string): string {
  const config = pageOf(page).find(({ language }) => language === "yaml");
  assert.ok(config !== undefined, `${page} has no configuration`);
  return config.text;
}

describe("documents, carried out", function () {
  this.timeout(600_000);
  const carried: string[] = [];

  async function close({ topology, story }: Place): Promise<void> {
    carried.push(...story.carried);
    for (const each of story.typed) console.log(`        ${describeTyped(each)}`);
    await story.close();
    await topology.close();
  }

  describe("on one pair with dr", () => {
    let place: Place;
    let story: Story;
    let isInstalled = false;

    before(async () => {
      place = await build("dr");
      story = place.story;
    });
    after(() => close(place));

    /** A page after the first: on the pair that the first one left, with lb1 as master. */
    function page(title: string, carryOut: () => Promise<void>): void {
      it(title, async () => {
        assert.ok(isInstalled, "there is no pair: docs/install.md failed");
        await story.lead("lb1", "web4");
        await carryOut();
      });
    }

    it("docs/install.md, from bare hosts to a drill and a drain", async () => {
      story.write("lb1", "/etc/keepalived/keepalived.conf", KEEPALIVED);
      await story.carryOut(pageOf("docs/install.md"));
      isInstalled = true;
    });

    page("README.md: its configuration is served, and its commands", async () => {
      const config = configOf("README.md");
      story.writeConfig("lb1", config);
      story.writeConfig("lb2", config.replace("priority: 150", "priority: 100"));
      await story.type({ hosts: ["lb2"], command: "holdfast reload", output: [] });
      await story.carryOut(pageOf("README.md"));
      await story.type({
        hosts: ["lb1", "lb2"],
        command: "holdfast plan",
        output: ["…", "nothing to do: the kernel is as configured"],
      });
      await story.type({ hosts: ["client"], command: "curl -sf http://192.0.2.10/", output: ["rs…"] });
    });

    page("docs/doctor.md", () => story.carryOut(pageOf("docs/doctor.md")));

    page("docs/metrics.md, with its line in the configuration", async () => {
      const [line] = /^metrics:.*\n/m.exec(configOf("docs/metrics.md")) ?? [];
      assert.ok(line !== undefined);
      story.writeConfig("lb1", `${line}${story.readConfig("lb1")}`);
      await story.type({ hosts: ["lb1"], command: "holdfast reload", output: [] });
      await story.carryOut(pageOf("docs/metrics.md"));
    });

    // Here, because the metrics are on their address now.
    page("all pages: commands that are named in a sentence", async () => {
      // What stops the service comes last.
      const byService = (command: string): number => (command.startsWith("systemctl ") ? 1 : 0);
      for (const command of inPassing().toSorted((a, b) => byService(a) - byService(b) || a.localeCompare(b)))
        await story.type({ hosts: ["lb1"], command, output: [] });
      await story.type({ hosts: ["lb1"], command: "systemctl start holdfast", output: [] });
      const isBack = ["lb1  healthy  …", "", "INSTANCES", "  web4  master  …", "…"];
      await story.type({ hosts: ["lb1"], command: "holdfast status", output: isBack });
    });

    page("docs/vrrp.md: a handover", () => story.carryOut(pageOf("docs/vrrp.md")));

    page("docs/operations.md: a reload on trial, kept and undone", async () => {
      const [kept, undone, ...more] = pageOf("docs/operations.md").filter(({ heading }) => heading === TRIAL);
      assert.ok(kept !== undefined && undone !== undefined && more.length === 0);
      const before = story.readConfig("lb1");
      const weighted = (weight: number): string => before.replace(/weight: \d+/, `weight: ${weight}`);
      const tableHas = (weight: number): void =>
        assert.match(
          place.topology.lb(1).exec(["ipvsadm", "-Sn"]),
          new RegExp(`-r 192\\.0\\.2\\.22:80 -g -w ${weight}$`, "m"),
        );
      story.writeConfig("lb1", weighted(5));
      await story.carryOut([kept]);
      tableHas(5);
      story.writeConfig("lb1", weighted(7));
      await story.type({ hosts: ["lb1"], command: "holdfast reload --confirm 5m", output: [] });
      tableHas(7);
      await story.carryOut([undone]);
      tableHas(5);
      story.writeConfig("lb1", before);
      await story.type({ hosts: ["lb1"], command: "holdfast reload", output: [] });
    });

    page("docs/operations.md: a server taken out", async () => {
      await story.carryOut(pageOf("docs/operations.md").filter(({ heading }) => heading !== TRIAL));
      await story.type({ hosts: ["lb1"], command: "holdfast enable all all", output: [] });
    });

    page("docs/real-servers.md: dr and tun", async () => {
      await story.type({ hosts: ["rs1"], command: "holdfast realserver down", output: [] });
      const onServer = pageOf("docs/real-servers.md").filter(({ heading }) => heading !== ROUTE);
      for (const block of onServer) await story.carryOut([block], "rs1");
      await story.type({ hosts: ["rs1"], command: "holdfast realserver check", output: ["no findings"] });
    });

    // The last one: the client goes behind a router, and the servers answer ARP.
    page("docs/real-servers.md: a route on the router", async () => {
      const { topology } = place;
      const blocks = pageOf("docs/real-servers.md").filter(({ heading }) => heading === ROUTE);
      await story.type({ hosts: ["rs1", "rs2"], command: "holdfast realserver down", output: [] });
      for (const name of ["lb1", "lb2"]) {
        const config = story.readConfig(name);
        const [line = ""] = /addresses: .*/.exec(blocks[0]?.text ?? "") ?? [];
        assert.match(config, /addresses: \[192\.0\.2\.10\/24\]/);
        story.writeConfig(name, config.replace(/addresses: .*/, line));
      }
      await behindRouter(topology, async (router) => {
        story.join(router);
        await story.carryOut(blocks);
        // What the way is for: the servers do answer, and the directors get the clients all the same.
        const asked = await router.execAsync(["arping", "-c", "2", "-I", "eth0", PLAN.vip]);
        for (const { host } of topology.servers)
          assert.ok(asked.stdout.toLowerCase().includes(host.mac()), asked.stdout);
        const isServedBy = async (director: Host) => {
          const before = new Set(portsIn(director));
          const answers = await curl(topology.client, `http://${PLAN.vip}/`, 8);
          assert.deepEqual([...answers.keys()].sort(), ["rs1", "rs2"]);
          assert.equal(portsIn(director).filter((port) => !before.has(port)).length, 8, "all of them by this director");
        };
        await isServedBy(topology.lb(1));
        await story.lead("lb2", "web4");
        await isServedBy(topology.lb(2));
        await story.type({ hosts: ["lb2"], command: "holdfast doctor", output: ["…", "…[real-server-answers-arp]"] });
        // A static ARP entry names one director, and does not survive a failover.
        const entry = `${PLAN.vip} lladdr ${topology.lb(2).mac()} dev eth0 nud permanent`;
        router.exec(["sh", "-ec", `ip route del ${PLAN.vip}/32; ip neigh replace ${entry}`]);
        await isServedBy(topology.lb(2));
        await story.lead("lb1", "web4");
        await waitFor(
          "nobody is reached",
          () => curl(topology.client, `http://${PLAN.vip}/`, 1, ["--max-time", "2"]),
          (answers) => [...answers.keys()].every((who) => who.startsWith("curl: ")),
          { withinMs: 60_000 },
        );
      });
    });
  });

  describe("with nat and tun", () => {
    let place: Place | undefined;
    afterEach(async () => {
      if (place !== undefined) await close(place);
      place = undefined;
    });

    for (const method of ["nat", "tun"] as const) {
      it(`docs/install.md with ${method}, until a client is served`, async () => {
        place = await build(method);
        const { story } = place;
        const steps = pageOf("docs/install.md").filter(({ heading }) => UNTIL_SERVED.test(heading));
        const from = (number: string) => steps.filter(({ heading }) => heading.startsWith(number));
        await story.carryOut(from("1."));
        // The servers' side comes before the configuration; for nat there is a whole one, for tun one word of it is another.
        await story.carryOut(pageOf("docs/install-nat-tun.md").filter(({ heading }) => heading === method));
        if (method === "tun")
          await story.carryOut(
            from("3.").map((block) => ({ ...block, text: block.text.replace("forward: dr", "forward: tun") })),
          );
        await story.carryOut([...from("4."), ...from("5.")]);
      });
    }
  });

  describe("all of them", () => {
    it("nothing that they show was left out", () => {
      assert.deepEqual(leftOut("documents", carried), []);
    });
  });
});
