import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { linksOf, ROOT } from "../support/documents.ts";

interface Surroundings {
  stageDocuments(stage: string, facts: object, libraries: readonly string[]): void;
}
const { stageDocuments } = (await import(
  pathToFileURL(join(ROOT, "scripts/package/surroundings.mjs")).href
)) as Surroundings;

describe("the documents of the package", () => {
  let stage: string;
  let folder: string;
  before(() => {
    stage = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-staged-")));
    folder = join(stage, "usr/share/doc/holdfast");
    stageDocuments(stage, { version: "1.0", architecture: "all", date: 0 }, []);
  });
  after(() => rmSync(stage, { recursive: true }));

  it("are every page of docs/, and each relative link in them leads to a file of the package", () => {
    const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".md"));
    for (const name of readdirSync(join(ROOT, "docs"))) assert.ok(pages.includes(`docs/${name}`), name);
    for (const page of pages) {
      for (const { target } of linksOf(readFileSync(join(folder, page), "utf8"))) {
        const path = join(folder, dirname(page), target);
        assert.ok(existsSync(path), `${page} links to ${target}, which is not in the package`);
        assert.ok(realpathSync(path).startsWith(`${folder}/`), `${page} links to ${target}, outside of the package`);
      }
    }
  });

  it("bring what an operator copies, as Debian has it: uncompressed, under examples", () => {
    for (const [installed, source] of [
      ["prometheus/holdfast.rules.yaml", "etc/prometheus/holdfast.rules.yaml"],
      ["grafana/holdfast.json", "etc/grafana/holdfast.json"],
      ["holdfast.yaml", "etc/holdfast.yaml"],
      ["nat.yaml", "etc/examples/nat.yaml"],
    ] as const) {
      const path = join(folder, "examples", installed);
      assert.deepEqual(readFileSync(path), readFileSync(join(ROOT, source)));
      assert.equal(statSync(path).mode & 0o777, 0o644);
    }
  });
});
