import { Simulation } from "../support/simulation.ts";

const SEEDS = 200;
/** Draw other ones with HOLDFAST_SEED, as the property tests do. */
const FIRST = Number(process.env.HOLDFAST_SEED ?? 1);

describe("vrrp simulation: two to four directors through bad times", () => {
  it(`after ${SEEDS} seeds of loss, partitions, crashes, stalls and flaps there is one master, and only it has the address`, async function () {
    this.timeout(60_000);
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const simulation = new Simulation(seed);
      try {
        await simulation.run();
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}\n${simulation.story.join("\n")}`, { cause: error });
      }
    }
  });
});
