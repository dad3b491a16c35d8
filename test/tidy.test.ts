import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout, from .build/test/. */
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const src = join(root, "src");

/** Room -> what it may import: other rooms, npm packages, node: modules. The table of docs/architecture.md. */
const ROOMS: Readonly<
  Record<string, { readonly rooms: readonly string[]; readonly packages: readonly string[]; readonly node: boolean }>
> = {
  base: { rooms: [], packages: ["ipaddr.js"], node: false },
  ports: { rooms: ["base"], packages: [], node: false },
  vrrp: { rooms: ["base"], packages: [], node: false },
  health: { rooms: ["base"], packages: [], node: false },
  ipvs: { rooms: ["base"], packages: [], node: false },
  plan: { rooms: ["base", "health", "ipvs"], packages: [], node: false },
  realserver: { rooms: ["base"], packages: [], node: false },
  doctor: { rooms: ["base", "ipvs", "vrrp"], packages: [], node: false },
  netlink: { rooms: ["base", "ipvs"], packages: [], node: false },
  drill: { rooms: ["base"], packages: [], node: false },
  config: { rooms: ["base", "drill"], packages: ["yaml", "zod", "node-cron"], node: false },
  checks: { rooms: ["base", "ports"], packages: ["undici"], node: true },
  ipc: { rooms: ["base", "ports"], packages: [], node: true },
  control: { rooms: ["base", "ports"], packages: ["undici", "zod"], node: true },
  metrics: { rooms: ["base", "ports", "control", "vrrp"], packages: ["prom-client"], node: true },
  log: { rooms: ["base", "ports", "ipc"], packages: ["winston"], node: true },
  sys: { rooms: ["base", "ports", "netlink", "vrrp", "realserver"], packages: [], node: true },
  app: {
    rooms: [
      ...["base", "ports", "vrrp", "health", "ipvs", "plan", "netlink", "drill", "config", "checks", "ipc", "control"],
      ...["log", "metrics", "doctor", "sys"],
    ],
    packages: ["node-cron"],
    node: true,
  },
  cli: {
    rooms: ["base", "drill", "config", "plan", "control", "realserver", "doctor"],
    packages: ["commander"],
    node: true,
  },
};

/** Rooms whose values may be described (import type) by every room above them. */
const PURE = ["base", "vrrp", "health", "ipvs", "plan", "netlink", "drill", "config", "ports", "realserver", "doctor"];

/** Words that a pure room may not mention: time, chance, the process, the outside. */
const IMPURE = /\b(setTimeout|setInterval|setImmediate|Date\b|Math\.random|process\.|require\()/;

/** The vrrp process does nothing else: none of these may be loaded by it, even indirectly. */
const FORBIDDEN_IN_VRRP = ["undici", "prom-client", "yaml", "winston", "node-cron", "zod", "commander"];

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function sources(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(dir, name));
}

function importsOf(text: string): Import[] {
  const found: Import[] = [];
  for (const match of text.matchAll(/^\s*(?:import|export)\s+(type\s+)?[^;]*?from\s+"([^"]+)"/gms)) {
    found.push({ specifier: match[2] ?? "", typeOnly: match[1] !== undefined });
  }
  for (const match of text.matchAll(/^\s*import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm)) {
    found.push({ specifier: match[1] ?? match[2] ?? "", typeOnly: false });
  }
  return found;
}

function roomOf(file: string): string {
  const [first = ""] = relative(src, file).split("/");
  return first.endsWith(".ts") ? "main" : first;
}

/** Comments may name anything. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

describe("tidy", () => {
  for (const file of sources(src)) {
    const room = roomOf(file);
    if (room === "main") continue;
    const name = relative(root, file);
    it(`${name} keeps to its room`, () => {
      const allowed = ROOMS[room];
      assert.ok(allowed, `${room}/ is not a known room`);
      const text = readFileSync(file, "utf8");
      for (const { specifier, typeOnly } of importsOf(text)) {
        if (specifier.startsWith(".")) {
          const target = roomOf(resolve(dirname(file), specifier));
          const fine = target === room || allowed.rooms.includes(target) || (typeOnly && PURE.includes(target));
          assert.ok(fine, `${name} imports ${specifier}: ${room}/ may not use ${target}/`);
        } else if (specifier.startsWith("node:")) {
          assert.ok(allowed.node || typeOnly, `${name} imports ${specifier}: ${room}/ is pure`);
        } else {
          assert.ok(
            allowed.packages.includes(packageOf(specifier)),
            `${name} imports ${specifier}: not a package of ${room}/`,
          );
        }
      }
      if (!allowed.node && room !== "ports") {
        const impure = IMPURE.exec(withoutComments(text).replace(/"[^"]*"|`[^`]*`/g, '""'));
        assert.equal(impure, null, `${name} mentions ${impure?.[0]}: ${room}/ is pure`);
      }
    });
  }

  it("every import of the vrrp process is known, and none is a library it does not need", () => {
    const entry = join(src, "app/vrrp-process.ts");
    const seen = new Set<string>();
    const queue = [entry];
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      for (const { specifier, typeOnly } of importsOf(readFileSync(file, "utf8"))) {
        if (typeOnly) continue;
        if (specifier.startsWith(".")) queue.push(resolve(dirname(file), specifier));
        else
          assert.ok(
            !FORBIDDEN_IN_VRRP.includes(packageOf(specifier)),
            `${relative(root, file)} brings ${specifier} into the vrrp process`,
          );
      }
    }
    assert.ok(seen.size > 1);
  });

  it("every room has a README", () => {
    for (const room of Object.keys(ROOMS)) {
      assert.ok(readdirSync(join(src, room)).includes("README.md"), `src/${room}/README.md is missing`);
    }
  });
});
