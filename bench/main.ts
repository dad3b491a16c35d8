// The benchmark, run where there is IPVS and nothing else: `npm run bench`. Words on the command line choose parts.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchChecking, benchStart } from "./checking.ts";
import { Figures, table } from "./figures.ts";
import { benchTableLoad } from "./table-load.ts";

const PARTS = ["table", "start", "tcp", "http"] as const;
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const words = process.argv.slice(2);
const figures = new Figures();
const dir = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
try {
  for (const part of PARTS) {
    if (words.length > 0 && !words.includes(part)) continue;
    if (part === "table") await benchTableLoad(figures, dir, rounds);
    else if (part === "start") await benchStart(figures, dir, rounds);
    else
      await benchChecking(figures, dir, {
        kind: part,
        services: 20,
        serversEach: 100,
        dying: 200,
        rounds,
        warmUpS: Number(process.env.BENCH_WARM_UP_S ?? 30),
        measureS: Number(process.env.BENCH_MEASURE_S ?? 20),
      });
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(`\n${table(figures.all())}`);
