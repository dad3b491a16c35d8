// `npm run docs [-- FOLDER]`: manual pages and completion scripts for a package, into man/ and completion/ of dist or of the
// folder. They come from the same descriptions as `--help` and the errors of `check`; nothing of them is written by hand.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./setup.mjs";

/** The day of the last commit, or of $SOURCE_DATE_EPOCH: the same pages from the same commit. */
function dateOf() {
  const log = spawnSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" });
  const seconds = Number(process.env.SOURCE_DATE_EPOCH || log.stdout?.trim() || Date.now() / 1000);
  return new Date(seconds * 1000).toISOString().slice(0, "YYYY-MM-DD".length);
}

/**
 * Writes the pages and scripts of a program that is built.
 * @param {string} folder gets man/ and completion/
 * @param {string} [program] its folder
 * @returns {Promise<string[]>} the files, relative to the folder
 */
export async function writeDocuments(folder, program = join(root, "dist")) {
  const load = (path) => import(pathToFileURL(join(program, "cli", path)).href);
  const [
    { describeProgram },
    { programPage },
    { configPage },
    { SHELLS, COMPLETION_FILES, completionScript },
    version,
  ] = await Promise.all([
    load("program.js"),
    load("manual/program-page.js"),
    load("manual/config-page.js"),
    load("completion/scripts.js"),
    load("version.js").then(({ readVersion }) => readVersion()),
  ]);
  const date = dateOf();
  const files = {
    "man/holdfast.1": programPage(describeProgram(version), date),
    "man/holdfast.yaml.5": configPage(version, date),
    ...Object.fromEntries(SHELLS.map((shell) => [`completion/${COMPLETION_FILES[shell]}`, completionScript(shell)])),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return Object.keys(files);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const folder = resolve(process.argv[2] ?? join(root, "dist"));
  for (const name of await writeDocuments(folder)) console.log(join(folder, name));
}
