import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { FAILURE_REASONS, NOT_RUN_REASONS } from "../../src/checks/outcome.ts";

describe("docs/checks.md", () => {
  it("explains every reason code, and none that does not exist", () => {
    const text = readFileSync(new URL("../../../docs/checks.md", import.meta.url), "utf8");
    const [, tables = ""] = text.split("## What a failure means");
    const explained = [...tables.matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1]);
    assert.deepEqual(explained.toSorted(), [...FAILURE_REASONS, ...NOT_RUN_REASONS].toSorted());
  });
});
