import assert from "node:assert/strict";
import { loadConfigFiles } from "../../src/config/load-files.ts";
import { type FakeFile, fakeFiles } from "./support.ts";

const INSTANCE = "vrrp: { instances: { web4: { interface: eth0, vrid: 51, addresses: [192.0.2.10/24] } } }\n";
const service = (name: string, port: number, checks: string) =>
  `services: { ${name}: { listen: 192.0.2.10:${port}, servers: [10.0.0.11:80], checks: [${checks}] } }\n`;

function loadAll(files: Readonly<Record<string, FakeFile>>, folders?: Readonly<Record<string, number>>) {
  return loadConfigFiles("holdfast.yaml", { nodeName: "lb1" }, fakeFiles(files, folders));
}

/** Findings about one script, whose mode and folder modes are given. */
function scriptFindings(file: FakeFile | null, folders: Readonly<Record<string, number>> = {}): string[] {
  const config = INSTANCE + service("web", 80, "{ script: { run: [/opt/checks/load.sh] } }");
  const result = loadAll(
    { "/etc/holdfast/holdfast.yaml": { content: config }, ...(file === null ? {} : { "/opt/checks/load.sh": file }) },
    folders,
  );
  assert.ok(result.ok);
  return result.value.fileProblems.map(
    ({ severity, message, keyPath }) => `${severity} ${keyPath.slice(-6)} ${message}`,
  );
}

describe("loading files", () => {
  it("reads what include finds, sorted, each file once", () => {
    const result = loadAll({
      "/etc/holdfast/holdfast.yaml": {
        content: `${INSTANCE}include: [conf.d/*.yaml, conf.d/b.yaml, "/srv/?/*/x.yaml"]\n`,
      },
      "/etc/holdfast/conf.d/b.yaml": { content: service("b", 81, "tcp") },
      "/etc/holdfast/conf.d/a.yaml": { content: service("a", 80, "tcp") },
      "/etc/holdfast/conf.d/c.yml": { content: "not read: {" },
      "/etc/holdfast/conf.d/.d.yaml": { content: "not read: {" },
      "/srv/1/deep/x.yaml": { content: service("c", 82, "tcp") },
      "/srv/22/deep/x.yaml": { content: "not read: {" },
    });
    assert.ok(result.ok, JSON.stringify(result));
    assert.deepEqual(
      result.value.config.services.map(({ name }) => name),
      ["a", "b", "c"],
    );
    assert.deepEqual(result.value.files, [
      "/etc/holdfast/holdfast.yaml",
      "/etc/holdfast/conf.d/a.yaml",
      "/etc/holdfast/conf.d/b.yaml",
      "/srv/1/deep/x.yaml",
    ]);
  });

  it("lets a pattern match nothing in a folder that is there, and misses the folder otherwise", () => {
    const main = { content: `${INSTANCE}include: [conf.d/*.yaml]\n` };
    assert.ok(loadAll({ "/etc/holdfast/holdfast.yaml": main }, { "/etc/holdfast/conf.d": 0o755 }).ok);
    const missing = loadAll({ "/etc/holdfast/holdfast.yaml": main });
    assert.deepEqual(missing.ok ? [] : missing.error.map(({ code, keyPath }) => [code, keyPath]), [
      ["bad-include", "include[0]"],
    ]);
  });

  it("says where the bytes of an included file are not UTF-8, together with the problems of the others", () => {
    const result = loadAll({
      "/etc/holdfast/holdfast.yaml": { content: "nod: lb1\ninclude: [a.yaml]\n" },
      "/etc/holdfast/a.yaml": { content: Buffer.from("# ok\n# \xe4\n", "latin1") },
    });
    assert.deepEqual(
      result.ok ? [] : result.error.map(({ code, location }) => [code, location.file, location.line, location.column]),
      [
        ["unknown-key", "holdfast.yaml", 1, 1],
        ["not-utf8", "/etc/holdfast/a.yaml", 2, 3],
      ],
    );
  });

  it("calls a UTF-16 file by its name", () => {
    const result = loadAll({ "/etc/holdfast/holdfast.yaml": { content: Buffer.from("\ufeffnode: lb1", "utf16le") } });
    assert.match(result.ok ? "" : (result.error[0]?.hint ?? ""), /UTF-16/);
  });

  it("looks at scripts as whoever runs them should", () => {
    assert.deepEqual(scriptFindings({ mode: 0o755 }), []);
    assert.deepEqual(scriptFindings(null), ["error run[0] the script does not exist"]);
    assert.deepEqual(scriptFindings({ mode: 0o644 }), ["error run[0] the script is not executable"]);
    assert.match(scriptFindings({ mode: 0o757 })[0] ?? "", /may be written by every user/);
    assert.match(scriptFindings({ mode: 0o755 }, { "/opt": 0o777 })[0] ?? "", /the folder \/opt may be written by all/);
    assert.deepEqual(scriptFindings({ mode: 0o755 }, { "/opt": 0o1777 }), []);
  });

  it("looks at certificates, at relative paths beside the file that names them", () => {
    const checks = "{ https: { tls: { ca: ca.pem, cert: c.pem, key: k.pem } } }";
    const result = loadAll({
      "/etc/holdfast/holdfast.yaml": { content: `${INSTANCE}include: [more/web.yaml]\n` },
      "/etc/holdfast/more/web.yaml": { content: service("web", 80, checks) },
      "/etc/holdfast/more/c.pem": { isReadable: false },
      "/etc/holdfast/more/k.pem": { mode: 0o644 },
    });
    assert.ok(result.ok, JSON.stringify(result));
    assert.deepEqual(
      result.value.fileProblems.map(({ severity, message, keyPath }) => [severity, keyPath.split(".").at(-1), message]),
      [
        ["error", "ca", "the file does not exist (/etc/holdfast/more/ca.pem)"],
        ["error", "cert", "the file cannot be read by this user"],
        ["warning", "key", "the key may be read by every user"],
      ],
    );
  });

  it("looks at certificates that are credentials, where there can be some", () => {
    const checks = "{ https: { tls: { cert: { credential: c }, key: { credential: k } } } }";
    const findings = (credentialsDir?: string | null) => {
      const files = { "/etc/holdfast/holdfast.yaml": { content: INSTANCE + service("web", 80, checks) } };
      const all = fakeFiles({ ...files, "/run/c/c": { mode: 0o444 }, "/run/c/k": { mode: 0o444 } });
      const options = { nodeName: "lb1", ...(credentialsDir === undefined ? {} : { credentialsDir }) };
      const result = loadConfigFiles("holdfast.yaml", options, all);
      assert.ok(result.ok, JSON.stringify(result));
      return result.value.fileProblems.map(({ severity, message }) => `${severity} ${message}`);
    };
    assert.deepEqual(findings("/run/c"), [], "their mode is systemd's affair");
    assert.deepEqual(findings(), [], "`check` runs where there are none");
    const none = "this is a systemd credential, and this process was given none ($CREDENTIALS_DIRECTORY is not set)";
    assert.deepEqual(findings(null), [`error ${none}`, `error ${none}`]);
    assert.deepEqual(findings("/run/other"), [
      "error the file does not exist (/run/other/c)",
      "error the file does not exist (/run/other/k)",
    ]);
  });
});
