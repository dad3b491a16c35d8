// The guest's initial RAM disk: one static busybox, the modules that reach the host's files, and init.sh.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { cacheDir, quietly } from "./kernel.mjs";

const BUSYBOX = "/usr/bin/busybox";
const INIT = join(dirname(fileURLToPath(import.meta.url)), "guest-init.sh");
/** In this order; their dependencies are found in modules.dep. Some kernels have some of them built in. */
const MODULES = ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"];

/** One entry of a cpio archive in the "newc" form: a header of 13 hexadecimal fields, name and data padded to 4 bytes. */
function cpioEntry(index, name, mode, data) {
  const fields = [index, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((value) => value.toString(16).padStart(8, "0")).join("")}${name}\0`;
  const pad = (length) => Buffer.alloc((4 - (length % 4)) % 4);
  return Buffer.concat([Buffer.from(head, "latin1"), pad(head.length), data, pad(data.length)]);
}

/** busybox insmod wants plain ELF; newer distributions compress their modules. */
function readModule(path) {
  if (path.endsWith(".gz")) return gunzipSync(readFileSync(path));
  const tool = path.endsWith(".xz") ? "xz" : path.endsWith(".zst") ? "zstd" : undefined;
  return tool === undefined ? readFileSync(path) : quietly(tool, ["-dcq", path], { encoding: "buffer" });
}

/** The files of the wanted modules in the order in which they must be loaded, each after what it depends on. */
function loadOrder(kernel) {
  const folder = join(kernel.modules, kernel.release);
  const paths = new Map();
  for (const line of readFileSync(join(folder, "modules.dep"), "utf8").trimEnd().split("\n")) {
    const [path, rest = ""] = line.split(":");
    paths.set(basename(path).replace(/\.ko.*$/, ""), { path, needs: rest.split(" ").filter((text) => text !== "") });
  }
  const order = [];
  for (const name of MODULES) {
    const module = paths.get(name);
    if (module === undefined) continue;
    // modules.dep lists the direct dependency first and the root of the chain last.
    for (const path of [...module.needs.reverse(), module.path]) if (!order.includes(path)) order.push(path);
  }
  return order.map((path) => join(folder, path));
}

/**
 * @param {import("./kernel.mjs").Kernel} kernel
 * @returns the path of an initrd for that kernel, from the cache or newly made
 */
export function ensureInitrd(kernel) {
  if (!existsSync(BUSYBOX)) throw new Error(`${BUSYBOX} is missing: apt-get install busybox-static`);
  const init = readFileSync(INIT);
  const busybox = readFileSync(BUSYBOX);
  const key = createHash("sha256").update(init).update(busybox).update(MODULES.join()).digest("hex").slice(0, 12);
  const file = join(cacheDir(), `initrd-${kernel.release}-${key}`);
  if (existsSync(file)) return file;

  const folders = ["bin", "dev", "proc", "sys", "modules", "lower", "upper", "share", "root"];
  const modules = loadOrder(kernel);
  const names = modules.map(
    (path, index) => `modules/${String(index).padStart(2, "0")}-${basename(path).replace(/\.ko.*$/, ".ko")}`,
  );
  const entries = [
    ...folders.map((name) => [name, 0o040755, Buffer.alloc(0)]),
    ["init", 0o100755, init],
    ["bin/busybox", 0o100755, busybox],
    ...modules.map((path, index) => [names[index], 0o100644, readModule(path)]),
    ["TRAILER!!!", 0, Buffer.alloc(0)],
  ];
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(
      temporary,
      Buffer.concat(entries.map(([name, mode, data], index) => cpioEntry(index + 1, name, mode, data))),
    );
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
  return file;
}
