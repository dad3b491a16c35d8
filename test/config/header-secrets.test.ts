import assert from "node:assert/strict";
import { createServer } from "node:http";
import { checkerProcessConfig } from "../../src/app/child-configs.ts";
import { BodyPattern } from "../../src/checks/body-pattern.ts";
import { HttpChecker } from "../../src/checks/http.ts";
import { TlsContexts } from "../../src/checks/tls-settings.ts";
import { explain, withoutSecrets } from "../../src/config/explain.ts";
import { changedHeaderSecrets, decodeValue, type HeaderSecrets } from "../../src/config/header-secrets.ts";
import { loadConfigFiles } from "../../src/config/load-files.ts";
import { renderProblem } from "../../src/config/render.ts";
import { attemptBy } from "../support/attempts.ts";
import { target } from "../support/check-configs.ts";
import { listen } from "../support/servers.ts";
import { type FakeFile, fakeFiles } from "./support.ts";

const SECRET = "Bearer correct-horse-battery-staple";
const PATH = "/etc/holdfast/check.token";
const FROM_FILE = "{ file: check.token }";

function loadWith(value: string, files: Readonly<Record<string, FakeFile>>, credentialsDir?: string | null) {
  const yaml = `vrrp: { instances: { web4: { interface: eth0, vrid: 51, addresses: [192.0.2.10/24] } } }
services:
  web:
    listen: 192.0.2.10:80
    servers: [10.0.0.11:80, 10.0.0.12:80]
    checks:
      - http: { headers: { Authorization: ${value}, X-Probe: holdfast } }
`;
  const all = fakeFiles({ "/etc/holdfast/holdfast.yaml": { content: yaml }, ...files });
  const options = { nodeName: "lb1", ...(credentialsDir === undefined ? {} : { credentialsDir }) };
  return loadConfigFiles("holdfast.yaml", options, all);
}

function loadedWith(...given: Parameters<typeof loadWith>) {
  const loaded = loadWith(...given);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.value;
}

/** Problems as `severity line:column message`; none of them may show the secret. */
function problemsWith(...given: Parameters<typeof loadWith>): string[] {
  const loaded = loadWith(...given);
  const problems = loaded.ok ? loaded.value.fileProblems : loaded.error;
  for (const problem of problems) {
    const text = `${JSON.stringify(problem)}${renderProblem(problem)}`;
    assert.ok(!text.includes("correct-horse"), text);
  }
  return problems.map(
    ({ severity, location, message }) => `${severity} ${location.line}:${location.column} ${message}`,
  );
}

/** What the checker process is given for the first server. */
function sentHeaders(loaded: ReturnType<typeof loadedWith>) {
  const [check] = checkerProcessConfig(loaded, [], "/var/lib/holdfast").services[0]?.servers[0]?.checks ?? [];
  assert.ok(check?.type === "http");
  return check;
}

describe("what a file with the value of a header holds", () => {
  for (const [what, content, expected] of [
    ["one line", SECRET, SECRET],
    ["a line ending behind it", `${SECRET}\r\n`, SECRET],
    ["8192 characters", `${"x".repeat(8192)}\n`, "x".repeat(8192)],
    ["nothing", "\n", "is empty"],
    ["more than a header may have", "x".repeat(8193), "holds more than 8192 bytes"],
    [
      "another header behind it",
      `${SECRET}\r\nX-Admin: yes`,
      "holds more than one line, or bytes that are not printable ASCII",
    ],
    ["a tab", "Bearer\tx", "holds more than one line, or bytes that are not printable ASCII"],
    [
      "other encodings",
      Buffer.from("Bearer schlüssel"),
      "holds more than one line, or bytes that are not printable ASCII",
    ],
  ] as const) {
    it(what, () => {
      const value = decodeValue(typeof content === "string" ? Buffer.from(content, "latin1") : content);
      assert.equal(value.ok ? value.value : value.error.message, expected);
    });
  }
});

