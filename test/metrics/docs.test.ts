import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FAMILIES } from "../../src/metrics/families.ts";

const PAGE = resolve(dirname(fileURLToPath(import.meta.url)), "../../../docs/metrics.md");
const MARK = /^<!-- Written from src\/metrics .* -->$/m;

function table(): string {
  const rows = FAMILIES.map(({ name, type, labels, help }) => {
    const named = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${named === "" ? "–" : named} | ${help} |`;
  });
  return ["| name | type | labels | meaning |", "|--|--|--|--|", ...rows].join("\n");
}

describe("docs/metrics.md", () => {
  it("has every metric and no other; UPDATE_FIXTURES=1 rewrites the table", () => {
    const text = readFileSync(PAGE, "utf8");
    const mark = MARK.exec(text);
    assert.ok(mark !== null, "the mark before the table");
    const page = `${text.slice(0, mark.index)}${mark[0]}\n\n${table()}\n`;
    if (process.env.UPDATE_FIXTURES === "1") writeFileSync(PAGE, page);
    assert.equal(readFileSync(PAGE, "utf8"), page);
  });
});
