// The lab: real hosts and a real IPVS kernel on one machine. `npm run lab -- shell | exec CMD... | SCENARIO... | all`
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { shellQuote } from "./lab/guest.mjs";
import { machineEnvironment } from "./lab/machine/files.mjs";
import { choosePlace } from "./lab/place.mjs";
import { failureLine, runWithoutCounts, scenariosToRepeat, withSecondRun } from "./lab/verdicts.mjs";
import { root, run, setup } from "./setup.mjs";

const USAGE = `usage: npm run lab -- shell [nat|dr|tun]   a shell in the running topology
       npm run lab -- exec CMD...          one command as root on the lab's kernel
       npm run lab -- SCENARIO...          test/lab/SCENARIO.lab.ts
       npm run lab -- all                  all of them
HOLDFAST_LAB=guest|host forces the place; docs/lab.md says more.`;

const FOLDER = join(root, "test/lab");
/** Longest that one place may take over its scenarios. */
const LIMIT_SECONDS = 2700;

/**
 * What a scenario needs, from its line `// lab-needs: ipvs`, `// lab-needs: netns`, or `// lab-needs: machines` for whole machines
 * beside namespaces.
 */
function needsOf(name) {
  const file = join(FOLDER, `${name}.lab.ts`);
  if (!existsSync(file)) {
    console.error(`holdfast: there is no scenario ${name}; there are: ${scenarios().join(", ")}`);
    process.exit(64);
  }
  const match = /^\/\/ lab-needs: (ipvs|fresh-ipvs|netns|machines)$/m.exec(readFileSync(file, "utf8"));
  if (match === null) {
    console.error(
      `holdfast: ${file} does not say what it needs: add a line \`// lab-needs: ipvs\`, \`fresh-ipvs\`, \`netns\` or \`machines\``,
    );
    process.exit(70);
  }
  return match[1];
}

export function scenarios() {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".lab.ts"))
    .map((name) => name.slice(0, -".lab.ts".length))
    .sort();
}

/** What a person asks of scenarios; a guest has an environment of its own. */
const ASKED = ["HOLDFAST_CRASH_ROUNDS", "HOLDFAST_SEED"];

function asked() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => ASKED.includes(name)));
}

function mocha(names) {
  const files = names.map((name) => shellQuote(`.build/test/lab/${name}.lab.js`)).join(" ");
  return `node --enable-source-maps node_modules/mocha/bin/mocha.js --no-config --reporter test/support/counting-reporter.cjs --timeout 120000 ${files}`;
}

/** One run of scenarios in a place. @returns {Promise<import("./lab/verdicts.mjs").Run>} */
async function runOnce(place, needs, names) {
  const { seconds, result } = await place.run({
    script: `export HOLDFAST_COUNTS="$LAB_SHARE/counts.json"\n${mocha(names)}`,
    environment: { ...asked(), ...(needs === "machines" ? machineEnvironment(console.log) : {}) },
    limitSeconds: LIMIT_SECONDS,
    result: "counts.json",
  });
  const part = result === undefined ? runWithoutCounts(names.join(", ")) : JSON.parse(result);
  console.log(`lab: ${part.passed} passed, ${part.failed} failed, ${part.skipped} skipped in ${seconds.toFixed(0)} s`);
  return part;
}

/**
 * Runs scenarios, those that need only namespaces on this kernel and the others where there is IPVS.
 * @param {string[]} names
 * @param {{ twice: boolean }} options twice: a scenario in which a test failed is run once more by itself, and that run counts.
 *   Scenarios measure time on a machine that others may use. What failed only once is returned, and to be shown.
 * @returns {Promise<{ passed: number, failed: number, skipped: number, failures: Failure[], unsteady: Failure[] }>}
 *   Failure as in verdicts.mjs
 */
export async function runScenarios(names, { twice }) {
  const total = { passed: 0, failed: 0, skipped: 0, failures: [], unsteady: [] };
  const wanting = (wanted) => names.filter((name) => needsOf(name) === wanted);
  const groups = [
    ...["netns", "machines", "ipvs"].map((needs) => ({ needs, mine: wanting(needs) })),
    // A kernel for each: what others left loaded in it cannot be taken out again.
    ...wanting("fresh-ipvs").map((name) => ({ needs: "ipvs", mine: [name] })),
  ];
  for (const { needs, mine } of groups) {
    if (mine.length === 0) continue;
    console.log(`lab: ${mine.join(", ")}`);
    const place = choosePlace(needs);
    let part = await runOnce(place, needs, mine);
    for (const name of twice ? scenariosToRepeat(part) : []) {
      console.log(`lab: ${name} once more, by itself, because a test of it failed`);
      const { run, unsteady } = withSecondRun(part, name, await runOnce(place, needs, [name]));
      part = run;
      total.unsteady.push(...unsteady);
    }
    for (const key of ["passed", "failed", "skipped"]) total[key] += part[key];
    total.failures.push(...part.failures);
  }
  return total;
}

async function shell(method) {
  setup();
  run("npm", ["run", "--silent", "build:test"]);
  const place = choosePlace("ipvs");
  const up = `node .build/test/lab/support/shell.js ${shellQuote(method)}`;
  if (process.stdin.isTTY) return (await place.run({ mode: "shell", script: up })).status;
  // Not a terminal: what comes on standard input is run as a script in the topology.
  const input = readFileSync(0, "utf8");
  return (await place.run({ script: `${up} --script ${shellQuote(input)}` })).status;
}

async function main([command, ...rest]) {
  if (command === undefined || command === "--help" || command === "-h") {
    console.log(USAGE);
    return command === undefined ? 64 : 0;
  }
  if (command === "shell") return shell(rest[0] ?? "dr");
  if (command === "exec") {
    if (rest.length === 0) {
      console.error(USAGE);
      return 64;
    }
    // One word is a shell command line, several are a command and its arguments.
    const script = rest.length === 1 ? rest[0] : rest.map(shellQuote).join(" ");
    return (await choosePlace("ipvs").run({ script })).status;
  }
  const names = command === "all" ? scenarios() : [command, ...rest];
  for (const name of names) needsOf(name);
  setup();
  run("npm", ["run", "--silent", "build:test"]);
  const counts = await runScenarios(names, { twice: command === "all" });
  if (process.env.HOLDFAST_COUNTS) writeFileSync(process.env.HOLDFAST_COUNTS, `${JSON.stringify(counts)}\n`);
  for (const failure of counts.unsteady)
    console.log(`lab: failed once, and not when run again: ${failureLine(failure)}`);
  for (const failure of counts.failures) console.log(`lab: failed: ${failureLine(failure)}`);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = await main(process.argv.slice(2));
