import fc from "fast-check";
import type { HmacConfig, TrackConfig, TransportConfig } from "../../src/config/model.ts";

/** Host parts, turned into addresses of one network. */
const hosts = fc.uniqueArray(fc.integer({ min: 1, max: 254 }), { minLength: 1, maxLength: 3 });

const peers = hosts.chain((list) =>
  fc.tuple(...list.map((host) => fc.record({ address: fc.constant(`198.51.100.${host}`), minTtl: byte() }))),
);

function byte() {
  return fc.integer({ min: 1, max: 255 });
}

export const transport: fc.Arbitrary<TransportConfig> = fc.oneof(
  fc.constant({ type: "multicast" as const }),
  fc.record({ type: fc.constant("unicast" as const), peers }),
  fc.record({ type: fc.constant("udp" as const), port: fc.integer({ min: 1, max: 65_535 }), peers }),
);

const source = fc.oneof(
  fc.constantFrom("/etc/holdfast/vrrp.key", "/k").map((path) => ({ type: "file" as const, path })),
  fc.constantFrom("vrrp-key", "k.1").map((name) => ({ type: "credential" as const, name })),
);

/** Keys in the order of their ids, in which maps of numbers are always listed. */
export const hmac: fc.Arbitrary<HmacConfig | null> = fc.option(
  fc.uniqueArray(byte(), { minLength: 1, maxLength: 3 }).chain((ids) =>
    fc.record({
      mode: fc.constantFrom("enforce" as const, "permissive" as const, "receive-only" as const),
      keys: fc.tuple(...ids.toSorted((a, b) => a - b).map((id) => source.map((from) => ({ id, source: from })))),
      activeKey: fc.constantFrom(...ids),
      replay: fc.constantFrom("time" as const, "monotonic" as const),
      windowS: fc.integer({ min: 1, max: 300 }),
    }),
  ),
  { nil: null },
);

const weight = fc.option(
  fc.integer({ min: -253, max: 253 }).filter((value) => value !== 0),
  { nil: null },
);

/** @param services names that may be tracked */
export function track(services: readonly string[]): fc.Arbitrary<TrackConfig> {
  return fc.record({
    interfaces: fc
      .uniqueArray(fc.constantFrom("eth1", "bond0.7"), { maxLength: 2 })
      .chain((names) => fc.tuple(...names.map((name) => weight.map((value) => ({ interface: name, weight: value }))))),
    scripts: fc.uniqueArray(fc.constantFrom("disk", "script-2"), { maxLength: 2 }).chain((names) =>
      fc.tuple(
        ...names.map((name) =>
          fc.record({
            name: fc.constant(name),
            command: fc.constant(["/bin/check", "x y"] as [string, ...string[]]),
            intervalUs: fc.integer({ min: 1_000, max: 3_600_000 }).map((ms) => ms * 1_000),
            timeoutUs: fc.constantFrom(10_000, 1_000_000),
            rise: fc.integer({ min: 1, max: 100 }),
            fall: fc.integer({ min: 1, max: 100 }),
            weight,
          }),
        ),
      ),
    ),
    services: fc.tuple(...services.map((service) => weight.map((value) => ({ service, quorum: 1, weight: value })))),
  });
}
