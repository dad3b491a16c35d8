import assert from "node:assert/strict";
import { isConfigTexts, isOnDisk, KeptFiles, RecordingFiles } from "../../src/config/config-texts.ts";
import { loadConfigFiles } from "../../src/config/load-files.ts";
import { fakeFiles } from "./support.ts";

const MAIN = "/etc/holdfast/holdfast.yaml";
const PART = "/etc/holdfast/conf.d/a.yaml";
const INSTANCE = "vrrp: { instances: { web4: { interface: eth0, vrid: 51, addresses: [192.0.2.10/24] } } }\n";
const service = (name: string, port: number) =>
  `services: { ${name}: { listen: 192.0.2.10:${port}, servers: ["10.0.0.11:80"], checks: [] } } # grün\n`;
const INCLUDES = "include: [conf.d/*.yaml, more/*.yaml]\n";
const FOLDERS = { "/etc/holdfast/more": 0o755 };

function load(files: ReturnType<typeof fakeFiles>) {
  return loadConfigFiles("holdfast.yaml", { nodeName: "lb1" }, files);
}

describe("a configuration as it was kept", () => {
  const before = fakeFiles(
    { [MAIN]: { content: INSTANCE + INCLUDES }, [PART]: { content: service("a", 80) } },
    FOLDERS,
  );
  const recording = new RecordingFiles(before);
  const loaded = load(recording);
  assert.ok(loaded.ok);
  const texts = recording.textsOf(loaded.value.files);

  it("gives the same model again, whatever became of the files and beside them", () => {
    assert.deepEqual(
      texts.map(({ path }) => path),
      [MAIN, PART],
    );
    const after = fakeFiles(
      {
        [MAIN]: { content: "nonsense: 1\n" },
        "/etc/holdfast/conf.d/b.yaml": { content: service("b", 81) },
        "/etc/holdfast/more/c.yaml": { content: service("c", 82) },
      },
      FOLDERS,
    );
    const again = load(new KeptFiles(JSON.parse(JSON.stringify(texts)), after));
    assert.ok(again.ok, JSON.stringify(again));
    assert.deepEqual(again.value.config, loaded.value.config);
    assert.deepEqual(again.value.files, loaded.value.files);
  });

  it("tells whether the files still have the text", () => {
    assert.equal(isOnDisk(texts, before), true);
    const longer = fakeFiles({ [MAIN]: { content: INSTANCE + INCLUDES }, [PART]: { content: `${service("a", 80)}#` } });
    assert.equal(isOnDisk(texts, longer), false);
    assert.equal(isOnDisk(texts, fakeFiles({ [MAIN]: { content: INSTANCE + INCLUDES } })), false);
  });

  it("recognises what was kept", () => {
    assert.equal(isConfigTexts(texts), true);
    for (const bad of [[], null, [{ path: "x.yaml", text: "" }], [{ path: "/x" }], ["/x"]])
      assert.equal(isConfigTexts(bad), false, JSON.stringify(bad));
  });
});
