// A guest's initial RAM disk: one static busybox, the modules that reach its files, and its first program.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { cacheDir, quietly } from "./kernel.mjs";

const BUSYBOX = "/usr/bin/busybox";
const here = dirname(fileURLToPath(import.meta.url));
/**
 * The first program, and the modules in the order in which they are loaded; their dependencies are found in modules.dep. Some
 * kernels have some of them built in.
 */
const KINDS = {
  /** On this machine's own files, for `npm run lab -- shell` and scenarios. */
  guest: { init: "guest-init.sh", modules: ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"] },
  /** With a disk and a network card, for pairs of machines with systemd. */
  machine: {
    init: "machine/init.sh",
    modules: [
      ...["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"],
      ...["virtio_blk", "crc32c_generic", "ext4", "virtio_net", "virtio_rng"],
    ],
  },
};

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
function loadOrder(kernel, wanted) {
  const folder = join(kernel.modules, kernel.release);
  const paths = new Map();
  for (const line of readFileSync(join(folder, "modules.dep"), "utf8").trimEnd().split("\n")) {
    const [path, rest = ""] = line.split(":");
    paths.set(basename(path).replace(/\.ko.*$/, ""), { path, needs: rest.split(" ").filter((text) => text !== "") });
  }
  const order = [];
  for (const name of wanted) {
    const module = paths.get(name);
    if (module === undefined) continue;
    // modules.dep lists the direct dependency first and the root of the chain last.
    for (const path of [...module.needs.reverse(), module.path]) if (!order.includes(path)) order.push(path);
  }
  return order.map((path) => join(folder, path));
}

/**
 * @param {import("./kernel.mjs").Kernel} kernel
 * @param {"guest" | "machine"} [kind]
 * @returns the path of an initrd for that kernel, from the cache or newly made
 */
export function ensureInitrd(kernel, kind = "guest") {
  const { init: initName, modules: wanted } = KINDS[kind];
  if (!existsSync(BUSYBOX)) throw new Error(`${BUSYBOX} is missing: apt-get install busybox-static`);
  const init = readFileSync(join(here, initName));
  const busybox = readFileSync(BUSYBOX);
  const key = createHash("sha256").update(init).update(busybox).update(wanted.join()).digest("hex").slice(0, 12);
  const file = join(cacheDir(), `initrd-${kernel.release}-${key}`);
  if (existsSync(file)) return file;

  const folders = ["bin", "dev", "proc", "sys", "modules", "lower", "upper", "share", "root"];
  const modules = loadOrder(kernel, wanted);
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
