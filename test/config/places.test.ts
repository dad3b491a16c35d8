import assert from "node:assert/strict";
import { matchesPart } from "../../src/config/glob.ts";
import { editDistance, nearest, offerFor } from "../../src/config/nearest.ts";
import { formatKeyPath, quote } from "../../src/config/problem.ts";
import { SourceText } from "../../src/config/source-text.ts";
import { problemsOf, source } from "./support.ts";

describe("excerpts", () => {
  const excerpt = (text: string, from: number, to: number) => new SourceText(source(text)).excerpt(from, to);

  it("put the caret under what is meant, on its line", () => {
    assert.deepEqual(excerpt("a: 1\nbc: two\n", 9, 12), { text: "bc: two", caretAt: 4, caretLength: 3 });
  });

  it("end with the line, also where the place goes on", () => {
    assert.deepEqual(excerpt("a: 1\nb: 2\n", 3, 10), { text: "a: 1", caretAt: 3, caretLength: 1 });
    assert.deepEqual(excerpt("ab", 2, 2), { text: "ab", caretAt: 2, caretLength: 1 });
    assert.deepEqual(excerpt("", 0, 0), { text: "", caretAt: 0, caretLength: 1 });
  });

  it("cut long lines around the caret", () => {
    const line = `${"x".repeat(300)}HERE${"y".repeat(300)}`;
    const { text, caretAt, caretLength } = excerpt(line, 300, 304);
    assert.equal(text.slice(caretAt, caretAt + caretLength), "HERE");
    assert.ok(text.startsWith("…") && text.endsWith("…") && text.length < 120);
  });

  it("show tabs as arrows, and nothing that drives a terminal", () => {
    assert.equal(excerpt("\ta\u001b[31mb\u202ec", 1, 2).text, "→a\ufffd[31mb\ufffdc");
  });

  it("move the caret with what they blot out", () => {
    const text = "{ Authorization: Basic c2VjcmV0, path: x }";
    const at = text.indexOf("path");
    const lines = new SourceText(source(text));
    lines.secretsAreKnown();
    lines.hide(text.indexOf("Basic"), text.indexOf(","));
    assert.deepEqual(lines.excerpt(at, at + 4), { text: "{ Authorization: …, path: x }", caretAt: 20, caretLength: 4 });
    assert.deepEqual(lines.excerpt(text.indexOf("c2V"), at), {
      text: "{ Authorization: …, path: x }",
      caretAt: 17,
      caretLength: 3,
    });
  });

  it("count lines by line feeds, and have no line after the last one", () => {
    const lines = new SourceText(source("a\nb\n"));
    assert.deepEqual(lines.locate(99), { file: "holdfast.yaml", line: 2, column: 2 });
    assert.deepEqual(lines.locate(-1), { file: "holdfast.yaml", line: 1, column: 1 });
  });
});

describe("secrets", () => {
  const shown = (text: string) => problemsOf(text).map(({ excerpt }) => excerpt.text);

  it("hide under their names, in lists and blocks, and where an alias finds them", () => {
    assert.deepEqual(shown("log: { token: [a, b], x: 1 }"), Array(2).fill("log: { token: […, …], x: 1 }"));
    assert.deepEqual(shown("a: &t hidden\nlog: { password: *t }").slice(0, 1), ["a: &t …"]);
  });

  it("do not make a service unreadable that has such a name", () => {
    assert.deepEqual(
      shown("services: { auth: { listen: 5, key: x } }")[0],
      "services: { auth: { listen: 5, key: … } }",
    );
  });

  it("hide by the looks of a line where the YAML is broken", () => {
    assert.deepEqual(shown('log:\n  Authorization: "Basic x" y\n'), ["  Authorization: …"]);
    assert.deepEqual(shown("log:\n  password: |\n    sec\n   ret: 'x' y\n"), ["…"]);
    assert.deepEqual(shown("log:\n  - -----BEGIN PRIVATE KEY-----\n    x: 'y' z\n"), ["  - …"]);
  });

  it("hide in the second of two equal keys, which no tree holds", () => {
    assert.deepEqual(
      shown("log:\n  token: a\n  token: bcd\n").filter((text) => text.includes("bcd")),
      [],
    );
  });
});

describe("nearest", () => {
  it("counts insertions, deletions, changes and swaps", () => {
    const rows: readonly (readonly [string, string, number])[] = [
      ["", "", 0],
      ["vrid", "vrid", 0],
      ["vird", "vrid", 1],
      ["inteface", "interface", 1],
      ["kitten", "sitting", 3],
      ["abc", "xyz", 3],
    ];
    for (const [a, b, distance] of rows) {
      assert.equal(editDistance(a, b, 9), distance, `${a} ${b}`);
      assert.equal(editDistance(b, a, 9), distance, `${b} ${a}`);
    }
  });

  it("proposes what is near, what other programs call it, and nothing otherwise", () => {
    const keys = ["interface", "vrid", "priority", "advertise", "addresses"];
    assert.equal(nearest("prioritry", keys), "priority");
    assert.equal(nearest("Interface", keys), "interface");
    assert.equal(nearest("advert_int", keys), "advertise");
    assert.equal(nearest("virtual-router-id", keys), "vrid");
    assert.equal(nearest("colour", keys), undefined);
    assert.equal(nearest("x", ["a", "b"]), undefined);
    assert.equal(nearest("constructor", keys), undefined);
  });

  it("offers for a name that does not exist what was meant, or what there is, and not a page of it", () => {
    assert.equal(offerFor("wbe", ["web", "mail"]), "did you mean web?");
    assert.equal(offerFor("database", ["web", "mail"]), "there are web, mail");
    assert.equal(offerFor("database", ["web"]), "there is only web");
    assert.equal(offerFor("database", []), "none is configured");
    const many = Array.from({ length: 1_000 }, (_, index) => `web${index}`);
    assert.equal(offerFor("database", many), "there are web0, web1, web2, web3, web4 and 995 more");
  });
});

describe("texts in messages", () => {
  it("write key paths as people do, without values that stand in a key", () => {
    assert.equal(formatKeyPath(["services", "web", "servers", 1, "weight"]), "services.web.servers[1].weight");
    assert.equal(formatKeyPath(["services", "web frontend", "token:abc"]), 'services["web frontend"]["token:…"]');
    assert.equal(formatKeyPath([]), "");
  });

  it("quote values without control characters, and cut them", () => {
    assert.equal(quote("a\u001b\u009b"), '"a\\u001b\ufffd"');
    assert.equal(quote("x".repeat(100)).length, 63);
  });
});

describe("patterns of file names", () => {
  it("match within one part, and never a leading dot", () => {
    const rows: readonly (readonly [string, string, boolean])[] = [
      ["web.yaml", "*.yaml", true],
      ["web.yaml", "w?b.*", true],
      ["web.yml", "*.yaml", false],
      [".hidden.yaml", "*.yaml", false],
      [".hidden.yaml", ".*.yaml", true],
      ["a", "a**", true],
      ["", "*", true],
      ["abab", "*ab", true],
      ["abac", "*ab", false],
      [`${"a".repeat(5000)}b`, `${"*a".repeat(50)}c`, false],
    ];
    for (const [name, pattern, isMatch] of rows)
      assert.equal(matchesPart(name, pattern), isMatch, `${name} ${pattern}`);
  });
});
