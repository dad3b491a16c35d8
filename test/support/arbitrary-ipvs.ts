import fc from "fast-check";
import { type IpFamily, ipFromBytes } from "../../src/base/ip.ts";
import { SCHEDULERS } from "../../src/config/model.ts";
import { destinationKey, serviceKey } from "../../src/ipvs/keys.ts";
import type { Destination, ServiceIdentity, ServiceSettings, VirtualService } from "../../src/ipvs/model.ts";

/** Tables for property tests: small pools of addresses and ports, so that two tables have much in common. */
const PORTS = [21, 80, 443, 8080];

function address(family: IpFamily, net: number): fc.Arbitrary<string> {
  return fc
    .integer({ min: 1, max: 6 })
    .map((host) => (family === 4 ? `10.${net}.0.${host}` : `2001:db8:${net.toString(16)}::${host.toString(16)}`));
}

export function arbitraryIdentity(): fc.Arbitrary<ServiceIdentity> {
  return fc
    .constantFrom(4 as const, 6 as const)
    .chain((family) =>
      fc
        .tuple(fc.constantFrom("tcp" as const, "udp" as const), address(family, 99), fc.constantFrom(...PORTS))
        .map(([protocol, ip, port]) => ({ family, protocol, address: ip, port })),
    );
}

/** Gives settings for a family, because the prefix of persistence depends on it. */
export function arbitrarySettings(): fc.Arbitrary<(family: IpFamily) => ServiceSettings> {
  return fc
    .tuple(
      fc.constantFrom(...SCHEDULERS),
      fc.boolean(),
      fc.boolean(),
      fc.option(fc.tuple(fc.integer({ min: 1, max: 86400 }), fc.integer({ min: 1, max: 128 })), { nil: null }),
    )
    .map(([scheduler, fallback, port, sticky]) => (family) => ({
      scheduler,
      flags: { fallback, port },
      persistence:
        sticky === null
          ? null
          : { timeoutS: sticky[0], prefixLength: family === 6 ? sticky[1] : ((sticky[1] - 1) % 32) + 1 },
    }));
}

const arbitraryGue = fc.constantFrom(6080, 6081).map((port) => ({ type: "gue" as const, port }));

export function arbitraryDestination(family?: IpFamily): fc.Arbitrary<Destination> {
  const ip =
    family === undefined
      ? fc.oneof(
          fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes),
          fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes),
        )
      : address(family, 1);
  return fc
    .tuple(
      ip,
      fc.constantFrom(...PORTS),
      fc.constantFrom("nat" as const, "dr" as const, "tun" as const),
      fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 65535 })),
      fc.option(fc.oneof(fc.constant({ type: "gre" as const }), arbitraryGue), { nil: null }),
    )
    .map(([address, port, method, weight, tunnel]) => ({
      ...{ address, port, method, weight },
      ...(method === "tun" && tunnel !== null ? { tunnel } : {}),
    }));
}

export function arbitraryTable(): fc.Arbitrary<VirtualService[]> {
  const service = fc
    .tuple(arbitraryIdentity(), arbitrarySettings())
    .chain(([identity, settings]) =>
      fc
        .uniqueArray(arbitraryDestination(identity.family), { maxLength: 6, selector: destinationKey })
        .map((destinations): VirtualService => ({ ...identity, ...settings(identity.family), destinations })),
    );
  return fc.uniqueArray(service, { maxLength: 5, selector: serviceKey });
}
