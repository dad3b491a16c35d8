// The guest's kernel: the distribution's own package, downloaded and unpacked into a cache; nothing is installed.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root } from "../setup.mjs";

/** A kernel that boots as a guest. `release` is what `uname -r` will say there. */
/** @typedef {{ release: string, image: string, modules: string }} Kernel */

const META_PACKAGES = { debian: "linux-image-amd64", ubuntu: "linux-image-generic" };
/** Debian's image holds its modules; Ubuntu splits them over three packages. The cloud flavour has no 9p. */
const KERNEL_PACKAGE = /^linux-(image|modules|modules-extra)-(unsigned-)?\d\S*-(amd64|generic)$/;
const NEEDED_MODULES = ["ip_vs", "9p", "9pnet_virtio", "overlay"];

export function cacheDir() {
  const xdg = process.env.XDG_CACHE_HOME;
  return xdg ? join(xdg, "holdfast") : join(root, ".lab");
}

/** Runs a command quietly; throws a sentence with its last words when it fails. */
export function quietly(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 64 << 20, ...options });
  if (result.status !== 0) {
    const words = (result.stderr || result.error?.message || `exit ${result.status ?? result.signal}`).trim();
    throw new Error(`\`${[command, ...args].join(" ")}\` failed: ${words.slice(-2000)}`);
  }
  return result.stdout;
}

function metaPackage() {
  const release = readFileSync("/etc/os-release", "utf8");
  if (/^ID(_LIKE)?=.*ubuntu/m.test(release)) return META_PACKAGES.ubuntu;
  if (/^ID(_LIKE)?=.*debian/m.test(release)) return META_PACKAGES.debian;
  throw new Error("the guest needs a Debian or Ubuntu kernel package and this is neither (/etc/os-release)");
}

function dependencies(name) {
  const text = spawnSync("apt-cache", ["depends", name], { encoding: "utf8" }).stdout ?? "";
  return [...text.matchAll(/^\s*\|?(?:Depends|Recommends): (\S+)$/gm)].map((match) => match[1]);
}

/** The concrete kernel packages behind the distribution's meta package. */
function kernelPackages() {
  const meta = metaPackage();
  if (dependencies(meta).length === 0) quietly("apt-get", ["update", "-qq"]);
  const found = new Set();
  const queue = [meta];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const dependency of dependencies(name)) {
      if (!KERNEL_PACKAGE.test(dependency) || found.has(dependency)) continue;
      found.add(dependency);
      queue.push(dependency);
    }
  }
  if (found.size === 0)
    throw new Error(`no kernel package behind ${meta}: run apt-get update, and look at /etc/apt/sources.list`);
  return [...found];
}

/** Reads one unpacked kernel, or undefined if anything of it is missing. */
function readKernel(dir) {
  try {
    const { release, imageBytes, moduleCount } = JSON.parse(readFileSync(join(dir, "complete.json"), "utf8"));
    const image = join(dir, "boot", `vmlinuz-${release}`);
    const modules = join(dir, "modules");
    const index = readFileSync(join(modules, release, "modules.dep"), "utf8");
    if (statSync(image).size !== imageBytes || index.trimEnd().split("\n").length !== moduleCount) return undefined;
    return { release, image, modules };
  } catch {
    return undefined;
  }
}

function unpack(dir, debs) {
  const tree = join(dir, "tree");
  for (const deb of debs) quietly("dpkg", ["-x", deb, tree]);
  const lib = [join(tree, "usr/lib/modules"), join(tree, "lib/modules")].find((path) => existsSync(path));
  if (lib === undefined) throw new Error("the kernel package holds no modules");
  const [release] = readdirSync(lib);
  if (release === undefined) throw new Error("the kernel package holds an empty module folder");
  const kernel = join(dir, "kernel");
  mkdirSync(join(kernel, "boot"), { recursive: true });
  renameSync(lib, join(kernel, "modules"));
  renameSync(join(tree, "boot", `vmlinuz-${release}`), join(kernel, "boot", `vmlinuz-${release}`));
  // depmod wants BASE/lib/modules; the link is for it alone and goes away again.
  mkdirSync(join(dir, "base/lib"), { recursive: true });
  renameSync(join(kernel, "modules"), join(dir, "base/lib/modules"));
  quietly("depmod", ["-b", join(dir, "base"), release]);
  renameSync(join(dir, "base/lib/modules"), join(kernel, "modules"));
  const index = readFileSync(join(kernel, "modules", release, "modules.dep"), "utf8");
  for (const name of NEEDED_MODULES) {
    if (!new RegExp(`/${name}\\.ko`).test(index)) throw new Error(`the kernel ${release} has no module ${name}`);
  }
  const facts = {
    release,
    imageBytes: statSync(join(kernel, "boot", `vmlinuz-${release}`)).size,
    moduleCount: index.trimEnd().split("\n").length,
  };
  writeFileSync(join(kernel, "complete.json"), `${JSON.stringify(facts)}\n`);
  return kernel;
}

/**
 * The kernel for the guest, from the cache or downloaded into it. Two callers at once do no harm: each unpacks into a
 * folder of its own, the first to rename wins, and the second uses what it finds.
 * @param {(line: string) => void} say
 * @returns {Kernel}
 */
export function ensureKernel(say) {
  if (process.arch !== "x64") throw new Error(`the guest exists for x86-64 only, this machine is ${process.arch}`);
  const cache = cacheDir();
  mkdirSync(cache, { recursive: true });
  const cached = readdirSync(cache)
    .filter((name) => name.startsWith("kernel-"))
    .map((name) => readKernel(join(cache, name)))
    .find((kernel) => kernel !== undefined);
  if (cached !== undefined) return cached;

  const packages = kernelPackages();
  say(`lab: downloading a kernel with IPVS into ${cache} (${packages.join(" ")}; unpacked there, not installed)`);
  const temporary = mkdtempSync(join(cache, "download-"));
  try {
    quietly("apt-get", ["download", "-qq", ...packages], { cwd: temporary });
    const debs = readdirSync(temporary).filter((name) => name.endsWith(".deb"));
    const unpacked = unpack(
      temporary,
      debs.map((name) => join(temporary, name)),
    );
    const { release } = JSON.parse(readFileSync(join(unpacked, "complete.json"), "utf8"));
    const place = join(cache, `kernel-${release}`);
    // What stands there is either incomplete (readKernel refused it) or another's work of this very moment.
    if (readKernel(place) === undefined) {
      rmSync(place, { recursive: true, force: true });
      try {
        renameSync(unpacked, place);
      } catch (error) {
        if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      }
    }
    const kernel = readKernel(place);
    if (kernel === undefined) throw new Error(`the kernel in ${place} is incomplete: delete that folder and try again`);
    return kernel;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
