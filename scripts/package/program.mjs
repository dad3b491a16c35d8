// /usr/lib/holdfast: the program with its libraries in it, and its addon.
import { chmodSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../build.mjs";
import { quietly } from "../lab/kernel.mjs";
import { root } from "../setup.mjs";
import { PROGRAM_FOLDER, putFile } from "./facts.mjs";

/**
 * @param {import("./facts.mjs").Facts} facts
 * @returns {Promise<string[]>} the folders of the libraries that became part of the program
 */
export async function stageProgram(stage, { version }) {
  const folder = join(stage, PROGRAM_FOLDER);
  const libraries = await bundle(join(folder, "dist"), { sourcemap: false });
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
  mkdirSync(join(folder, "native"));
  const addon = join(folder, "native/holdfast.node");
  quietly("node", ["native/build.mjs", "--output", addon], { cwd: root });
  quietly("strip", ["--strip-unneeded", "--remove-section=.comment", addon]);
  chmodSync(addon, 0o644);
  return libraries.map((path) => join(root, path));
}
