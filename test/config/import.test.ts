import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { IMPORT_FORMATS, type ImportFormat } from "../../src/config/import/formats.ts";
import { importConfig, recognise } from "../../src/config/import/import.ts";
import { load } from "./support.ts";

const fixtures = resolve(dirname(fileURLToPath(import.meta.url)), "../../../test/fixtures/import");
const FILES: Readonly<Record<ImportFormat, string>> = {
  keepalived: "keepalived.conf",
  ldirectord: "ldirectord.cf",
  ipvsadm: "table",
};

function textOf(format: ImportFormat): string {
  return readFileSync(`${fixtures}/${FILES[format]}`, "utf8");
}

function notesOf(text: string, format: ImportFormat): readonly string[] {
  return importConfig(text, format).notes.map(({ line, message }) => `${line}: ${message}`);
}

/** What a whole virtual server around its lines becomes. */
function service(format: "keepalived" | "ldirectord", lines: string): string {
  const text =
    format === "keepalived"
      ? `virtual_server 192.0.2.10 80 {\n protocol TCP\n${lines}\n}\n`
      : `virtual=192.0.2.10:80\n\t${lines}\n`;
  return importConfig(text, format).yaml;
}

describe("import", () => {
  for (const format of IMPORT_FORMATS) {
    it(`${FILES[format]} becomes what it should, and says what it leaves out; UPDATE_FIXTURES=1 rewrites both`, () => {
      const { yaml, notes } = importConfig(textOf(format), format);
      const told = `${yaml}---\n${notes.map(({ line, text, message }) => `${line}: \`${text}\` ${message}\n`).join("")}`;
      const path = `${fixtures}/${FILES[format]}.expected`;
      if (process.env.UPDATE_FIXTURES === "1") writeFileSync(path, told);
      assert.equal(told, readFileSync(path, "utf8"));
      const loaded = load(yaml);
      assert.ok(
        loaded.ok,
        loaded.ok ? "" : loaded.error.map(({ keyPath, message }) => `${keyPath}: ${message}`).join("\n"),
      );
    });

    it(`${format} is recognised`, () => assert.equal(recognise(textOf(format)), format));

    it(`no text that ${format} would not write makes it stumble, and what comes out is YAML`, () => {
      const lines = textOf(format).split("\n");
      const mutated = fc
        .array(fc.oneof(fc.constantFrom(...lines), fc.string(), fc.constantFrom("{", "}", "\t", '"', "real=", "-a")), {
          maxLength: 40,
        })
        .map((parts) => parts.join("\n"));
      fc.assert(
        fc.property(mutated, (text) => {
          const { yaml, notes } = importConfig(text, format);
          assert.ok(notes.every(({ line }) => line >= 1 && line <= text.split("\n").length));
          const loaded = load(yaml);
          const codes = loaded.ok ? [] : loaded.error.map(({ code }) => code);
          assert.ok(
            !codes.includes("bad-yaml") && !codes.includes("unknown-key") && !codes.includes("wrong-type"),
            yaml,
          );
        }),
      );
    });
  }

  it("a file of something else is not taken for one of these", () => {
    assert.equal(recognise("services:\n  web: { listen: 192.0.2.10:80 }\n"), null);
    assert.equal(recognise(""), null);
  });

  it("keepalived: braces that do not match are said, and what was read before stands", () => {
    const text = "vrrp_instance a {\n interface eth0\n virtual_router_id 1\n";
    assert.deepEqual(notesOf(text, "keepalived"), ["1: this brace is not closed; what follows may be missing here"]);
    assert.match(importConfig(text, "keepalived").yaml, /vrid: 1/);
    assert.deepEqual(notesOf("}\n", "keepalived"), ["1: this brace closes nothing; what follows may be missing here"]);
  });

  it("keepalived: servers with the same checks share them, others keep their own", () => {
    const check = "TCP_CHECK { connect_timeout 1 }";
    const same = service("keepalived", `real_server 10.0.0.1 80 { ${check} }\nreal_server 10.0.0.2 80 { ${check} }`);
    assert.match(same, /\n {4}checks:\n {6}- tcp:\n {10}timeout: 1s\n/);
    const others = service("keepalived", `real_server 10.0.0.1 80 { ${check} }\nreal_server 10.0.0.2 80 { }`);
    assert.match(others, /- address: 10\.0\.0\.2:80\n {8}checks: \[\]/);
  });

  it("keepalived: comments, quotes and exclamation marks", () => {
    const text = "# x {\n! y {\nvrrp_instance a { interface eth0 # z }\n virtual_router_id 7 }\n";
    assert.deepEqual(importConfig(text, "keepalived").notes, []);
  });

  it("ldirectord: a range is every server of it, and a bad one none", () => {
    assert.equal(service("ldirectord", "real=10.0.0.1->10.0.0.3:80 masq").match(/address: /g)?.length, 3);
    const bad = "virtual=192.0.2.10:80\n\treal=10.0.0.9->10.0.0.3:80 masq\n";
    assert.deepEqual(notesOf(bad, "ldirectord"), ["2: is not carried over: a server has an address and a port"]);
  });

  it("ipvsadm: what its table cannot know is said", () => {
    assert.match(notesOf("-A -t 192.0.2.10:80 -s wlc\n", "ipvsadm").join(), /knows no health checks/);
  });
});
