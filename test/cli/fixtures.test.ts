import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT } from "../../src/base/exit-codes.ts";
import { check } from "../../src/cli/check.ts";
import { nodeFiles } from "../../src/sys/node-files.ts";

const fixtures = resolve(dirname(fileURLToPath(import.meta.url)), "../../../test/fixtures/config");
const isUpdating = process.env.UPDATE_FIXTURES === "1";

/** What `holdfast check --strict holdfast.yaml` prints in the folder of a case, with its exit code in the last line. */
function checkIn(folder: string): { text: string; exitCode: number } {
  let text = "";
  const output = {
    write: (piece: string) => {
      text += piece;
    },
    isTerminal: false,
  };
  const exitCode = check(
    { file: "holdfast.yaml", strict: true, explain: false, json: false, nodeName: "lb1" },
    { out: output, err: output, env: {} },
    { ...nodeFiles, absolute: (path) => resolve(folder, path) },
  );
  // Included files have absolute paths; the checkout may stand anywhere.
  return { text: `${text.replaceAll(`${folder}/`, "")}exit ${exitCode}\n`, exitCode };
}

describe("broken configuration files", () => {
  const cases = readdirSync(fixtures).sort();

  for (const name of cases) {
    it(name, () => {
      const folder = join(fixtures, name);
      const expectedFile = join(folder, "expected.txt");
      const { text, exitCode } = checkIn(folder);
      if (isUpdating) writeFileSync(expectedFile, text);
      assert.ok(existsSync(expectedFile), `${name} has no expected.txt; UPDATE_FIXTURES=1 writes it`);
      assert.equal(text, readFileSync(expectedFile, "utf8"));
      assert.equal(exitCode, name === "warnings-only" ? EXIT.FAILED : EXIT.BAD_CONFIG);
    });
  }

  it("there are at least thirty of them", () => {
    assert.ok(cases.length >= 30, `${cases.length} cases`);
  });
});
