import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const { bundle } = (await import(pathToFileURL(join(root, "scripts/build.mjs")).href)) as {
  bundle(folder: string, options: { readonly sourcemap: boolean }): Promise<readonly string[]>;
};

describe("the program put together", function () {
  this.timeout(30_000);
  let folder: string;
  let dist: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-bundle-"));
    dist = join(folder, "dist");
    copyFileSync(join(root, "package.json"), join(folder, "package.json"));
    await bundle(dist, { sourcemap: false });
  });
  after(() => rmSync(folder, { recursive: true }));

  /** The libraries in the files that loading a part of the program loads at once. */
  function librariesOf(role: string): readonly string[] {
    const part = readdirSync(join(dist, "parts")).find((name) => name.startsWith(`${role}-`));
    assert.ok(part !== undefined, `there is no part for ${role}`);
    const seen = new Set<string>();
    const libraries = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      const text = readFileSync(file, "utf8");
      for (const [, library = ""] of text.matchAll(/^ *\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm))
        libraries.add(library);
      for (const [, path = ""] of text.matchAll(/(?:from|import) "(\.[^"]+)";$/gm)) visit(join(dirname(file), path));
    };
    visit(join(dist, "parts", part));
    return [...libraries].sort();
  }

  it("needs no libraries beside it, and knows its version", () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(dist, "main.js"), ...args], { encoding: "utf8" });
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
    assert.equal(run("--version").stdout, `${version}\n`);
    assert.match(run("check", join(root, "etc/examples/nat.yaml")).stdout, /no problems/);
    assert.match(run("status", "--run-dir", folder).stderr, /no daemon answers/);
  });

  it("loads into each process what it needs, and nothing of the others", () => {
    assert.deepEqual(librariesOf("vrrp-process"), ["ipaddr.js"]);
    // The client for HTTP comes with the first check that needs it.
    assert.deepEqual(librariesOf("checker-process"), ["ipaddr.js"]);
    const supervisor = librariesOf("daemon");
    for (const library of ["winston", "yaml", "zod"]) assert.ok(supervisor.includes(library), library);
    // Numbers for Prometheus come with the first scrape, and nobody is asked over HTTP.
    for (const library of ["commander", "prom-client", "undici"]) assert.ok(!supervisor.includes(library), library);
  });
});
