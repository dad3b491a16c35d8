// lab-needs: fresh-ipvs
// What the documents say to type is typed, in their order, on hosts prepared as they say; what they show must be printed.
import { blocksOf, textOf } from "../support/documents.ts";
import { startWeb } from "./support/servers.ts";
import { Story } from "./support/story.ts";
import { type Method, Topology, USUAL_PLAN } from "./support/topology.ts";

/** The addresses that the documents use. */
const PLAN = { ...USUAL_PLAN, vip: "192.0.2.10" };

describe("documents, carried out", () => {
  let topology: Topology;
  let story: Story;

  async function build(method: Method): Promise<void> {
    topology = new Topology({ method, servers: 2, plan: PLAN, isBare: true });
    story = new Story(topology);
    await startWeb(
      topology.servers.map(({ host }) => host),
      topology.dir,
    );
  }
  afterEach(async () => {
    await story?.close();
    await topology?.close();
  });

  /** What somebody reads who chose a method: docs/install.md, with what the page about the other methods says in its place. */
  async function install(method: Method, end: string): Promise<void> {
    const [text = ""] = textOf("docs/install.md").split(end);
    if (method === "dr") return story.carryOut(text);
    const other = blocksOf(textOf("docs/install-nat-tun.md")).filter(({ heading }) => heading === method);
    const [before = "", after = ""] = text.split("## 3. Write the configuration");
    // The servers' side comes before the configuration; for nat there is a whole one, for tun one word of it is another.
    await story.carryOut(before, { takes: (heading) => !heading.startsWith("2.") });
    for (const block of other) await story.carryOutBlock(block);
    await story.carryOut(after.replace("forward: dr", `forward: ${method}`), {
      takes: (_heading, block) => !(method === "nat" && block.includes("forward: nat")),
    });
  }

  for (const method of ["dr", "nat", "tun"] as const) {
    it(`docs/install.md with ${method}, until a client is served`, async function () {
      this.timeout(600_000);
      await build(method);
      await install(method, "## 6.");
    });
  }
});
