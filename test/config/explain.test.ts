import assert from "node:assert/strict";
import fc from "fast-check";
import { explain } from "../../src/config/explain.ts";
import {
  type CheckConfig,
  type DirectorConfig,
  FORWARD_METHODS,
  type InstanceConfig,
  SCHEDULERS,
  type ScheduleAction,
  type ServiceConfig,
} from "../../src/config/model.ts";
import { hmac, track, transport } from "../support/arbitrary-vrrp.ts";
import { searched } from "../support/search.ts";
import { load } from "./support.ts";

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const text = fc.string({ unit: fc.constantFrom(..." aZ09:#{}[],&*!|>'\"%@`-?=~\\/äß€"), minLength: 1, maxLength: 20 });
const port = fc.integer({ min: 1, max: 65535 });
const optionalPort = fc.option(port, { nil: null });

const timing = fc
  .record({
    intervalUs: fc.integer({ min: 50_000, max: 3_600_000_000 }),
    timeoutUs: fc.integer({ min: 10_000, max: 3_600_000_000 }),
    rise: fc.integer({ min: 1, max: 100 }),
    fall: fc.integer({ min: 1, max: 100 }),
  })
  .map((times) => ({ ...times, timeoutUs: Math.min(times.timeoutUs, times.intervalUs) }));

const headerName = fc.stringMatching(/^X-[A-Za-z0-9]{1,10}$/);
/** A value that stands elsewhere. */
const source = fc.constantFrom(
  { type: "file" as const, path: "/etc/holdfast/check.token" },
  { type: "credential" as const, name: "check-token" },
);
const pemPath = fc.option(fc.constantFrom("/etc/ca.pem", "/a b/c.pem"), { nil: null });
const tls = fc
  .record({
    verify: fc.boolean(),
    serverName: fc.option(fc.constantFrom("www.example.org", "1.2.3"), { nil: null }),
    caFile: pemPath,
    certFile: fc.oneof(pemPath, fc.constant({ type: "credential" as const, name: "check-cert" })),
    keyFile: fc.constantFrom("/k.pem", { type: "credential" as const, name: "check-key" }),
  })
  .map((settings) => (settings.certFile === null ? { ...settings, keyFile: null } : settings));

const http = fc.record({
  type: fc.constant("http" as const),
  port: optionalPort,
  method: fc.constantFrom("GET", "POST", "OPTIONS"),
  path: fc.constantFrom("/", "/healthz?a=b&c=*", "/%20: x".replace(" ", "")),
  host: fc.option(fc.constantFrom("www.example.org", "[2001:db8::1]:8080", "5"), { nil: null }),
  headers: fc.dictionary(headerName, fc.oneof(text, source), { maxKeys: 3, noNullPrototype: true }),
  expectStatus: fc.array(
    fc
      .tuple(fc.integer({ min: 100, max: 599 }), fc.integer({ min: 100, max: 599 }))
      .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) })),
    { minLength: 1, maxLength: 3 },
  ),
  expectBody: fc.option(
    fc.oneof(
      text.map((content) => ({ type: "contains" as const, text: content })),
      fc.constantFrom("^ok$", "\\d+: \\w").map((pattern) => ({ type: "matches" as const, pattern })),
    ),
    { nil: null },
  ),
  maxBodyBytes: fc.integer({ min: 1, max: 1_048_576 }),
  tls: fc.option(tls, { nil: null }),
});
const tcp = fc.record({ type: fc.constant("tcp" as const), port: optionalPort });
const script = fc.record({
  type: fc.constant("script" as const),
  command: fc.array(text, { maxLength: 3 }).map((words): [string, ...string[]] => ["/bin/check", ...words]),
  setsWeight: fc.boolean(),
});

/** Checks of one server, named as the loader names them. */
const checks = fc.array(fc.tuple(fc.oneof(tcp, http, script), timing), { maxLength: 3 }).map((list): CheckConfig[] => {
  const counts = new Map<string, number>();
  return list.map(([check, times]) => {
    const kind = check.type === "http" && check.tls !== null ? "https" : check.type;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    return { ...check, ...times, name: count === 1 ? kind : `${kind}-${count}` };
  });
});

