import assert from "node:assert/strict";
import { explain } from "../../src/config/explain.ts";
import { changedKeys, decodeKey } from "../../src/config/keys.ts";
import { loadConfigFiles } from "../../src/config/load-files.ts";
import { renderProblem } from "../../src/config/render.ts";
import { type FakeFile, fakeFiles } from "./support.ts";

const TEXT = "correct-horse-battery-staple-0123456789";
const HEX = "00112233445566778899aabbccddeeff".repeat(2);

function decoded(content: string | Uint8Array): string {
  const bytes = decodeKey(typeof content === "string" ? Buffer.from(content, "latin1") : content);
  return bytes.ok ? Buffer.from(bytes.value).toString("hex") : bytes.error.message;
}

function yaml(keys: string): string {
  return `node: lb1
vrrp:
  instances:
    web4:
      interface: eth0
      vrid: 51
      addresses: [192.0.2.10/24]
      auth:
        hmac:
          keys: ${keys}
`;
}

function loadWith(keys: string, files: Readonly<Record<string, FakeFile>>, credentialsDir?: string | null) {
  const all = fakeFiles({ "/etc/holdfast/holdfast.yaml": { content: yaml(keys) }, ...files });
  const options = { nodeName: "lb1", ...(credentialsDir === undefined ? {} : { credentialsDir }) };
  return loadConfigFiles("holdfast.yaml", options, all);
}

/** Problems as `severity line:column message`; none of them may show a key. */
function problemsWith(...given: Parameters<typeof loadWith>): string[] {
  const loaded = loadWith(...given);
  const problems = loaded.ok ? loaded.value.fileProblems : loaded.error;
  for (const problem of problems) {
    const text = `${JSON.stringify(problem)}${renderProblem(problem)}`;
    for (const part of [TEXT.slice(0, 12), HEX.slice(0, 12)]) assert.ok(!text.includes(part), text);
  }
  return problems.map(
    ({ severity, location, message }) => `${severity} ${location.line}:${location.column} ${message}`,
  );
}

const PATH = "/etc/holdfast/vrrp.key";
const FROM_FILE = `{ 1: file:${PATH} }`;

describe("what a key file holds", () => {
  for (const [what, content, expected] of [
    ["text", TEXT, Buffer.from(TEXT).toString("hex")],
    ["text with line endings behind it", `${TEXT}\r\n\n`, Buffer.from(TEXT).toString("hex")],
    ["hex", `hex:${HEX}\n`, HEX],
    ["hex in capitals", `hex:${HEX.toUpperCase()}`, HEX],
    ["32 bytes", "x".repeat(32), "78".repeat(32)],
    ["64 bytes", "x".repeat(64), "78".repeat(64)],
    ["31 bytes", "x".repeat(31), "the key is 31 bytes long"],
    ["65 bytes", "x".repeat(65), "the key is 65 bytes long"],
    ["31 bytes in hex", `hex:${"ab".repeat(31)}`, "the key is 31 bytes long"],
    ["65 bytes in hex", `hex:${"ab".repeat(65)}`, "the key is 65 bytes long"],
    ["nothing", "\n", "the key is 0 bytes long"],
    ["far too much", "x".repeat(257), "the key is more than 256 bytes long"],
    ["half a digit", `hex:${HEX}a`, "after `hex:` the key is not pairs of hexadecimal digits"],
    ["no digits", `hex:${"zz".repeat(32)}`, "after `hex:` the key is not pairs of hexadecimal digits"],
    ["two lines", `${TEXT}\n${TEXT}`, "the key holds bytes that are not printable ASCII"],
    ["raw bytes", Buffer.alloc(32, 0xe4), "the key holds bytes that are not printable ASCII"],
  ] as const) {
    it(what, () => assert.equal(decoded(content), expected));
  }
});

describe("reading keys", () => {
  it("reads a file, beside the configuration and not in it", () => {
    const loaded = loadWith(FROM_FILE, { [PATH]: { content: `${TEXT}\n`, mode: 0o600 } });
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const hex = Buffer.from(TEXT).toString("hex");
    assert.deepEqual(loaded.value.keys, { web4: [{ id: 1, hex }] });
    assert.deepEqual(loaded.value.fileProblems, []);
    const shown = `${JSON.stringify(loaded.value.config)}${explain(loaded.value.config)}`;
    assert.ok(shown.includes(PATH));
    assert.ok(!shown.includes(hex) && !shown.includes(TEXT));
  });

  it("reads a credential where systemd put it", () => {
    const loaded = loadWith("{ 7: credential:vrrp-key }", { "/run/c/vrrp-key": { content: `hex:${HEX}` } }, "/run/c");
    assert.ok(loaded.ok, JSON.stringify(loaded));
    assert.deepEqual(loaded.value.keys, { web4: [{ id: 7, hex: HEX }] });
    assert.deepEqual(loaded.value.fileProblems, [], "its mode is systemd's affair");
  });

  it("refuses what it cannot use, at the place that names it", () => {
    assert.deepEqual(problemsWith(FROM_FILE, {}), [
      `error 10:22 the key file ${PATH} cannot be read: there is no such file`,
    ]);
    assert.deepEqual(problemsWith(FROM_FILE, { [PATH]: { content: TEXT.slice(0, 31), mode: 0o600 } }), [
      `error 10:22 the key file ${PATH}: the key is 31 bytes long`,
    ]);
    assert.deepEqual(problemsWith("{ 1: credential:vrrp-key }", {}, null), [
      "error 10:22 the key is a systemd credential, and this process was given none ($CREDENTIALS_DIRECTORY is not set)",
    ]);
    assert.deepEqual(problemsWith("{ 1: credential:vrrp-key }", {}, "/run/c"), [
      "error 10:22 the credential vrrp-key cannot be read: there is no such file",
    ]);
    const second = `{ 1: file:${PATH}, 2: file:/etc/holdfast/next.key }\n          active: 1`;
    assert.deepEqual(problemsWith(second, { [PATH]: { content: TEXT, mode: 0o600 } }), [
      "error 10:54 the key file /etc/holdfast/next.key cannot be read: there is no such file",
    ]);
  });

  it("does not judge credentials where there can be none, for `check`", () => {
    assert.deepEqual(problemsWith("{ 1: credential:vrrp-key }", {}), []);
  });

  for (const [mode, isExposed] of [
    [0o600, false],
    [0o640, true],
    [0o604, true],
    [0o400, false],
  ] as const) {
    it(`mode ${mode.toString(8)}: ${isExposed ? "a warning" : "well kept"}`, () => {
      const expected = `warning 10:22 the key file ${PATH} may be read by others than its owner`;
      assert.deepEqual(problemsWith(FROM_FILE, { [PATH]: { content: TEXT, mode } }), isExposed ? [expected] : []);
    });
  }

  it("tells whose keys changed", () => {
    const key = (id: number, hex: string) => [{ id, hex }];
    const before = { a: key(1, "aa"), b: key(1, "bb"), gone: key(1, "cc") };
    assert.deepEqual(changedKeys(before, { a: key(1, "aa"), b: key(1, "bc"), fresh: key(2, "dd") }), ["b"]);
  });
});
