// `npm run bench`: table loading and checking at size beside ipvsadm and keepalived, in one run, on a kernel with IPVS.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shellQuote } from "./lab/guest.mjs";
import { choosePlace } from "./lab/place.mjs";
import { root, run, setup } from "./setup.mjs";

const USAGE = `usage: npm run bench -- [table] [start] [tcp] [http]   all parts where none is named
BENCH_ROUNDS=3 BENCH_WARM_UP_S=30 BENCH_MEASURE_S=20 HOLDFAST_LAB=guest|host; docs/benchmarks.md says what is measured.`;
const PARTS = ["table", "start", "tcp", "http"];
const LIMIT_SECONDS = 3600;
const SETTINGS = ["BENCH_ROUNDS", "BENCH_WARM_UP_S", "BENCH_MEASURE_S"];

const words = process.argv.slice(2);
if (words.some((word) => !PARTS.includes(word))) {
  console.error(USAGE);
  process.exit(words.includes("--help") ? 0 : 64);
}
setup();
run("npm", ["run", "--silent", "build:test"]);
run("cc", ["-O2", "-o", ".build/bench/acceptor", "bench/acceptor.c"]);
const resultsDir = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
try {
  const environment = Object.fromEntries(
    SETTINGS.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]),
  );
  const { status } = await choosePlace("ipvs").run({
    script: `uname -sr; modprobe -qa ip_vs ip_vs_wlc; node .build/bench/main.js ${words.map(shellQuote).join(" ")}`,
    environment,
    limitSeconds: LIMIT_SECONDS,
    results: ["bench.json", "bench.md"],
    resultsDir,
  });
  if (status === 0 && process.env.BENCH_KEEP) {
    mkdirSync(join(root, "bench/results"), { recursive: true });
    for (const name of ["bench.json", "bench.md"]) {
      const from = join(resultsDir, name);
      if (existsSync(from)) copyFileSync(from, join(root, "bench/results", name));
    }
  }
  process.exitCode = status;
} finally {
  rmSync(resultsDir, { recursive: true, force: true });
}
