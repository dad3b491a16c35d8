import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { stringify } from "yaml";
import { decodeSource } from "../../src/config/decode.ts";
import { renderProblem } from "../../src/config/render.ts";
import { SourceText } from "../../src/config/source-text.ts";
import { findOverload } from "../../src/config/yaml/guard.ts";
import { readYaml } from "../../src/config/yaml/read.ts";
import { searched } from "../support/search.ts";
import { load, problemsOf, source } from "./support.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const example = readFileSync(`${root}/etc/holdfast.yaml`, "utf8");

/** Every problem must point into the text, and its caret into its excerpt. */
function assertInside(text: string): void {
  const result = load(text);
  const problems = result.ok ? result.value.warnings : result.error;
  if (!result.ok) assert.ok(problems.some(({ severity }) => severity === "error"));
  const lines = text.replace(/^\ufeff/, "").split("\n");
  for (const problem of problems) {
    const places = [problem.location, ...problem.related.map(({ location }) => location)];
    for (const { line, column } of places) {
      const content = lines[line - 1];
      assert.ok(content !== undefined, `line ${line} of ${lines.length}: ${problem.message}`);
      assert.ok(column >= 1 && column <= content.length + 1, `column ${column} of ${JSON.stringify(content)}`);
    }
    const { text: shown, caretAt, caretLength } = problem.excerpt;
    assert.ok(caretAt >= 0 && caretLength >= 1, problem.message);
    assert.ok(shown.length <= 120, "excerpts are cut");
    assert.ok(!/[\u0000-\u001f\u007f]/.test(renderProblem(problem).replaceAll("\n", "")), "no control characters");
  }
}

/** Pieces of which YAML consists, so that random texts reach past the first character. */
const yamlish = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "\n",
        "\n  ",
        "\n    ",
        " ",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "<<: ",
        "#",
        '"',
        "'",
        "|\n",
        ">\n",
        "!x ",
        "? ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\r\n",
        "\r",
      ),
      fc.constantFrom(
        "vrrp",
        "instances",
        "services",
        "listen",
        "servers",
        "checks",
        "http",
        "tls",
        "10.0.0.1:80",
        "2s",
        "51",
        "true",
        "null",
        "~",
        "1e3",
        ".inf",
      ),
      fc.string({ maxLength: 5 }),
      fc.string({ maxLength: 3, unit: "binary" }),
    ),
    { maxLength: 60 },
  )
  .map((pieces) => pieces.join(""));

/** The example with a few edits: what people do to a file. */
const mutated = fc
  .array(
    fc.record({
      at: fc.nat(example.length),
      remove: fc.nat(12),
      insert: fc.oneof(
        fc.constantFrom("", "", " ", "\n", ":", "-", "{", "[", "}", "]", '"', "'", "*", "&", "\t", ",", "5", "x"),
        fc.string({ maxLength: 4 }),
      ),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((edits) =>
    edits.reduce((text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove), example),
  );

/** Lines of the example moved, doubled or lost. */
const shuffled = fc
  .array(fc.nat(example.split("\n").length), { maxLength: 80 })
  .map((order) => order.map((line) => example.split("\n")[line] ?? "").join("\n"));

const anyValue = fc.jsonValue({ maxDepth: 2 });
const key = fc.constantFrom(
  "interface",
  "vrid",
  "addresses",
  "listen",
  "servers",
  "checks",
  "persistence",
  "hash",
  "forward",
  "preempt",
  "weight",
  "address",
  "name",
  "cron",
  "action",
  "timezone",
);
const part = fc.oneof(
  anyValue,
  fc.dictionary(
    key,
    fc.oneof(anyValue, fc.dictionary(key, anyValue), fc.array(fc.dictionary(key, anyValue), { maxLength: 3 })),
  ),
);
/** The right keys with values of any type. */
const wrongTypes = fc
  .record(
    {
      node: anyValue,
      log: anyValue,
      defaults: fc.oneof(anyValue, fc.record({ check: anyValue })),
      include: anyValue,
      vrrp: fc.oneof(anyValue, fc.record({ instances: fc.oneof(anyValue, fc.record({ a: part, b: part })) })),
      services: fc.oneof(anyValue, fc.record({ a: part, b: part })),
      schedules: fc.oneof(anyValue, fc.array(part, { maxLength: 3 })),
    },
    { requiredKeys: [] },
  )
  .map((value) => stringify(value));

describe("any text as a configuration", () => {
  const properties: Readonly<Record<string, fc.Arbitrary<string>>> = {
    "random characters": fc.string({ unit: "binary", maxLength: 200 }),
    "random pieces of YAML": yamlish,
    "the example with random edits": mutated,
    "the example with its lines shuffled": shuffled,
    "values of any type under known keys": wrongTypes,
  };
  for (const [name, texts] of Object.entries(properties)) {
    it(`${name}: never throws, and points into the text`, function () {
      this.timeout(60_000);
      fc.assert(fc.property(texts, assertInside), { numRuns: searched(300) });
    });
  }

  it("random bytes: decodes them or points at one of them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom("", "ä€😀", "node: lb1\n"), (bytes, prefix) => {
        const whole = Buffer.concat([Buffer.from(prefix), bytes]);
        const result = decodeSource({ path: "x", folder: null }, whole);
        const isUtf8 = Buffer.compare(Buffer.from(whole.toString("utf8")), whole) === 0;
        assert.equal(result.ok, isUtf8);
        if (result.ok) return;
        const { line, column } = result.error.location;
        const before = whole
          .toString("latin1")
          .split("\n")
          .slice(0, line - 1)
          .join("\n").length;
        // The column counts characters, which are at most as many as bytes.
        assert.ok(before + column - 1 <= whole.length, `${line}:${column}`);
      }),
      { numRuns: searched(500) },
    );
  });

  const SECRET = "s3cr3t-0f-the-house";
  it("whatever is wrong, a secret is not shown", function () {
    this.timeout(60_000);
    const text = `vrrp: { instances: { a: { interface: eth0, vrid: 1, addresses: [192.0.2.10/24] } } }
services:
  web:
    listen: 192.0.2.10:80
    servers: [10.0.0.11:80]
    checks:
      - http:
          headers: { X-Probe: a, Authorization: "${SECRET}", cookie: '${SECRET}', Api-Key: ${SECRET} }
          path: /
      - https:
          headers:
            Proxy-Authorization: Basic ${SECRET}
          tls: { cert: /c.pem, key: ${SECRET} }
`;
    const from = text.indexOf("services:");
    const edit = fc.record({
      at: fc.integer({ min: 0, max: text.length }),
      insert: fc.constantFrom("\n", ":", "{", "}", "]", "[", ",", "\t", "5", " x", "- "),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 2 }), (edits) => {
        let broken = text;
        for (const { at, insert } of edits) {
          // Edits inside the secret or in the name of its key make another text of it; those are not the point.
          const nearSecret = [
            ...broken.matchAll(new RegExp(`[\\w-]+["']?: *["']?(?:Basic )?${SECRET}["']?`, "g")),
          ].some((match) => at > match.index && at < match.index + match[0].length);
          if (!nearSecret && at >= from) broken = broken.slice(0, at) + insert + broken.slice(at);
        }
        for (const problem of problemsOf(broken)) {
          assert.ok(!renderProblem(problem).includes(SECRET), renderProblem(problem));
          assert.ok(!JSON.stringify(problem).includes(SECRET));
        }
      }),
      { numRuns: searched(400) },
    );
  });
});

