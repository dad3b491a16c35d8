import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const { canCompile } = (await import(pathToFileURL(join(root, "scripts/setup.mjs")).href)) as {
  canCompile(env: Readonly<Record<string, string | undefined>>): boolean;
};

describe("set-up", () => {
  it("sees whether the addon can be compiled, also where a compiler is there without the headers of the C library", () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-setup-"));
    try {
      const path = `${folder}:/bin:/usr/bin`;
      const compiler = (script: string) => writeFileSync(join(folder, "cc"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      assert.equal(canCompile({ PATH: folder }), false, "no compiler");
      compiler("cat");
      assert.equal(canCompile({ PATH: path }), true);
      // As gcc without libc6-dev.
      compiler('[ "$1" = --version ] || { echo "fatal error: sys/socket.h: No such file or directory" >&2; exit 1; }');
      assert.equal(canCompile({ PATH: path }), false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
