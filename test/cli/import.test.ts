import assert from "node:assert/strict";
import { EXIT } from "../../src/base/exit-codes.ts";
import { err, ok } from "../../src/base/result.ts";
import { importFile } from "../../src/cli/import.ts";
import type { FileAccess } from "../../src/config/file-access.ts";

function imported(text: string | null, format: "keepalived" | null = null) {
  const printed = { out: "", err: "" };
  const output = (name: "out" | "err") => ({
    write: (part: string) => {
      printed[name] += part;
    },
    isTerminal: false,
  });
  const read = () => (text === null ? err("there is no such file") : ok(new TextEncoder().encode(text)));
  const files = { read } as unknown as FileAccess;
  const terminal = { out: output("out"), err: output("err"), env: {} };
  const exitCode = importFile({ file: "old.conf", format, nodeName: "lb1" }, terminal, files);
  return { exitCode, ...printed };
}

const WHOLE = "vrrp_instance web {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 192.0.2.10/24 }\n}\n";

describe("holdfast import", () => {
  it("prints YAML on stdout and nothing on stderr where all of it is carried over", () => {
    const { exitCode, out, err: said } = imported(WHOLE);
    assert.equal(said, "");
    assert.equal(exitCode, EXIT.OK);
    assert.match(out, /^# From old\.conf \(keepalived\)\..*\nvrrp:\n {2}instances:\n {4}web:\n/);
  });

  it("says what is left out by its line, and ends with 1", () => {
    const { exitCode, out, err: said } = imported(WHOLE.replace("\n}", "\n notify x\n}"));
    assert.equal(exitCode, EXIT.FAILED);
    assert.match(said, /^old\.conf:5: `notify x` is not carried over: .*\n$/);
    assert.match(out, /vrid: 1/);
  });

  it("says what the result lacks, by its line", () => {
    const { exitCode, out, err: said } = imported("vrrp_instance web {\n interface eth0\n}\n");
    assert.equal(exitCode, EXIT.FAILED);
    const [, line = "0"] = /^line (\d+) of the result: vrrp\.instances\.web.*vrid/m.exec(said) ?? [];
    assert.match(out.split("\n")[Number(line) - 1] ?? "", /web:/);
  });

  it("refuses what it does not recognise, what is empty and what it cannot read, in one sentence", () => {
    assert.match(imported("hello").err, /^holdfast: old\.conf looks like none of .* Say which it is by --format\.\n$/);
    assert.match(imported("hello", "keepalived").err, /nothing that could be carried over\.\n$/);
    assert.match(imported(null).err, /^holdfast: old\.conf cannot be read: there is no such file\./);
    for (const text of ["hello", null])
      assert.deepEqual([imported(text).exitCode, imported(text).out], [EXIT.FAILED, ""]);
  });
});