describe("texts that would cost more than they are worth", () => {
  const many = searched(200_000);
  const bombs: Readonly<Record<string, string>> = {
    "nested lists": "[".repeat(many),
    "nested maps": "{a: ".repeat(many),
    "nested block lists": "- ".repeat(many),
    "closing brackets": "]".repeat(many),
    commas: `a: [${",".repeat(many)}`,
    questions: "? ".repeat(many),
    anchors: "&a ".repeat(many),
    tags: "! ".repeat(many),
    colons: ": ".repeat(many),
    quotes: '"'.repeat(many),
    "quotes of the other kind": "'".repeat(many),
    aliases: "*a ".repeat(many),
    "deep indentation": Array.from({ length: 600 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
    "mistakes that aliases multiply": `services:
  web:
    listen: 192.0.2.10:80
    checks: &c [${Array(searched(1000)).fill("x").join(", ")}]
    servers:
${Array.from({ length: 150 }, (_, index) => `      - { address: 10.0.${index >> 8}.${index & 255}:80, checks: *c }`).join("\n")}`,
    "an alias in itself": "a: &a [*a]",
    "one endless line": `node: ${"x".repeat(many)}`,
  };
  for (const [name, text] of Object.entries(bombs)) {
    it(`${name} are refused at once`, function () {
      this.timeout(20_000);
      const problems = problemsOf(text);
      assert.ok(problems.length >= 1 && problems.length <= 100);
      assert.ok(problems.every(({ severity }) => severity === "error"));
    });
  }

  it("what the parser would complain of value by value is refused before it reads them", () => {
    for (const text of ['""'.repeat(65), "'' ".repeat(65), "*a ".repeat(65)])
      assert.deepEqual(
        problemsOf(text).map(({ code }) => code),
        ["too-complex"],
        text.slice(0, 3),
      );
    assert.ok(problemsOf('""'.repeat(64)).every(({ code }) => code === "bad-yaml"));
  });

  it("nobody reads on where it was refused", () => {
    let read = 0;
    const lexemes = function* () {
      for (; ; read += 1) yield "[";
    };
    assert.equal(findOverload(lexemes(), 32)?.code, "too-complex");
    assert.equal(read, 32);
  });

  it("many keys take linear time, and a repeated one is found", function () {
    this.timeout(20_000);
    const keys = Array.from({ length: 50_000 }, (_, index) => `k${index}: 1`);
    const { findings } = readYaml(new SourceText(source([...keys, "k7: 2"].join("\n"))));
    assert.deepEqual(
      findings.map(({ code, message }) => [code, message]),
      [["duplicate-key", "the key `k7` stands here for the second time"]],
    );
  });

  it("a file above 4 MiB", () => {
    assert.equal(problemsOf(`# ${"x".repeat(4 * 1024 * 1024)}`)[0]?.code, "too-large");
  });
});
