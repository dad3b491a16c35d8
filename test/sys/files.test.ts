import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJsonFile, writeFileAtomically } from "../../src/sys/atomic-file.ts";
import { formatSysctl, readSysctl, writeSysctl } from "../../src/sys/sysctl.ts";

const anything = (): undefined => undefined;

describe("atomic file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-file-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("replaces the content, leaves nothing beside it and sets the permissions", () => {
    const path = join(folder, "state.json");
    assert.ok(writeFileAtomically(path, '{"a":1}').ok);
    assert.ok(writeFileAtomically(path, '{"a":2}').ok);
    assert.deepEqual(readdirSync(folder), ["state.json"]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readJsonFile(path, anything), { ok: true, value: { type: "read", value: { a: 2 } } });
  });

  it("says what failed when it cannot write, and cleans up behind itself", () => {
    const inMissing = writeFileAtomically(join(folder, "missing", "state.json"), "x");
    assert.ok(!inMissing.ok);
    assert.equal(inMissing.error.code, "FILE_UNWRITABLE");
    assert.match(inMissing.error.message, /ENOENT/);
    // The temporary file can be written here, the rename fails.
    mkdirSync(join(folder, "occupied"));
    assert.equal(writeFileAtomically(join(folder, "occupied"), "x").ok, false);
    assert.deepEqual(readdirSync(folder), ["occupied"]);
  });

  it("tells a missing file from a damaged one, which it sets aside under a number of its own", () => {
    const path = join(folder, "state.json");
    assert.deepEqual(readJsonFile(path, anything), { ok: true, value: { type: "missing" } });
    for (const number of [1, 2]) {
      writeFileSync(path, '{"a":');
      const read = readJsonFile(path, anything);
      assert.ok(read.ok && read.value.type === "damaged");
      assert.equal(read.value.movedTo, `${path}.damaged-${number}`);
      assert.equal(readFileSync(read.value.movedTo, "utf8"), '{"a":');
    }
    assert.deepEqual(readdirSync(folder).sort(), ["state.json.damaged-1", "state.json.damaged-2"]);
  });

  it("sets aside JSON that is not what the caller wrote", () => {
    const path = join(folder, "state.json");
    writeFileSync(path, "[]");
    const read = readJsonFile(path, (value) => (Array.isArray(value) ? "a list" : undefined));
    assert.deepEqual(read, { ok: true, value: { type: "damaged", movedTo: `${path}.damaged-1`, reason: "a list" } });
  });

  it("reports a file that it may not read as such", () => {
    const read = readJsonFile(folder, anything);
    assert.ok(!read.ok);
    assert.equal(read.error.code, "FILE_UNREADABLE");
  });
});

describe("sysctl", () => {
  it("reads a setting, and says which one this kernel does not have", () => {
    assert.deepEqual(readSysctl(["kernel", "ostype"]), { ok: true, value: "Linux" });
    const missing = readSysctl(["net", "ipv4", "conf", "no.such", "arp_ignore"]);
    assert.ok(!missing.ok);
    assert.equal(missing.error.code, "FILE_UNREADABLE");
    assert.match(missing.error.message, /net\.ipv4\.conf\.no\/such\.arp_ignore.*ENOENT/);
  });

  it("says what it could not write", () => {
    const written = writeSysctl(["kernel", "ostype"], "Linux");
    assert.ok(!written.ok);
    assert.equal(written.error.code, "FILE_UNWRITABLE");
    assert.match(written.error.message, /kernel\.ostype = Linux/);
  });

  it("leaves /proc/sys for no name", () => {
    for (const name of [["..", "self", "comm"], ["kernel", "..", "..", "version"], ["a/b"], ["kernel", ""], []]) {
      assert.equal(readSysctl(name).ok, false, JSON.stringify(name));
      assert.equal(writeSysctl(name, "1").ok, false, JSON.stringify(name));
    }
  });

  it("writes names as sysctl(8) does", () => {
    assert.equal(formatSysctl(["net", "ipv4", "conf", "eth0.5", "arp_ignore"]), "net.ipv4.conf.eth0/5.arp_ignore");
  });
});
