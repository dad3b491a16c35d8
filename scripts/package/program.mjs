// /usr/lib/holdfast: the compiled program, its libraries and its addon, without what only building or reading needs.
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { quietly } from "../lab/kernel.mjs";
import { root } from "../setup.mjs";
import { copyTo, PROGRAM_FOLDER, putFile } from "./facts.mjs";

/** Needed to compile the addon, not to run it. */
const BUILD_ONLY = ["node-api-headers"];
/** In libraries: type declarations, maps, sources that were compiled, documents. Licences are in the copyright file. */
const SKIPPED_FILE =
  /\.([cm]?ts|map|md|markdown|flow)$|^(licen[cs]e|copying|authors|changelog|history|readme)(\.txt|-mit)?$/i;
/** At the top of a library, what nothing imports. */
const SKIPPED_OF = new Map([
  ["zod", ["src"]],
  ["yaml", ["browser", "bin.mjs"]],
  ["undici", ["docs", "scripts"]],
]);
const SKIPPED_ANYWHERE = new Set([
  "test",
  "tests",
  "__tests__",
  "example",
  "examples",
  ".github",
  "bench",
  "benchmarks",
]);

/** The folders of all libraries that the program loads, as npm resolved them. */
export function libraryFolders() {
  const { dependencies } = JSON.parse(quietly("npm", ["ls", "--omit=dev", "--all", "--json", "--long"], { cwd: root }));
  const found = new Map();
  const visit = (list = {}) => {
    for (const [name, entry] of Object.entries(list)) {
      // Types are for compilers.
      if (BUILD_ONLY.includes(name) || name.startsWith("@types/") || entry.path === undefined) continue;
      found.set(entry.path, name);
      visit(entry.dependencies);
    }
  };
  visit(dependencies);
  return [...found].map(([path, name]) => ({ path, name })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

function copyLibrary(stage, { path, name }) {
  const skipped = SKIPPED_OF.get(name) ?? [];
  const copy = (folder, inside) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const from = join(folder, entry.name);
      if (inside === "" && skipped.includes(entry.name)) continue;
      if (entry.isDirectory()) {
        // A library inside a library is one of the list.
        if (entry.name === "node_modules" || SKIPPED_ANYWHERE.has(entry.name)) continue;
        copy(from, join(inside, entry.name));
      } else if (entry.isFile() && !SKIPPED_FILE.test(entry.name) && !entry.name.startsWith(".")) {
        copyTo(stage, join(PROGRAM_FOLDER, path.slice(root.length + 1), inside, entry.name), from);
      }
    }
  };
  copy(path, "");
}

/** @param {import("./facts.mjs").Facts} facts */
export function stageProgram(stage, { version }) {
  const folder = join(stage, PROGRAM_FOLDER);
  quietly(
    "npx",
    ["--no-install", "tsc", "-p", "tsconfig.json", "--sourceMap", "false", "--outDir", join(folder, "dist")],
    {
      cwd: root,
    },
  );
  // Debian's Node, whatever else a PATH may hold: that is what the package depends on.
  const main = join(PROGRAM_FOLDER, "dist/main.js");
  const text = readFileSync(join(stage, main), "utf8").replace(/^#!.*\n/, "#!/usr/bin/node\n");
  putFile(stage, main, text, 0o755);
  mkdirSync(join(stage, "usr/bin"), { recursive: true });
  symlinkSync("../lib/holdfast/dist/main.js", join(stage, "usr/bin/holdfast"));
  putFile(
    stage,
    join(PROGRAM_FOLDER, "package.json"),
    `${JSON.stringify({ name: "holdfast", version, type: "module" })}\n`,
  );
  for (const library of libraryFolders()) copyLibrary(stage, library);
  mkdirSync(join(folder, "native"));
  const addon = join(folder, "native/holdfast.node");
  quietly("node", ["native/build.mjs", "--output", addon], { cwd: root });
  quietly("strip", ["--strip-unneeded", "--remove-section=.comment", addon]);
  chmodSync(addon, 0o644);
}
