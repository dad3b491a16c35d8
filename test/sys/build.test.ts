import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The root of the checkout, from .build/test/sys/. */
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

describe("building the addon", () => {
  let folder: string;
  let native: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-build-"));
    native = join(folder, "native");
    mkdirSync(native);
    for (const file of ["build.mjs", "holdfast.c"]) copyFileSync(join(root, "native", file), join(native, file));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function build(compiler?: string): { status: number | null; stderr: string } {
    const env = compiler === undefined ? process.env : { ...process.env, CC: compiler };
    const { status, stderr } = spawnSync(process.execPath, [join(native, "build.mjs")], { encoding: "utf8", env });
    return { status, stderr };
  }

  it("compiles without a warning, and keeps what is built from this source", () => {
    assert.deepEqual(build(), { status: 0, stderr: "" });
    assert.deepEqual(readdirSync(native).sort(), ["build.mjs", "holdfast.c", "holdfast.node"]);
    assert.deepEqual(build("no-such-compiler"), { status: 0, stderr: "" });
  });

  it("fails without a compiler by one sentence that names the packages", () => {
    const { status, stderr } = build("no-such-compiler");
    assert.equal(status, 1);
    assert.match(stderr, /^holdfast: cannot compile .* no C compiler \(no-such-compiler\).* gcc and libc6-dev .*\n$/);
    assert.deepEqual(readdirSync(native).sort(), ["build.mjs", "holdfast.c"]);
  });

  it("fails if the compiler does, and does not trust a file that cannot be loaded", () => {
    writeFileSync(join(native, "holdfast.node"), "damaged");
    const { status, stderr } = build("false");
    assert.equal(status, 1);
    assert.match(stderr, /^holdfast: cannot compile .*false failed.*\n$/);
  });

  it("uses a built file of another source if there is no compiler, and says so", () => {
    assert.equal(build().status, 0);
    appendFileSync(join(native, "holdfast.c"), "/* newer */\n");
    const { status, stderr } = build("no-such-compiler");
    assert.equal(status, 0);
    assert.match(stderr, /^holdfast: native\/holdfast\.node is used as it is/);
  });
});

describe("a checkout without the addon", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-bare-"));
    for (const room of ["base", "ports", "sys"]) {
      cpSync(join(root, ".build/src", room), join(folder, "dist", room), { recursive: true });
    }
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function bare<Module>(file: string): Promise<Module> {
    return (await import(`${pathToFileURL(join(folder, "dist"))}/${file}`)) as Module;
  }

  it("says that it is missing and what to do, also when the file is damaged", async () => {
    type Loader = typeof import("../../src/sys/native.ts");
    const missing = (await bare<Loader>("sys/native.js")).loadNative();
    assert.ok(!missing.ok);
    assert.equal(missing.error.code, "ADDON_MISSING");
    assert.match(missing.error.remedy, /gcc and libc6-dev/);
    mkdirSync(join(folder, "native"));
    writeFileSync(join(folder, "native/holdfast.node"), "damaged");
    const damaged = (await bare<Loader>("sys/native.js?again")).loadNative();
    assert.ok(!damaged.ok);
    assert.equal(damaged.error.code, "ADDON_MISSING");
    assert.match(damaged.error.message, /does not load/);
  });

  it("still checks TCP, by node:net", async () => {
    type Connectors = typeof import("../../src/sys/tcp-connector.ts");
    const { openTcpConnector, NodeTcpConnector } = await bare<Connectors>("sys/tcp-connector.js");
    assert.ok(openTcpConnector() instanceof NodeTcpConnector);
  });
});
