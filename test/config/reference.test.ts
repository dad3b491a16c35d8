import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { formatDurationUs } from "../../src/base/duration.ts";
import { DEFAULTS } from "../../src/config/defaults.ts";
import { loadConfig } from "../../src/config/load.ts";
import { referencePage } from "../../src/config/reference.ts";
import { formatSize } from "../../src/config/schema/scalars.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

describe("docs/configuration.md", () => {
  it("is what the schema says; UPDATE_FIXTURES=1 rewrites it", () => {
    const path = `${root}/docs/configuration.md`;
    const page = referencePage();
    if (process.env.UPDATE_FIXTURES === "1") writeFileSync(path, page);
    assert.equal(readFileSync(path, "utf8"), page);
  });

  it("names the defaults that the model gets", () => {
    const rows = new Map<string, string>();
    let section = "";
    for (const line of referencePage().split("\n")) {
      section = /^## `(.*)`$/.exec(line)?.[1] ?? section;
      const [, key, shown] = /^\| `(.*?)` \| .*? \| (.*?) \| /.exec(line) ?? [];
      if (key !== undefined) rows.set(`${section} ${key}`, shown ?? "");
    }
    const documented = (key: string): string | undefined => rows.get(key);
    assert.equal(documented("log level"), DEFAULTS.logLevel);
    assert.equal(documented("log format"), DEFAULTS.logFormat);
    assert.equal(documented("ipvs onStop"), DEFAULTS.onStop);
    assert.equal(documented("ipvs manageSysctls"), String(DEFAULTS.manageSysctls));
    assert.equal(documented("ipvs drift"), DEFAULTS.drift);
    assert.equal(documented("ipvs driftInterval"), formatDurationUs(DEFAULTS.driftIntervalUs));
    assert.equal(documented("scripts maxConcurrent"), String(DEFAULTS.maxConcurrentScripts));
    assert.equal(documented("defaults.check interval"), formatDurationUs(DEFAULTS.checkIntervalUs));
    assert.match(
      documented("defaults.check timeout") ?? "",
      new RegExp(`^${formatDurationUs(DEFAULTS.checkTimeoutUs)},`),
    );
    assert.equal(documented("defaults.check rise"), String(DEFAULTS.rise));
    assert.equal(documented("defaults.check fall"), String(DEFAULTS.fall));
    assert.equal(documented("vrrp.instances.NAME priority"), String(DEFAULTS.priority));
    assert.equal(documented("vrrp.instances.NAME advertise"), formatDurationUs(DEFAULTS.advertIntervalUs));
    assert.equal(documented("vrrp.instances.NAME checksum"), DEFAULTS.checksum);
    assert.equal(documented("services.NAME scheduler"), DEFAULTS.scheduler);
    assert.equal(documented("services.NAME forward"), DEFAULTS.forward);
    assert.equal(documented("services.NAME onDown"), DEFAULTS.onDown);
    assert.equal(documented("services.NAME.servers[] weight"), String(DEFAULTS.weight));
    assert.equal(documented("services.NAME.checks[].http path"), DEFAULTS.path);
    assert.equal(documented("services.NAME.checks[].http method"), DEFAULTS.method);
    assert.equal(documented("services.NAME.checks[].http maxBody"), formatSize(DEFAULTS.maxBodyBytes));
    const { from, to } = DEFAULTS.expectStatus;
    assert.equal(documented("services.NAME.checks[].http.expect status"), `${from}-${to}`);
  });

  it("describes every key", () => {
    for (const line of referencePage().split("\n")) {
      if (!line.startsWith("| `")) continue;
      const cells = line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "").trim());
      assert.equal(cells.length, 4, line);
      assert.ok(
        cells.every((cell) => cell !== ""),
        line,
      );
    }
  });
});

describe("example configurations", () => {
  const examples = ["holdfast.yaml", ...readdirSync(`${root}/etc/examples`).map((name) => `examples/${name}`)];

  for (const name of examples) {
    it(`etc/${name} loads without a warning`, () => {
      const main = { path: name, text: readFileSync(`${root}/etc/${name}`, "utf8"), folder: null };
      const result = loadConfig({ main, included: [], nodeName: "lb1" });
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.value.warnings, []);
      const { instances, services } = result.value.config;
      assert.ok(instances.length > 0 && services.length > 0);
    });
  }

  it("etc/examples/nat.yaml is the classic LVS example", () => {
    const text = readFileSync(`${root}/etc/examples/nat.yaml`, "utf8");
    const result = loadConfig({ main: { path: "nat.yaml", text, folder: null }, included: [], nodeName: "lb1" });
    assert.ok(result.ok);
    const table = result.value.config.services.map(({ listen, forward, servers }) => [
      listen.map(({ address, port }) => `${address}:${port}`).join(),
      forward,
      servers.map(({ address, port, weight }) => `${address}:${port} ${weight}`),
    ]);
    assert.deepEqual(table, [
      ["202.103.106.5:80", "nat", ["172.16.0.2:80 1", "172.16.0.3:8000 2"]],
      ["202.103.106.5:21", "nat", ["172.16.0.3:21 1"]],
    ]);
  });
});
