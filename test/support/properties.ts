import fc from "fast-check";

/**
 * Property tests start from a fixed seed, so that a run can be repeated; HOLDFAST_SEED draws another one.
 * A failing property prints its seed and path.
 */
const DEFAULT_SEED = 20_261_121;

const seed = Number(process.env.HOLDFAST_SEED ?? DEFAULT_SEED);
fc.configureGlobal({ seed });
console.log(`property tests: seed ${seed} (HOLDFAST_SEED=N draws another)`);
