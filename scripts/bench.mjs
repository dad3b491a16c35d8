// `npm run bench`: table loading and checking at size beside ipvsadm and keepalived, in one run, on a kernel with IPVS.
import { cpus, loadavg } from "node:os";
import { shellQuote } from "./lab/guest.mjs";
import { choosePlace } from "./lab/place.mjs";
import { run, setup } from "./setup.mjs";

const USAGE = `usage: npm run bench -- [table] [start] [tcp] [http]   all parts where none is named
BENCH_ROUNDS=3 BENCH_WARM_UP_S=30 BENCH_MEASURE_S=20 HOLDFAST_LAB=guest|host; docs/benchmarks.md says what is measured.`;
const PARTS = ["table", "start", "tcp", "http"];
const SETTINGS = ["BENCH_ROUNDS", "BENCH_WARM_UP_S", "BENCH_MEASURE_S"];
const LIMIT_SECONDS = 3600;

const words = process.argv.slice(2);
if (words.some((word) => !PARTS.includes(word))) {
  console.error(USAGE);
  process.exit(words.includes("--help") || words.includes("-h") ? 0 : 64);
}

/** Others on the machine cost the programs under test time that they cannot see: say how busy it was. */
function sayMachine() {
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(`bench: ${new Date().toISOString()}, ${cpus().length} processors, load ${load.join(" ")}`);
}

setup();
run("npm", ["run", "--silent", "build:test"]);
run("cc", ["-O2", "-o", ".build/bench/acceptor", "bench/acceptor.c"]);
const environment = Object.fromEntries(
  SETTINGS.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]),
);
sayMachine();
const { status } = await choosePlace("ipvs").run({
  script: `uname -sr; node --version; keepalived --version 2>&1 | head -1; ipvsadm --version
modprobe -qa ip_vs ip_vs_wlc
node .build/bench/main.js ${words.map(shellQuote).join(" ")}`,
  environment,
  limitSeconds: LIMIT_SECONDS,
});
sayMachine();
process.exitCode = status;
