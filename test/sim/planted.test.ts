import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The compiled tree that this test is part of. */
const BUILD = fileURLToPath(new URL("../../", import.meta.url));
/** As many as each run of all tests tries. */
const SEEDS = 300;

/** A bug, planted in a copy of the compiled cores. */
interface Bug {
  readonly name: string;
  readonly file: string;
  /** What stands there, once, and what stands there instead. */
  readonly good: string;
  readonly bad: string;
  /** What the simulation says of it. */
  readonly caught: RegExp;
}

const BUGS: readonly Bug[] = [
  {
    name: "skew lost: every backup waits equally long",
    file: "src/vrrp/timing.js",
    good: "return Math.ceil(((256 - priority) * masterAdvertUs) / 256);",
    bad: "return 0;",
    caught: /by the order of the skews/,
  },
  {
    name: "a tie broken the wrong way: the lower address wins",
    file: "src/vrrp/master.js",
    good: "compareIp(advert.source, state.source) > 0",
    bad: "compareIp(advert.source, state.source) < 0",
    caught: /of those that took over the best remains|are masters/,
  },
  {
    name: "a stale timer: an advert does not start the down timer anew",
    file: "src/vrrp/backup.js",
    good: "masterAdvertUs: advert.intervalUs,\n            downDeadlineUs: advert.nowUs + masterDownUs(config.priority, advert.intervalUs),",
    bad: "masterAdvertUs: advert.intervalUs,",
    caught: /no flap|are masters|adverts/,
  },
  {
    name: "break before make: a master that resigns lets go at once",
    file: "src/vrrp/handover.js",
    good: '[{ type: "shadowAddresses" }, { type: "sendAdvert", priority: PRIORITY_RELEASE }]',
    bad: '[{ type: "shadowAddresses" }, { type: "sendAdvert", priority: PRIORITY_RELEASE }, { type: "releaseAddresses" }]',
    caught: /nobody has the address/,
  },
  {
    name: "a master that resigns goes on advertising",
    file: "src/vrrp/handover.js",
    good: "handover, advertDeadlineUs: null, announceDeadlineUs: null",
    bad: "handover, announceDeadlineUs: null",
    caught: /after it resigned/,
  },
  {
    name: "a farewell without an end: the copies on lo stay",
    file: "src/vrrp/handover.js",
    good: 'if (next === null)\n        actions.push({ type: "unshadowAddresses" });',
    bad: "",
    caught: /copies|left addresses/,
  },
  {
    name: "the addresses kept by a master that yields",
    file: "src/vrrp/transitions.js",
    good: 'actions: [{ type: "releaseAddresses" }, transition("master", "backup", cause)],',
    bad: 'actions: [transition("master", "backup", cause)],',
    caught: /holds addresses as/,
  },
  {
    name: "a rest that is forgotten: the node preempts its successor",
    file: "src/vrrp/handover.js",
    good: 'isResting: purpose === "rest",',
    bad: "",
    caught: /successor is left alone/,
  },
];

/** @returns the modules of this tree that one loads, itself included */
function loadedBy(entry: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [entry];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const text = readFileSync(join(BUILD, name), "utf8");
    for (const [, path = ""] of text.matchAll(/^import [^;]*?"(\.[^"]+)"/gms)) queue.push(join(dirname(name), path));
  }
  return seen;
}

/** @returns the first seed that fails with the bug, and what it says */
async function hunt(bug: Bug): Promise<{ readonly seed: number; readonly said: string } | null> {
  // Inside the compiled tree: there the packages are found that the cores import.
  const copy = mkdtempSync(join(BUILD, "planted-"));
  try {
    for (const name of loadedBy("test/sim/simulation.js")) cpSync(join(BUILD, name), join(copy, name));
    const file = join(copy, bug.file);
    const parts = readFileSync(file, "utf8").split(bug.good);
    assert.equal(parts.length, 2, `${bug.file} should say once: ${bug.good}`);
    writeFileSync(file, parts.join(bug.bad));
    const { simulate } = (await import(
      pathToFileURL(join(copy, "test/sim/simulation.js")).href
    )) as typeof import("./simulation.ts");
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      try {
        await simulate(seed);
      } catch (error) {
        return { seed, said: String(error).split("\n")[0] ?? "" };
      }
    }
    return null;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

describe("vrrp simulation finds planted bugs", () => {
  for (const bug of BUGS) {
    it(bug.name, async function () {
      this.timeout(60_000);
      const found = await hunt(bug);
      assert.ok(found !== null, `not found within ${SEEDS} seeds`);
      assert.match(found.said, bug.caught);
      console.log(`      ${found.said}`);
    });
  }
});
