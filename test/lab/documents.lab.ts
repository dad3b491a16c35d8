// lab-needs: fresh-ipvs
// What the documents say to type is typed, in their order, on hosts prepared as they say; what they show must be printed.
import assert from "node:assert/strict";
import { INSTALLS_PACKAGE, leftOut, partOf } from "../support/document-parts.ts";
import type { Block } from "../support/documents.ts";
import { startWeb } from "./support/servers.ts";
import { Story } from "./support/story.ts";
import { type Method, Topology, USUAL_PLAN } from "./support/topology.ts";
import { describeTyped } from "./support/typing.ts";

/** The addresses that the documents use. */
const PLAN = { ...USUAL_PLAN, vip: "192.0.2.10" };
/** The sections of docs/install.md at whose end a client is served. */
const UNTIL_SERVED = /^[1-5]\./;

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

    page("docs/vrrp.md: a handover", () => story.carryOut(pageOf("docs/vrrp.md")));

    page("docs/operations.md: a server taken out", async () => {
      await story.carryOut(pageOf("docs/operations.md"));
      await story.type({ hosts: ["lb1"], command: "holdfast enable all all", output: [] });
    });

    page("docs/real-servers.md: dr and tun", async () => {
      await story.type({ hosts: ["rs1"], command: "holdfast realserver down", output: [] });
      for (const block of pageOf("docs/real-servers.md")) await story.carryOut([block], "rs1");
      await story.type({ hosts: ["rs1"], command: "holdfast realserver check", output: ["no findings"] });
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
