import { GroupSimulation } from "../support/group-simulation.ts";
import { searched } from "../support/search.ts";

const SEEDS = searched(40);
/** Draw other ones with HOLDFAST_SEED, as the property tests do. */
const FIRST = Number(process.env.HOLDFAST_SEED ?? 1);

describe("vrrp group simulation: two or three directors on two segments through bad times", () => {
  it(`after ${SEEDS} seeds of cuts, loss, crashes, failing scripts and handovers both sides are on one director`, function () {
    this.timeout(600_000);
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const simulation = new GroupSimulation(seed);
      try {
        simulation.run();
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}\n${simulation.story.join("\n")}`, { cause: error });
      }
    }
  });
});
