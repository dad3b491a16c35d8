import assert from "node:assert/strict";
import { patternsOf } from "../../src/config/load.ts";
import type { DirectorConfig } from "../../src/config/model.ts";
import { ParsedFile } from "../../src/config/parsed-file.ts";
import { load, problemsOf, source } from "./support.ts";

function modelOf(text: string, ...included: readonly string[]): DirectorConfig {
  const result = load(text, ...included);
  assert.ok(result.ok, JSON.stringify(result.ok ? null : result.error, null, 1));
  return result.value.config;
}

const INSTANCE = "vrrp: { instances: { web4: { interface: eth0, vrid: 51, addresses: [192.0.2.10/24] } } }\n";

describe("loading a configuration", () => {
  it("fills in every default", () => {
    const config = modelOf(
      `${INSTANCE}services: { web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80], checks: [tcp, http] } }`,
    );
    const timing = { intervalUs: 2_000_000, timeoutUs: 1_000_000, rise: 2, fall: 3 };
    assert.deepEqual(config, {
      node: "this-host",
      log: { level: "info", format: "text" },
      ipvs: { onStop: "remove", manageSysctls: false, drift: "repair", driftIntervalUs: 10_000_000 },
      scripts: { maxConcurrent: 64 },
      instances: [
        {
          name: "web4",
          interface: "eth0",
          vrid: 51,
          priority: 100,
          advertIntervalUs: 1_000_000,
          preempt: { mode: "always" },
          checksum: "pseudo-header",
          transport: { type: "multicast" },
          hmac: null,
          track: { interfaces: [], scripts: [], services: [] },
          addresses: [{ address: "192.0.2.10", prefixLength: 24 }],
        },
      ],
      groups: [],
      sync: null,
      metrics: null,
      vrrp: { realtime: false },
      services: [
        {
          name: "web",
          listen: [{ protocol: "tcp", address: "192.0.2.10", port: 80 }],
          scheduler: "wlc",
          hashFallback: false,
          hashPort: false,
          persistence: null,
          forward: "nat",
          tunnel: null,
          onDown: "remove",
          servers: [
            {
              address: "10.0.0.11",
              port: 80,
              weight: 1,
              checks: [
                { type: "tcp", name: "tcp", ...timing, port: null },
                {
                  type: "http",
                  name: "http",
                  ...timing,
                  port: null,
                  method: "GET",
                  path: "/",
                  host: null,
                  headers: {},
                  expectStatus: [{ from: 200, to: 299 }],
                  expectBody: null,
                  maxBodyBytes: 65_536,
                  tls: null,
                },
              ],
            },
          ],
        },
      ],
      schedules: [],
      drills: { probe: null, keep: 50 },
    } satisfies DirectorConfig);
  });

  it("reads where metrics are served: a port alone means this machine, an open address is warned about", () => {
    const web4 = "vrrp: { instances: { web4: { interface: eth0, vrid: 51, addresses: [192.0.2.10/24] } } }\n";
    const read = (listen: string) => load(`metrics: { listen: ${listen} }\n${web4}`);
    for (const [listen, address] of [
      ["9650", "127.0.0.1"],
      ["127.0.0.1:9650", "127.0.0.1"],
      ['"[::1]:9650"', "::1"],
    ] as const) {
      const loaded = read(listen);
      assert.ok(loaded.ok);
      assert.deepEqual(loaded.value.config.metrics, { listen: { address, port: 9650 } });
      assert.deepEqual(loaded.value.warnings, []);
    }
    for (const listen of ["0.0.0.0:9650", "192.0.2.2:9650", '"[2001:db8::2]:9650"']) {
      const loaded = read(listen);
      assert.ok(loaded.ok);
      assert.deepEqual(
        loaded.value.warnings.map(({ keyPath, message }) => [keyPath, message]),
        [
          [
            "metrics.listen",
            `everybody who reaches ${listen.replaceAll('"', "")} can read the metrics, without a password`,
          ],
        ],
      );
    }
    for (const listen of ["0", "70000", "1e20", '"9650"', "localhost:9650", "127.0.0.1", "true", "[9650]", ""])
      assert.ok(!read(listen).ok);
  });

  it("reads everything that can be said", () => {
    const config = modelOf(`
node: lb1
log: { level: debug, format: json }
ipvs: { onStop: keep, manageSysctls: true, drift: report, driftInterval: 1m }
scripts: { maxConcurrent: 8 }
defaults: { check: { interval: 4s, timeout: 3s, rise: 1, fall: 5 } }
vrrp:
  instances:
    a: { interface: eth0.100, vrid: 1, priority: 255, advertise: 10ms, transport: multicast, preempt: true, checksum: message-only, addresses: [192.0.2.10/24, 192.0.2.11/32] }
    b: { interface: eth0, vrid: 255, priority: 1, advertise: 40.95s, preempt: { delay: 60s }, addresses: [192.0.2.12/24] }
    c: { interface: eth1, vrid: 255, preempt: false, addresses: [192.0.2.13/24] }
services:
  web:
    listen: [192.0.2.10:80, udp://192.0.2.10:80]
    scheduler: mh
    hash: { fallback: true, port: true }
    persistence: { timeout: 5m, prefix: 24 }
    forward: dr
    onDown: quiesce
    servers:
      - 10.0.0.11:80
      - { address: 10.0.0.12:80, weight: 0, checks: [] }
      - { address: 10.0.0.13:80, weight: 65535, checks: [tcp, { tcp: { port: 81, interval: 50ms, timeout: 50ms, rise: 100, fall: 1 } }] }
    checks:
      - https:
          path: /healthz?a=b
          method: POST
          host: www.example.org:8443
          headers: { X-Probe: holdfast }
          expect: { status: [200, 301-302], body: { matches: '^ok\\d' } }
          port: 8443
          maxBody: 1MiB
          interval: 5s
          tls: { verify: false, serverName: other.example.org, ca: /ca.pem, cert: tls/c.pem, key: tls/k.pem }
      - script: { run: [/bin/true, "-v"], weight: true }
  v6:
    listen: "[2001:DB8::10]:80"
    persistence: 300s
    servers: ["[2001:db8:1::11]:8080"]
    checks: [{ http: { expect: { status: 204, body: { contains: ok } } } }]
schedules:
  - { name: nightly, cron: "0 4 * * *", timezone: Europe/Berlin, action: reconcile }
  - { name: often, cron: "*/10 * * * * *", action: reload }
`);
    assert.deepEqual(
      [config.node, config.log, config.ipvs, config.scripts],
      [
        "lb1",
        { level: "debug", format: "json" },
        { onStop: "keep", manageSysctls: true, drift: "report", driftIntervalUs: 60_000_000 },
        { maxConcurrent: 8 },
      ],
    );
    assert.deepEqual(
      config.instances.map(({ advertIntervalUs, preempt, priority }) => ({ advertIntervalUs, preempt, priority })),
      [
        { advertIntervalUs: 10_000, preempt: { mode: "always" }, priority: 255 },
        { advertIntervalUs: 40_950_000, preempt: { mode: "delay", delayUs: 60_000_000 }, priority: 1 },
        { advertIntervalUs: 1_000_000, preempt: { mode: "never" }, priority: 100 },
      ],
    );
    const [web, v6] = config.services;
    assert.deepEqual(web?.persistence, { timeoutS: 300, prefixLength: 24 });
    assert.deepEqual(v6?.persistence, { timeoutS: 300, prefixLength: 128 });
    assert.deepEqual([web?.hashFallback, web?.hashPort, web?.onDown, web?.forward], [true, true, "quiesce", "dr"]);
    assert.deepEqual(v6?.listen, [{ protocol: "tcp", address: "2001:db8::10", port: 80 }]);
    assert.deepEqual(
      web?.servers.map(({ weight, checks }) => [weight, checks.map(({ name }) => name)]),
      [
        [1, ["https", "script"]],
        [0, []],
        [65535, ["tcp", "tcp-2"]],
      ],
    );
    assert.deepEqual(web?.servers[0]?.checks, [
      {
        type: "http",
        name: "https",
        intervalUs: 5_000_000,
        timeoutUs: 3_000_000,
        rise: 1,
        fall: 5,
        port: 8443,
        method: "POST",
        path: "/healthz?a=b",
        host: "www.example.org:8443",
        headers: { "X-Probe": "holdfast" },
        expectStatus: [
          { from: 200, to: 200 },
          { from: 301, to: 302 },
        ],
        expectBody: { type: "matches", pattern: "^ok\\d" },
        maxBodyBytes: 1_048_576,
        tls: {
          verify: false,
          serverName: "other.example.org",
          caFile: "/ca.pem",
          certFile: "/etc/holdfast/tls/c.pem",
          keyFile: "/etc/holdfast/tls/k.pem",
        },
      },
      {
        type: "script",
        name: "script",
        intervalUs: 4_000_000,
        timeoutUs: 3_000_000,
        rise: 1,
        fall: 5,
        command: ["/bin/true", "-v"],
        setsWeight: true,
      },
    ]);
    assert.deepEqual(config.schedules, [
      { name: "nightly", cron: "0 4 * * *", timezone: "Europe/Berlin", action: { type: "reconcile" } },
      { name: "often", cron: "*/10 * * * * *", timezone: null, action: { type: "reload" } },
    ]);
  });

  it("shrinks a timeout that nobody wrote to a short interval", () => {
    const text = `${INSTANCE}services: { web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80], checks: [{ tcp: { interval: 200ms } }] } }`;
    assert.equal(modelOf(text).services[0]?.servers[0]?.checks[0]?.timeoutUs, 200_000);
  });

  it("resolves anchors, aliases and merge keys", () => {
    const config = modelOf(`${INSTANCE}
services:
  web: &web { listen: 192.0.2.10:80, scheduler: rr, servers: [10.0.0.11:80], checks: &checks [tcp] }
  shop: { <<: *web, listen: 192.0.2.10:443, checks: *checks }
  other: { <<: [{ scheduler: lc }, *web], listen: 192.0.2.10:81 }
`);
    assert.deepEqual(
      config.services.map(({ scheduler, listen }) => [scheduler, listen[0]?.port]),
      [
        ["rr", 80],
        ["rr", 443],
        ["lc", 81],
      ],
    );
  });

  it("joins included files, which may be empty", () => {
    const extra = "services: { web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80], checks: [tcp] } }";
    const config = modelOf(INSTANCE, extra, "# nothing", "schedules: [{ name: a, cron: '@daily', action: reload }]");
    assert.deepEqual([config.instances.length, config.services.length, config.schedules.length], [1, 1, 1]);
  });

  it("tells which files to include before it loads", () => {
    assert.deepEqual(patternsOf(new ParsedFile(source("include: [conf.d/*.yaml, /etc/more.yaml]"))), [
      { pattern: "conf.d/*.yaml", index: 0 },
      { pattern: "/etc/more.yaml", index: 1 },
    ]);
    for (const text of ["", "include: [", "include: 5", "include: [5, {}]", "- include"]) {
      assert.deepEqual(patternsOf(new ParsedFile(source(text))), [], text);
    }
  });

  it("accepts a byte order mark and Windows line ends, and counts columns as an editor does", () => {
    assert.ok(load(`\ufeff${INSTANCE}`.replaceAll("\n", "\r\n")).ok);
    const [problem] = problemsOf("\ufeffnod: lb1\r\n");
    assert.deepEqual(problem?.location, { file: "holdfast.yaml", line: 1, column: 1 });
  });
});