/** A service whose addresses belong to it alone, so that services do not collide. */
function service(index: number, serviceName: string): fc.Arbitrary<ServiceConfig> {
  return fc
    .record({
      isIpv6: fc.boolean(),
      port,
      otherPort: port,
      protocols: fc.constantFrom(["tcp"] as const, ["udp"] as const, ["tcp", "udp"] as const),
      scheduler: fc.constantFrom(...SCHEDULERS),
      hash: fc.tuple(fc.boolean(), fc.boolean()),
      persistence: fc.option(
        fc.record({ timeoutS: fc.integer({ min: 1, max: 86_400 }), prefixLength: fc.integer({ min: 1, max: 32 }) }),
        { nil: null },
      ),
      forward: fc.constantFrom(...FORWARD_METHODS),
      tunnel: fc.oneof(
        fc.constantFrom({ type: "ipip" as const }, { type: "gre" as const }),
        fc.integer({ min: 1, max: 65_535 }).map((udpPort) => ({ type: "gue" as const, port: udpPort })),
      ),
      onDown: fc.constantFrom("remove" as const, "quiesce" as const),
      shared: fc.option(checks, { nil: null }),
      servers: fc.array(fc.record({ weight: fc.integer({ min: 0, max: 65_535 }), checks }), { maxLength: 4 }),
    })
    .map((drawn) => {
      const isHashed = drawn.scheduler === "sh" || drawn.scheduler === "mh";
      const listen = drawn.isIpv6 ? `2001:db8:${index + 1}::1` : `10.${index}.0.1`;
      return {
        name: serviceName,
        listen: drawn.protocols.map((protocol) => ({ protocol, address: listen, port: drawn.port })),
        scheduler: drawn.scheduler,
        hashFallback: isHashed && drawn.hash[0],
        hashPort: isHashed && drawn.hash[1],
        persistence: drawn.persistence,
        forward: drawn.forward,
        tunnel: drawn.forward === "tun" ? drawn.tunnel : null,
        onDown: drawn.onDown,
        servers: drawn.servers.map((server, at) => ({
          address: drawn.isIpv6 ? `2001:db8:${index + 1}::2:${at + 1}` : `10.${index}.1.${at + 1}`,
          port: drawn.forward === "nat" ? drawn.otherPort : drawn.port,
          weight: server.weight,
          checks: drawn.shared ?? server.checks,
        })),
      };
    });
}

/** fast-check makes objects without a prototype; the loader makes plain ones. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

const names = fc.uniqueArray(name, { maxLength: 4 });

function instance(each: string, index: number, servable: readonly string[]): fc.Arbitrary<InstanceConfig> {
  return fc.record({
    name: fc.constant(each),
    interface: fc.constantFrom("eth0", "bond0.100", "123"),
    vrid: fc.constant(index + 1),
    priority: fc.integer({ min: 1, max: 254 }),
    advertIntervalUs: fc.integer({ min: 1, max: 4095 }).map((cs) => cs * 10_000),
    preempt: fc.oneof(
      fc.constant({ mode: "always" as const }),
      fc.constant({ mode: "never" as const }),
      fc.integer({ min: 10_000, max: 3_600_000_000 }).map((delayUs) => ({ mode: "delay" as const, delayUs })),
    ),
    checksum: fc.constantFrom("pseudo-header" as const, "message-only" as const),
    transport,
    hmac,
    track: track(servable),
    addresses: fc
      .uniqueArray(fc.integer({ min: 1, max: 254 }), { minLength: 1, maxLength: 4 })
      .map((hosts) => hosts.map((host) => ({ address: `192.0.${index}.${host}`, prefixLength: 24 }))),
  });
}

const us = (min: number) => fc.option(fc.integer({ min, max: 600_000_000 }), { nil: null });

function action(services: readonly ServiceConfig[], instances: readonly string[]): fc.Arbitrary<ScheduleAction> {
  const plain = fc.constantFrom({ type: "reload" as const }, { type: "reconcile" as const });
  const drill = (instance: string): fc.Arbitrary<ScheduleAction> =>
    fc.record({
      type: fc.constant("drill" as const),
      instance: fc.constant(instance),
      kind: fc.constantFrom("handover" as const, "takeover" as const),
      target: fc.option(fc.constantFrom("icmp://192.0.2.10", "http://192.0.2.10:8080/a?b=c#d"), { nil: null }),
      maxGapUs: us(0),
      maxFailed: fc.option(fc.nat(1_000_000), { nil: null }),
    });
  const servers = services.flatMap(({ name: service, servers }) =>
    servers.map(({ address, port }) => ({ service, server: { address, port } })),
  );
  const onServer = () =>
    fc.constantFrom(...servers).chain(({ service, server }): fc.Arbitrary<ScheduleAction> => {
      const on = { service: fc.constantFrom(service, "all"), server: fc.constant(server) };
      return fc.oneof(
        fc.record({ type: fc.constant("drain" as const), ...on, deadlineUs: us(1_000_000), untilUs: us(1_000_000) }),
        fc.record({ type: fc.constant("enable" as const), ...on }),
      );
    });
  return fc.oneof(plain, ...instances.map(drill), ...(servers.length === 0 ? [] : [onServer()]));
}

const schedules = (servable: readonly ServiceConfig[], instances: readonly string[]) =>
  fc.uniqueArray(text, { maxLength: 3 }).chain((list) =>
    fc.tuple(
      ...list.map((each) =>
        fc.record({
          name: fc.constant(each),
          cron: fc.constantFrom("0 4 * * *", "*/5 1-3 * * 1,2", "@daily"),
          timezone: fc.option(fc.constantFrom("Europe/Berlin", "UTC"), { nil: null }),
          action: action(servable, instances),
        }),
      ),
    ),
  );