describe("values of headers from files and credentials", () => {
  const file = { [PATH]: { content: `${SECRET}\n`, mode: 0o600 } };

  it("are read from a file beside the configuration, and are not in it", () => {
    const loaded = loadedWith(FROM_FILE, file);
    assert.deepEqual(loaded.fileProblems, []);
    assert.deepEqual(sentHeaders(loaded).headers, { Authorization: SECRET, "X-Probe": "holdfast" });
    const text = explain(withoutSecrets(loaded.config));
    assert.match(text, /Authorization:\n +file: \/etc\/holdfast\/check\.token\n/);
    assert.ok(!`${JSON.stringify(loaded.config)}${text}`.includes("correct-horse"));
  });

  it("are read from a credential where systemd put it", () => {
    const credential = { "/run/c/check-token": { content: SECRET } };
    const loaded = loadedWith("{ credential: check-token }", credential, "/run/c");
    assert.deepEqual(loaded.fileProblems, [], "its mode is systemd's affair");
    assert.equal(sentHeaders(loaded).headers.Authorization, SECRET);
    assert.match(explain(loaded.config), /Authorization:\n +credential: check-token\n/);
  });

  it("are missed at the place that names them, once for all servers", () => {
    assert.deepEqual(problemsWith(FROM_FILE, {}), [
      `error 7:28 the secret file ${PATH} cannot be read: there is no such file`,
    ]);
    assert.deepEqual(problemsWith(FROM_FILE, { [PATH]: { content: `${SECRET}\n${SECRET}`, mode: 0o600 } }), [
      `error 7:28 the secret file ${PATH} holds more than one line, or bytes that are not printable ASCII`,
    ]);
    assert.deepEqual(problemsWith(FROM_FILE, { [PATH]: { content: SECRET, mode: 0o644 } }), [
      `warning 7:28 the secret file ${PATH} may be read by others than its owner`,
    ]);
    assert.deepEqual(problemsWith("{ credential: check-token }", {}, null), [
      "error 7:28 the secret is a systemd credential, and this process was given none ($CREDENTIALS_DIRECTORY is not set)",
    ]);
    assert.deepEqual(problemsWith("{ credential: check-token }", {}, "/run/c"), [
      "error 7:28 the credential check-token cannot be read: there is no such file",
    ]);
    assert.deepEqual(problemsWith("{ credential: check-token }", {}), [], "`check` runs where there are none");
  });

  it("stand in one place", () => {
    const both = "a secret stands in exactly one of `file` and `credential`";
    assert.deepEqual(problemsWith("{ file: a, credential: b }", {}), [`error 7:28 ${both}`]);
    assert.deepEqual(problemsWith("{}", {}), [`error 7:28 ${both}`]);
    assert.deepEqual(problemsWith("{ flie: a }", {}), ["error 7:45 unknown key `flie`"]);
    assert.deepEqual(problemsWith("{ credential: ../x }", {}), [
      "error 7:57 `credential` is not the name of a credential",
    ]);
  });

  it("are read again, and named where they changed", () => {
    const secretsOf = (content: string): HeaderSecrets =>
      loadedWith(FROM_FILE, { [PATH]: { content, mode: 0o600 } }).headerSecrets;
    assert.deepEqual(changedHeaderSecrets(secretsOf("a"), secretsOf("b\n")), [`file ${PATH}`]);
    assert.deepEqual(changedHeaderSecrets(secretsOf("a"), secretsOf("a\n")), []);
    assert.deepEqual(changedHeaderSecrets(secretsOf(""), secretsOf("a")), [`file ${PATH}`], "it was empty");
    assert.deepEqual(changedHeaderSecrets({}, secretsOf("a")), [], "a new one shows in the configuration");
  });

  it("let a check pass at a server that wants them; without one it fails and says which", async () => {
    const server = await listen(
      createServer((request, response) => {
        response.statusCode = request.headers.authorization === SECRET ? 200 : 401;
        response.end();
      }),
    );
    const attempt = async (files: Readonly<Record<string, FakeFile>>) => {
      const parts = { contexts: new TlsContexts(), pattern: (source: string) => new BodyPattern(source) };
      const check = sentHeaders(loadedWith(FROM_FILE, files));
      const checker = new HttpChecker({ check, target: target(server.port) }, parts);
      const outcome = await attemptBy(checker);
      checker.close();
      return outcome;
    };
    try {
      assert.deepEqual(await attempt(file), { passed: true, detail: "status 200" });
      const other = await attempt({ [PATH]: { content: "Bearer another", mode: 0o600 } });
      assert.ok(other.passed === false && other.reason === "status");
      assert.deepEqual(await attempt({}), {
        passed: false,
        reason: "secret_file",
        detail: `the header Authorization has no value: the file ${PATH} could not be used when the configuration was read`,
      });
    } finally {
      await server.close();
    }
  });
});
