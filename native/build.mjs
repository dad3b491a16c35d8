// Compiles native/holdfast.c into native/holdfast.node: one call of the C compiler, no build system.
// npm runs it on install. A built file that belongs to this source and loads is kept (release packages carry one);
// the install fails only where there is neither such a file nor a way to compile one.
// `--force` compiles in any case; `--output FILE` leaves the built file alone and compiles into FILE.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const source = join(here, "holdfast.c");
const target = join(here, "holdfast.node");
const fingerprint = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 16);
const REMEDY =
  "install the Debian packages gcc and libc6-dev (`apt-get install gcc libc6-dev`), then run `npm rebuild` in holdfast's folder";

/** The source that a built file came from; undefined if it does not load here (other processor, damaged). */
function fingerprintOf(path) {
  if (!existsSync(path)) return undefined;
  try {
    return require(path).source ?? "unknown";
  } catch {
    return undefined;
  }
}

/** Compiles into `output`. @returns undefined, or why it could not be done */
function compile(output) {
  let headers;
  try {
    headers = join(dirname(require.resolve("node-api-headers")), "include");
  } catch {
    return "the npm package node-api-headers is missing";
  }
  const flags = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-fPIC", "-fvisibility=hidden"];
  const hardening = ["-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro,-z,now"];
  // The same bytes wherever the checkout lies.
  const map = `-ffile-prefix-map=${dirname(here)}=.`;
  const args = [...flags, ...hardening, map, `-I${headers}`, `-DHOLDFAST_SOURCE="${fingerprint}"`, "-shared"];
  const compiler = process.env.CC ?? "cc";
  const result = spawnSync(compiler, [...args, "-o", output, source], { encoding: "utf8" });
  if (result.error !== undefined) return `there is no C compiler (${compiler})`;
  if (result.status !== 0) {
    const complaint = result.stderr.split("\n").find((line) => line.includes("error"));
    return `${compiler} failed (${complaint ?? `exit ${result.status ?? result.signal}`})`;
  }
  process.stderr.write(result.stderr);
  return undefined;
}

/** @returns exit code */
function buildElsewhere(output) {
  const why = compile(output);
  if (why === undefined) return 0;
  console.error(`holdfast: cannot compile the native addon: ${why}; ${REMEDY}.`);
  return 1;
}

function build() {
  const elsewhere = process.argv.indexOf("--output");
  if (elsewhere > 0) return buildElsewhere(process.argv[elsewhere + 1]);
  const force = process.argv.includes("--force");
  const present = fingerprintOf(target);
  if (present === fingerprint && !force) return 0;
  // Built beside and renamed: a running holdfast keeps the file that it mapped.
  const output = `${target}.${process.pid}.tmp`;
  const why = compile(output);
  if (why === undefined) {
    renameSync(output, target);
    return 0;
  }
  rmSync(output, { force: true });
  if (present !== undefined && !force) {
    console.error(`holdfast: native/holdfast.node is used as it is, though not built from this source: ${why}.`);
    return 0;
  }
  console.error(`holdfast: cannot compile the native addon: ${why}; ${REMEDY}.`);
  return 1;
}

process.exitCode = process.platform === "linux" ? build() : 0;
