// lab-needs: machines
// A new operator on two bare machines, from the documents alone: what docs/install.md and docs/operations.md say to type is typed on machines
// with systemd and on two real servers, all with the package, and what they show must be printed; then both are upgraded while a client goes on asking.
import assert from "node:assert/strict";
import { leftOut, partOf } from "../support/document-parts.ts";
import { judge } from "./support/load.ts";
import { MachinePair } from "./support/machine-pair.ts";
import { MachineStory } from "./support/machine-story.ts";
import { USUAL_PLAN } from "./support/topology.ts";
import { describeTyped } from "./support/typing.ts";

/** The addresses that the documents use. */
const PLAN = { ...USUAL_PLAN, vip: "192.0.2.10" };
const FIRST = "0.9.0~first";
const SECOND = "0.9.0~second";

describe("a new operator", function () {
  this.timeout(900_000);
  this.bail(true);
  let pair: MachinePair;
  let story: MachineStory;

  before(async () => {
    pair = await MachinePair.boot({ plan: PLAN });
    story = new MachineStory(pair);
    await story.bringPackage(FIRST);
  });
  after(() => pair?.close());

  it("comes from two bare machines to the first drill by docs/install.md", async () => {
    try {
      await story.carryOut(partOf("docs/install.md", "operator"));
    } finally {
      for (const each of story.typed) console.log(`        ${describeTyped(each)}`);
    }
    assert.equal(await pair.lb(1).run("holdfast --version"), `${FIRST}\n`);
    await pair.heldBy("lb1");
  });

  it("upgrades both by docs/operations.md, and the client notices nothing", async () => {
    await story.bringPackage(SECOND);
    const section = partOf("docs/operations.md", "operator");
    const load = pair.load();
    await load.more(20);
    await story.carryOut(section);
    // "Done afterwards in the same way."
    await story.carryOut(section.map((block) => ({ ...block, text: block.text.replaceAll("lb2#", "lb1#") })));
    await pair.heldBy("lb1");
    await load.more(20);
    judge("rolled upgrade", await load.stop(), 2);
    await pair.both(async (machine) => assert.equal(await machine.run("holdfast --version"), `${SECOND}\n`));
  });

  it("has left out nothing that the documents show", () => {
    assert.deepEqual(leftOut("operator", story.carried), []);
  });
});
