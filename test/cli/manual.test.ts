import assert from "node:assert/strict";
import type { Command } from "commander";
import { EXIT } from "../../src/base/exit-codes.ts";
import { configPage } from "../../src/cli/manual/config-page.ts";
import { programPage } from "../../src/cli/manual/program-page.ts";
import { ManualPage } from "../../src/cli/manual/roff.ts";
import { describeProgram } from "../../src/cli/program.ts";
import { referenceSections } from "../../src/config/reference.ts";

/** What a formatter prints, near enough to look for words. */
function readable(page: string): string {
  return page
    .replace(/^\.(?:TP|PP|nf|fi|RS 4|RE|nh|ad l)\n/gm, "")
    .replace(/\\f[BP]/g, "")
    .replaceAll("\\-", "-")
    .replaceAll("\\(aq", "'")
    .replaceAll("\\&", "")
    .replace(/\n(?!\.)/g, " ");
}

describe("manual pages", () => {
  const program = describeProgram("1.2.3");
  const page = programPage(program, "2026-01-02");

  it("holdfast(1) has every command with its arguments, options, examples and exit codes", () => {
    const text = readable(page);
    const commands = (command: Command): readonly Command[] =>
      command.commands.length === 0 ? [command] : command.commands.flatMap(commands);
    // What stands in backticks is bold.
    const has = (words: string): boolean => text.includes(words.replaceAll("`", ""));
    for (const command of commands(program)) {
      for (const { long, description } of command.options)
        assert.ok(has(`${long}`) && has(description), `${command.name()} ${long}`);
      for (const { description } of command.registeredArguments)
        assert.ok(has(description), `${command.name()}: ${description}`);
      assert.ok(has(command.description()), command.name());
    }
    assert.ok(text.includes("holdfast check --strict --explain new.yaml"));
    assert.ok(text.includes("Exit codes: 0 healthy, 3 degraded, 4 no daemon."));
    for (const code of Object.values(EXIT)) assert.match(page, new RegExp(`^\\\\fB${code}\\\\fP$`, "m"));
  });

  it("holdfast.yaml(5) has every key", () => {
    const text = readable(configPage("1.2.3", "2026-01-02"));
    for (const { paths, keys } of referenceSections()) {
      assert.ok(text.includes(`.SS "${paths[0] === "" ? "Top level" : paths[0]}"`), paths[0]);
      for (const { key, takes } of keys) assert.ok(text.includes(key) && takes !== "", key);
    }
  });

  it("is the same for the same commit, and names the version", () => {
    assert.equal(programPage(describeProgram("1.2.3"), "2026-01-02"), page);
    assert.match(page, /^\.TH "HOLDFAST" 1 "2026-01-02" "holdfast 1\.2\.3"$/m);
  });

  it("lets no text act as a request", () => {
    const text = new ManualPage("x", 1, "2026-01-02", "x")
      .paragraph(".so /etc/passwd and 'quoted' \\n back\\slash")
      .item("--a", "`.b` µ")
      .literal([".sp", "'t", "a\\b"])
      .toString();
    assert.deepEqual(text.split("\n").slice(3), [
      ".PP",
      "\\&.so /etc/passwd and \\(aqquoted\\(aq \\en back\\eslash",
      ".TP",
      "\\fB\\-\\-a\\fP",
      "\\fB.b\\fP \\[u00B5]",
      ".PP",
      ".nf",
      ".RS 4",
      "\\&.sp",
      "\\(aqt",
      "a\\eb",
      ".RE",
      ".fi",
      "",
    ]);
  });

  it("wraps long lines", () => {
    const text = new ManualPage("x", 1, "2026-01-02", "x").text("word ".repeat(100)).toString();
    assert.ok(text.split("\n").every((line) => line.length <= 78));
  });
});
