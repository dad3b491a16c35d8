// `npm test`: set-up, lint, types, unit and property tests on this Node and on another, the lab, and the checkout's own commands. Each
// suite runs even if one before it failed; the last line sums all of them. Lint, types and the build count as one test each.
import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./setup.mjs";
import { Summary } from "./summary.mjs";

const summary = new Summary();
const counts = mkdtempSync(join(tmpdir(), "holdfast-counts-"));
/** The oldest and the newest line of Node that are supported; tests run on this one and on the other. */
const OTHER_NODE = process.versions.node.startsWith("24.") ? "20" : "24";
/** What a daemon does from its start to its end, with real sockets, addresses and processes. */
const OTHER_NODE_SCENARIO = "daemon-start";
const MOCHA = ["node_modules/mocha/bin/mocha.js", "--reporter", "test/support/counting-reporter.cjs"];
/** One test after another, so that what a file leaves running is noticed, and everything that there is to search. */
const WHOLE = [...MOCHA, "--no-parallel"];
const WHOLE_ENVIRONMENT = { HOLDFAST_SEARCH: "all" };
/** The lab and the demo as a person starts them. */
const ON_TERMINAL = ["--no-config", "--timeout", "300000", "test/scripts/checkout.mjs"];
/** Debian's user and group without any rights. */
const NOBODY = "65534";

class Interrupted extends Error {}

/** @throws Interrupted by Ctrl-C, which ends what runs: nothing more is begun, and this process cleans up and ends as well */
function execute(command, args, environment = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...environment } });
  if (result.signal === "SIGINT" || result.status === 130) throw new Interrupted();
  return result;
}

function fail(name, reason) {
  console.error(summary.fail(name, reason));
}

/** A suite that is one test: it passes when its command does. */
function single(name, command, args) {
  console.log(`\n== ${name}`);
  const result = execute(command, args);
  if (result.status === 0) summary.pass();
  else fail(name, result.error?.message ?? `exit ${result.status ?? result.signal}`);
}

/** A suite that counts for itself, into the file named by $HOLDFAST_COUNTS. */
function counting(name, command, args, environment = {}) {
  console.log(`\n== ${name}`);
  const file = join(counts, `${name.replaceAll(/\W+/g, "-")}.json`);
  const result = execute(command, args, { ...environment, HOLDFAST_COUNTS: file });
  let part;
  try {
    part = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    fail(name, `ended without counts (${result.error?.message ?? `exit ${result.status ?? result.signal}`})`);
    return;
  }
  summary.take(name, part);
  if (part.passed === 0) fail(name, "not one test passed");
  else if (part.failed === 0 && result.status !== 0)
    fail(name, `all tests passed, but exit ${result.status ?? result.signal}`);
}

/** Unit tests and the daemon in namespaces on another Node. */
function otherNode() {
  const name = `unit and property tests, Node ${OTHER_NODE}`;
  const runner = ["exec", "--yes", "--prefer-offline", `--package=node@${OTHER_NODE}`, "--"];
  const probe = spawnSync("npm", [...runner, "node", "--version"], { cwd: root, encoding: "utf8" });
  if (probe.status !== 0 || !probe.stdout.includes(`v${OTHER_NODE}.`)) {
    console.log(`\n== ${name}`);
    fail(name, `npm cannot provide node@${OTHER_NODE}: ${(probe.stderr || probe.stdout).trim().slice(-400)}`);
    return;
  }
  counting(name, "npm", [...runner, "node", ...WHOLE], WHOLE_ENVIRONMENT);
  const scenario = [...runner, "node", "scripts/lab.mjs", OTHER_NODE_SCENARIO];
  counting(`lab: ${OTHER_NODE_SCENARIO}, Node ${OTHER_NODE}`, "npm", scenario);
}

/** What `npm run test:unit` runs, by a user who may do nothing. */
function withoutRoot() {
  const name = "unit tests, as npm run test:unit runs them, without root";
  if (process.getuid() !== 0) return counting(name, process.execPath, MOCHA);
  const bare = ["--bounding-set=-all", "--inh-caps=-all"];
  const nobody = [...bare, "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
  // Where the checkout is in a folder that only root may enter, root without any privilege has to do.
  const canEnter =
    spawnSync("setpriv", [...nobody, "--", "test", "-r", join(root, ".build/test/tidy.test.js")]).status === 0;
  const home = mkdtempSync(join(tmpdir(), "holdfast-nobody-"));
  try {
    // In a checkout of one's own the build is one's own too: a test works on a copy of a part of it, beside it.
    const own = canEnter ? [home, counts, join(root, ".build")] : [];
    for (const folder of own) chownSync(folder, Number(NOBODY), Number(NOBODY));
    const environment = { HOME: home, TMPDIR: home, USER: "nobody", LOGNAME: "nobody" };
    counting(name, "setpriv", [...(canEnter ? nobody : bare), "--", process.execPath, ...MOCHA], environment);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

process.on("SIGINT", () => {});
let isWhole = false;
try {
  for (const folder of ["dist", ".build"]) rmSync(join(root, folder), { recursive: true, force: true });
  single("set-up and build", process.execPath, ["scripts/setup.mjs"]);
  single("lint", "npm", ["run", "--silent", "lint"]);
  single("types", "npm", ["run", "--silent", "build:test"]);
  withoutRoot();
  counting(`unit and property tests, Node ${process.versions.node}`, process.execPath, WHOLE, WHOLE_ENVIRONMENT);
  otherNode();
  counting("lab", process.execPath, ["scripts/lab.mjs", "all"]);
  counting("commands of the checkout, on a terminal", process.execPath, [...MOCHA, ...ON_TERMINAL]);
  isWhole = true;
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
} finally {
  rmSync(counts, { recursive: true, force: true });
}
if (isWhole) console.log(summary.lines().join("\n"));
else console.error("interrupted");
process.exitCode = isWhole ? (summary.isGood ? 0 : 1) : 130;
