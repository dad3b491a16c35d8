import assert from "node:assert/strict";
import { complete, formatCompletion, type NameSource } from "../../src/cli/completion/complete.ts";
import { describeProgram } from "../../src/cli/program.ts";

const program = describeProgram("1.2.3");
const names: NameSource = {
  instances: async () => ["web4", "web6", "db4"],
  services: async () => ["web", "dns"],
  servers: async (service) => (service === "web" ? ["10.0.0.11:80", "10.0.0.12:80"] : ["10.0.0.53:53"]),
};

async function values(...words: readonly string[]): Promise<readonly string[]> {
  return (await complete(program, words, names)).candidates.map(({ value }) => value);
}

async function files(...words: readonly string[]): Promise<string> {
  return (await complete(program, words, names)).files;
}

describe("completion", () => {
  it("knows every command, with its summary", async () => {
    const { candidates } = await complete(program, [""], names);
    assert.deepEqual(
      candidates.map(({ value }) => value),
      program.commands.map((command) => command.name()),
    );
    assert.ok(candidates.every(({ description }) => description !== ""));
    assert.deepEqual(await values("han"), ["handover"]);
    assert.deepEqual(await values("nothing-like-it"), []);
  });

  it("knows options of the command and of the program, each once", async () => {
    assert.deepEqual(await values("check", "--"), [
      "--strict",
      "--explain",
      "--json",
      "--help",
      "--run-dir",
      "--state-dir",
      "--debug",
    ]);
    assert.deepEqual(await values("check", "--json", "--explain", "--s"), ["--strict", "--state-dir"]);
    assert.ok((await values("--")).includes("--version"));
  });

  it("offers options where nothing else may follow", async () => {
    assert.ok((await values("status", "")).includes("--json"));
    assert.deepEqual(await values("status", "x"), []);
  });

  it("asks for names, also behind options of the program", async () => {
    assert.deepEqual(await values("handover", "web"), ["web4", "web6"]);
    assert.deepEqual(await values("--run-dir", "/tmp", "handover", "--json", "d"), ["db4"]);
    assert.deepEqual(await values("handover", "web4", "w"), []);
    assert.deepEqual(await values("handover", "--", "web4"), ["web4"]);
  });

  it("asks for the servers of the service that was named, and knows where all may stand", async () => {
    assert.deepEqual(await values("drain", "web", ""), ["10.0.0.11:80", "10.0.0.12:80"]);
    assert.deepEqual(await values("drain", "all", "--deadline", "10m", "10.0.0.5"), ["10.0.0.53:53"]);
    assert.deepEqual(await values("drain", ""), ["web", "dns", "all"]);
    assert.deepEqual(await values("enable", "all", "a"), ["all"]);
    assert.deepEqual(await values("status", "--service", "w"), ["web"]);
    assert.deepEqual(await values("status", "--service=d"), ["--service=dns"]);
  });

  it("leaves files and folders to the shell", async () => {
    assert.equal(await files("check", ""), "files");
    assert.equal(await files("check", "--strict", "/etc/ho"), "files");
    assert.equal(await files("status", "--run-dir", ""), "folders");
    assert.equal(await files("status", "--run-dir=/r"), "folders");
    assert.equal(await files("status", ""), "none");
  });

  it("knows choices", async () => {
    assert.deepEqual(await values("completion", ""), ["bash", "zsh", "fish"]);
    assert.deepEqual(await values("completion", "z"), ["zsh"]);
  });

  it("bears with what is no command line", async () => {
    for (const words of [[], ["--nonsense", ""], ["--nonsense=1", "--nonsense="], ["a", "b", "c"], ["--", "--", ""]])
      assert.ok(Array.isArray(await values(...words)));
  });

  it("is asked line by line", () => {
    const candidates = [
      { value: "check", description: "validate" },
      { value: "web4", description: "" },
    ];
    assert.equal(formatCompletion({ candidates, files: "none" }), "none\ncheck\tvalidate\nweb4\n");
  });
});
