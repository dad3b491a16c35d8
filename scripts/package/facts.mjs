// What the parts of the package have to agree on.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What a package is made for. `date` is in seconds since 1970. */
/** @typedef {{ version: string, architecture: string, date: number }} Facts */

/** Where the program lies; everything of it in one folder, as Debian wants of programs that bring their own libraries. */
export const PROGRAM_FOLDER = "usr/lib/holdfast";

export const MAINTAINER = "holdfast maintainers <maintainers@holdfast.invalid>";

export function versionOf(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
}

/** As deb-version(7) wants it of a package without a Debian revision. */
export function isVersion(text) {
  return /^[0-9][A-Za-z0-9.+~]*$/.test(text);
}

/** The time of the last commit, or what the caller says; of a checkout without history, that of package.json. */
export function sourceDate(root) {
  const said = process.env.SOURCE_DATE_EPOCH;
  if (said !== undefined && /^\d+$/.test(said)) return Number(said);
  const { stdout, status } = spawnSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" });
  if (status === 0 && /^\d+\n$/.test(stdout)) return Number(stdout);
  return Math.floor(statSync(join(root, "package.json")).mtimeMs / 1000);
}

export function putFile(stage, path, content, mode = 0o644) {
  const target = join(stage, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
  chmodSync(target, mode);
}

export function copyTo(stage, path, source, mode = 0o644) {
  putFile(stage, path, readFileSync(source), mode);
}
