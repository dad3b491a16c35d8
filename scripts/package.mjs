// `npm run package`: a Debian package of this checkout. Needs dpkg-deb and the C compiler, no root, no further build tools.
// The same commit, with the same compiler and Node packages, gives the same bytes.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { quietly } from "./lab/kernel.mjs";
import { controlFiles } from "./package/control.mjs";
import { isVersion, sourceDate, versionOf } from "./package/facts.mjs";
import { stageProgram } from "./package/program.mjs";
import { stageSurroundings } from "./package/surroundings.mjs";
import { root, setup } from "./setup.mjs";

const USAGE = `usage: npm run package -- [--version VERSION] [--out DIR] [--no-setup]
  --version VERSION  instead of the one in package.json
  --out DIR          where the .deb goes; this checkout unless said
  --no-setup         npm packages and the addon are known to be in order`;

/**
 * Builds the package.
 * @param {{ version?: string, out?: string }} options
 * @returns {Promise<string>} the path of the .deb
 */
export async function buildPackage({ version = versionOf(root), out = root } = {}) {
  const architecture = quietly("dpkg", ["--print-architecture"]).trim();
  const work = mkdtempSync(join(tmpdir(), "holdfast-package-"));
  try {
    const stage = join(work, "root");
    const facts = { version, architecture, date: sourceDate(root) };
    const libraries = await stageProgram(stage, facts);
    await stageSurroundings(stage, facts, libraries);
    controlFiles(stage, facts);
    // Rights are set, not inherited: the umask of whoever builds must not show.
    quietly("chmod", ["-R", "u=rwX,go=rX", stage]);
    const name = `holdfast_${version}_${architecture}.deb`;
    // dpkg-deb gives every file the time of SOURCE_DATE_EPOCH that is newer; all of these are.
    quietly("dpkg-deb", ["--build", "--root-owner-group", "-Zxz", stage, join(work, name)], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(facts.date) },
    });
    mkdirSync(out, { recursive: true });
    moveFile(join(work, name), join(out, name));
    return join(out, name);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Complete or not at all, also onto another file system. */
function moveFile(from, to) {
  const beside = `${to}.${process.pid}.tmp`;
  quietly("cp", [from, beside]);
  renameSync(beside, to);
}

async function main(argv) {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: {
        version: { type: "string" },
        out: { type: "string" },
        "no-setup": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    console.error(`holdfast: ${error.message}\n${USAGE}`);
    return 64;
  }
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { version = versionOf(root), out = root } = values;
  if (!isVersion(version)) {
    console.error(
      `holdfast: ${version} is no version of a Debian package: digits first, then letters, digits and . + ~`,
    );
    return 64;
  }
  if (spawnSync("dpkg-deb", ["--version"]).status !== 0) {
    console.error("holdfast: there is no dpkg-deb; build the package on Debian or Ubuntu");
    return 77;
  }
  if (!values["no-setup"]) setup();
  const file = await buildPackage({ version, out: resolve(out) });
  console.log(`${file} (${(statSync(file).size / 1024).toFixed(0)} KiB)`);
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = await main(process.argv.slice(2));