const model: fc.Arbitrary<DirectorConfig> = fc
  .record({
    instanceNames: names,
    services: names.chain((list) => fc.tuple(...list.map((each, index) => service(index, each)))),
  })
  .chain(({ instanceNames, services }) => {
    const servable = services.filter(({ servers }) => servers.length > 0).map((each) => each.name);
    const [first] = instanceNames;
    return fc.record({
      node: name,
      log: fc.record({
        level: fc.constantFrom("error", "warning", "notice", "info", "debug"),
        format: fc.constantFrom("text", "json"),
      }),
      ipvs: fc.record({
        onStop: fc.constantFrom("remove", "keep"),
        manageSysctls: fc.boolean(),
        drift: fc.constantFrom("repair", "report", "ignore"),
        driftIntervalUs: fc.integer({ min: 1, max: 3_600 }).map((seconds) => seconds * 1_000_000),
      }),
      scripts: fc.record({ maxConcurrent: fc.integer({ min: 1, max: 1024 }) }),
      vrrp: fc.record({ realtime: fc.boolean() }),
      instances: fc.tuple(...instanceNames.map((each, index) => instance(each, index, servable))),
      groups: fc.constant(instanceNames.length < 2 ? [] : [{ name: "edge", instances: instanceNames }]),
      sync:
        first === undefined
          ? fc.constant(null)
          : fc.record({
              instance: fc.constant(first),
              interface: fc.constantFrom("eth1", "bond0.7"),
              id: fc.integer({ min: 1, max: 255 }),
              group: fc.constantFrom("224.0.0.81", "239.1.2.3"),
              port: fc.integer({ min: 1, max: 65_535 }),
              ttl: fc.integer({ min: 1, max: 255 }),
            }),
      metrics: fc.option(
        fc.record({
          listen: fc.record({
            address: fc.constantFrom("127.0.0.1", "::1", "0.0.0.0", "192.0.2.2"),
            port: fc.integer({ min: 1, max: 65_535 }),
          }),
        }),
        { nil: null },
      ),
      services: fc.constant(services),
      schedules: schedules(
        services.filter(({ servers }) => servers.length > 0),
        instanceNames,
      ),
      drills: fc.record({
        probe: fc.option(fc.constant(["/usr/bin/ssh", "client1", "holdfast", "probe"] as const), { nil: null }),
        keep: fc.integer({ min: 1, max: 1000 }),
      }),
    });
  });

describe("explain", () => {
  it("writes YAML that loads to the same model", function () {
    this.timeout(60_000);
    fc.assert(
      fc.property(model, (config) => {
        const yaml = explain(config);
        const result = load(yaml);
        assert.ok(result.ok, `${yaml}\n${JSON.stringify(result.ok ? null : result.error)}`);
        // Names that look like numbers come first in an object; the order of instances and services has no meaning.
        assert.deepEqual(sorted(plain(result.value.config)), sorted(plain(config)));
      }),
      { numRuns: searched(150) },
    );
  });
});

function sorted(config: DirectorConfig): DirectorConfig {
  const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);
  return { ...config, instances: [...config.instances].sort(byName), services: [...config.services].sort(byName) };
}
