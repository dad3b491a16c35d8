import { searched } from "../support/search.ts";
import { REGRESSIONS } from "./regressions.ts";
import { simulate } from "./simulation.ts";

const SEEDS = searched(300);
/** Draw other ones with HOLDFAST_SEED, as the property tests do. */
const FIRST = Number(process.env.HOLDFAST_SEED ?? 1);

describe("vrrp simulation: two to five directors through bad times", () => {
  for (const { seed, what } of REGRESSIONS) {
    it(`seed ${seed}: ${what}`, () => simulate(seed));
  }

  it(`${SEEDS} seeds: one master afterwards, only it has the address, and nobody misses it when it hands over`, async function () {
    this.timeout(60_000);
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) await simulate(seed);
  });
});