describe("problems of a configuration", () => {
  it("reports an aliased mistake once, where it is written", () => {
    const text = `${INSTANCE}
services:
  web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80], checks: &checks [{ tcp: { port: 0 } }] }
  shop: { listen: 192.0.2.10:443, servers: [10.0.0.11:80], checks: *checks }
`;
    const problems = problemsOf(text);
    assert.deepEqual(
      problems.map(({ location, keyPath }) => [location.line, keyPath]),
      [[4, "services.web.checks[0].tcp.port"]],
    );
  });

  it("lets no mistake in one part hide those in others", () => {
    const codes = problemsOf(`
nod: lb1
vrrp:
  instances:
    a: { interface: eth0, vrid: 7, adresses: [], addresses: [192.0.2.10/24] }
    b: { interface: eth0, vrid: 7, addresses: [192.0.2.10/24] }
services:
  web: { listen: 192.0.2.10:80, sheduler: rr, servers: [10.0.0.11:80], checks: [tcp] }
  shop: { listen: 192.0.2.10:80, servers: [10.0.0.11:80, 10.0.0.11:80], checks: [{ tcp: { port: 0 } }] }
`).map(({ code, location }) => `${location.line} ${code}`);
    assert.deepEqual(codes, [
      "2 unknown-key",
      "5 unknown-key",
      "6 conflict",
      "6 conflict",
      "8 unknown-key",
      "9 conflict",
      "9 conflict",
      "9 bad-value",
    ]);
  });

  it("does not warn about what a broken part may contain", () => {
    const problems = problemsOf(
      "vrrp: { instances: { a: 5 } }\nservices: { web: { listen: 192.0.2.10:80, servers: [10.0.0.1:80], checks: [tcp] } }",
    );
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["wrong-type"],
    );
  });

  it("keeps to a hundred, and says how many more there are", () => {
    const services = Array.from({ length: 500 }, (_, index) => `  s${index}: 5`).join("\n");
    const problems = problemsOf(`services:\n${services}\n`);
    assert.equal(problems.length, 100);
    assert.equal(problems.at(-1)?.message, "at least 401 more problems are not shown");
  });

  it("knows words that are properties of every object", () => {
    for (const word of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      const problems = problemsOf(
        `${word}: 1\nlog: { ${word}: 1, level: ${word} }\nservices: { ${word}: { forward: ${word} } }`,
      );
      assert.ok(problems.length >= 2, word);
      assert.ok(!load(`services: { web: { listen: 192.0.2.10:80, servers: [], ${word}: {} } }`).ok, word);
    }
  });

  it("warns that there is nothing to do", () => {
    assert.deepEqual(
      problemsOf("node: lb1").map(({ severity, code }) => [severity, code]),
      [["warning", "suspicious"]],
    );
  });
});
