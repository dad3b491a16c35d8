import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CATALOGUE } from "../../src/doctor/catalogue.ts";

const page = readFileSync(fileURLToPath(new URL("../../../docs/doctor.md", import.meta.url)), "utf8");

describe("docs/doctor.md", () => {
  it("has a row for every finding, with its severity and meaning, and for nothing else", () => {
    const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (error|warning) \| (.*?) \| .+ \|$/gm)];
    const documented = Object.fromEntries(rows.map(([, id, severity, meaning]) => [id, { severity, meaning }]));
    assert.deepEqual(documented, CATALOGUE);
  });
});
