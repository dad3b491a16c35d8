// `npm run bench`: failover, adverts under load, table loading and checking at size beside keepalived and ipvsadm, each part
// where it can run: with namespaces on this kernel, or on a kernel with IPVS.
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { shellQuote } from "./lab/guest.mjs";
import { whyNoIpvs } from "./lab/host.mjs";
import { choosePlace } from "./lab/place.mjs";
import { root, run, setup } from "./setup.mjs";

const USAGE = `usage: npm run bench -- [failover] [first-advert] [jitter] [quota] [table] [start] [tcp] [http]   all parts where none is named
BENCH_ROUNDS=N BENCH_WARM_UP_S=30 BENCH_MEASURE_S=20 BENCH_JITTER_S=60 BENCH_REALTIME=1 BENCH_ADVERTISE_MS=1000,100,10
BENCH_HANDOVERS=1 there and back in each round of failover
HOLDFAST_LAB=guest|host; docs/benchmarks.md says what is measured.`;
/** By what they need of the kernel. `jitter` runs in both: without IPVS the table is played. */
const PARTS = {
  netns: ["failover", "first-advert", "jitter", "quota"],
  ipvs: ["jitter", "table", "start", "tcp", "http"],
};
const SETTINGS = ["ROUNDS", "WARM_UP_S", "MEASURE_S", "JITTER_S", "REALTIME", "ADVERTISE_MS", "HANDOVERS"].map(
  (name) => `BENCH_${name}`,
);
const LIMIT_SECONDS = 3600;

const words = process.argv.slice(2);
const known = new Set(Object.values(PARTS).flat());
if (words.some((word) => !known.has(word))) {
  console.error(USAGE);
  process.exit(words.includes("--help") || words.includes("-h") ? 0 : 64);
}

/** Others on the machine cost the programs under test time that they cannot see: say how busy it was. */
function sayMachine() {
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(`bench: ${new Date().toISOString()}, ${cpus().length} processors, load ${load.join(" ")}`);
}

/** Longest that the parts in one place may take: those with a fixed length get it on top. */
function limitSeconds() {
  const rounds = Number(process.env.BENCH_ROUNDS ?? 1);
  return LIMIT_SECONDS + 3 * rounds * Number(process.env.BENCH_JITTER_S ?? 60);
}

/** @returns the exit status, and the figures of every part that was measured */
async function runParts(needs, parts, environment) {
  sayMachine();
  const { status, result } = await choosePlace(needs).run({
    script: `uname -sr; node --version; keepalived --version 2>&1 | head -1; ipvsadm --version 2>/dev/null
modprobe -qa ip_vs ip_vs_wlc${needs === "netns" ? " 2>/dev/null" : ""}
node .build/bench/main.js ${parts.map(shellQuote).join(" ")}`,
    environment,
    limitSeconds: limitSeconds(),
    result: "figures.json",
  });
  sayMachine();
  return { status, figures: result === undefined ? [] : JSON.parse(result) };
}

setup();
run("npm", ["run", "--silent", "build:test"]);
run("cc", ["-O2", "-o", ".build/bench/acceptor", "bench/acceptor.c"]);
const environment = Object.fromEntries(
  SETTINGS.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]),
);
const chosen = (parts) => parts.filter((part) => words.length === 0 || words.includes(part));
// Where namespaces are made on a kernel with IPVS, `jitter` has been measured whole there; and HOLDFAST_LAB=host wants no guest.
const hasBoth = ["guest", "host"].includes(process.env.HOLDFAST_LAB) || whyNoIpvs() === undefined;
const places = {
  netns: chosen(PARTS.netns),
  ipvs: chosen(PARTS.ipvs).filter((part) => !(hasBoth && part === "jitter")),
};
const all = [];
for (const [needs, parts] of Object.entries(places)) {
  if (parts.length === 0) continue;
  const { status, figures } = await runParts(needs, parts, environment);
  // `jitter` runs in both places and says in its name which it was.
  all.push(...figures);
  if (status !== 0) process.exitCode = status;
}
const { table } = await import(pathToFileURL(join(root, ".build/bench/figures.js")).href);
console.log(`\n${table(all)}`);
