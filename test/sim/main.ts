import { parseArgs } from "node:util";
import { hammer } from "./packets.ts";
import { REGRESSIONS } from "./regressions.ts";
import { simulate } from "./simulation.ts";

/*
 * `npm run test:sim -- --seeds N [--from S] [--packets P]`: the kept seeds, then N in a row from S; then P packets at one
 * router, a million unless told. A seed that fails is printed with its story; all are run all the same. Exit code 1 when one
 * failed, 64 when the arguments make no sense.
 */

/** Stories printed in full; of the seeds after that only the first line is. */
const STORIES = 3;
const PROGRESS = 1_000;

function count(text: string, what: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`holdfast: --${what} ${text}: a whole number above 0 was expected`);
  process.exit(64);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      packets: { type: "string", default: "1000000" },
    },
  });
  const seeds = count(values.seeds, "seeds");
  const from = count(values.from, "from");
  const packets = count(values.packets, "packets");
  const started = performance.now();
  /** Bounded by the seeds that were asked for. */
  const failed: number[] = [];
  const attempt = async (seed: number) => {
    try {
      await simulate(seed);
    } catch (error) {
      failed.push(seed);
      const [line = "", ...story] = String(error).split("\n");
      console.log(failed.length <= STORIES ? [line, ...story].join("\n") : line);
    }
  };
  for (const { seed } of REGRESSIONS) await attempt(seed);
  for (let seed = from; seed < from + seeds; seed += 1) {
    await attempt(seed);
    if ((seed - from + 1) % PROGRESS === 0) console.log(`${seed - from + 1} of ${seeds} seeds`);
  }
  const { adverts, rubbish } = hammer(from, packets);
  console.log(`${packets} packets: ${adverts} adverts, ${rubbish} that changed nothing`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const ran = seeds + REGRESSIONS.length;
  console.log(`${ran - failed.length} passed, ${failed.length} failed, ${seconds} s`);
  if (failed.length > 0) console.log(`failed seeds: ${failed.slice(0, 50).join(", ")}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

await main();
