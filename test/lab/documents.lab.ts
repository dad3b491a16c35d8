// lab-needs: ipvs
// What the documents say to type is typed, in their order, on hosts prepared as they say; what they show must be printed.
import { textOf } from "../support/documents.ts";
import { startWeb } from "./support/servers.ts";
import { Story } from "./support/story.ts";
import { Topology, USUAL_PLAN } from "./support/topology.ts";

/** The addresses that the documents use. */
const PLAN = { ...USUAL_PLAN, vip: "192.0.2.10" };

describe("documents, carried out", () => {
  let topology: Topology;
  let story: Story;

  afterEach(async () => {
    await story?.close();
    await topology?.close();
  });

  it("docs/install.md", async function () {
    this.timeout(300_000);
    topology = new Topology({ method: "dr", servers: 2, plan: PLAN });
    story = new Story(topology);
    await startWeb(
      topology.servers.map(({ host }) => host),
      topology.dir,
    );
    await story.carryOut(textOf("docs/install.md"));
  });
});
