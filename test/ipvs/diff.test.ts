import assert from "node:assert/strict";
import fc from "fast-check";
import { applyOperations } from "../../src/ipvs/apply.ts";
import { diff } from "../../src/ipvs/diff.ts";
import { destinationKey, serviceKey } from "../../src/ipvs/keys.ts";
import type { Destination, IpvsTable } from "../../src/ipvs/model.ts";
import type { CurrentTable } from "../../src/ipvs/observed.ts";
import { arbitraryTable } from "../support/arbitrary-ipvs.ts";
import { rs as server, web } from "../support/virtual-service.ts";

function rs(host: number, weight = 1, part: Partial<Destination> = {}): Destination {
  return server(host, { weight, ...part });
}

const NONE: ReadonlySet<string> = new Set();

function types(current: CurrentTable, desired: IpvsTable, owned: ReadonlySet<string> = NONE): string[] {
  return diff(current, desired, owned).map((operation) =>
    "destination" in operation
      ? `${operation.type} ${operation.destination.address}${"weight" in operation.destination ? ` ${operation.destination.weight}` : ""}`
      : `${operation.type} ${operation.service.port}`,
  );
}

describe("ipvs/diff", () => {
  it("gives before it takes: services, settings, servers, rising weights, falling weights, deletions", () => {
    const old = web([], { port: 25 });
    const current = [old, web([rs(1, 3), rs(2, 0), rs(3), rs(4)])];
    const desired = [web([rs(1, 0), rs(2, 5), rs(5), rs(4, 2)], { scheduler: "sh" }), web([rs(9)], { port: 443 })];
    assert.deepEqual(types(current, desired, new Set([serviceKey(old)])), [
      "addDestination 10.0.0.5 1",
      "addService 443",
      "addDestination 10.0.0.9 1",
      "setService 80",
      "setDestination 10.0.0.2 5",
      "setDestination 10.0.0.4 2",
      "setDestination 10.0.0.1 0",
      "deleteDestination 10.0.0.3",
      "deleteService 25",
    ]);
  });

  it("sets weight 0 before deleting where several leave a service that goes on", () => {
    assert.deepEqual(types([web([rs(1), rs(2), rs(3, 0), rs(4)])], [web([rs(4)])]), [
      "setDestination 10.0.0.1 0",
      "setDestination 10.0.0.2 0",
      "deleteDestination 10.0.0.1",
      "deleteDestination 10.0.0.2",
      "deleteDestination 10.0.0.3",
    ]);
    assert.deepEqual(
      types([web([rs(1), rs(4)])], [web([rs(4)])]),
      ["deleteDestination 10.0.0.1"],
      "one alone: no need",
    );
    assert.deepEqual(
      types([web([rs(1), rs(2)])], [web([])]),
      ["deleteDestination 10.0.0.1", "deleteDestination 10.0.0.2"],
      "nothing goes on",
    );
  });

  it("leaves what is neither wanted nor owned alone, and takes over what is wanted", () => {
    const foreign = web([rs(1)], { port: 25 });
    assert.deepEqual(types([foreign, web([rs(1)])], [web([rs(1)])]), []);
    assert.deepEqual(types([foreign], [web([], { port: 25, scheduler: "rr" })]), [
      "setService 25",
      "deleteDestination 10.0.0.1",
    ]);
  });

  it("sets a service rather than deleting and creating it, whatever differs", () => {
    const plain = web([rs(1)]);
    for (const other of [
      { scheduler: "mh" },
      { flags: { fallback: true, port: false } },
      { flags: { fallback: false, port: true } },
      { persistence: { timeoutS: 300, prefixLength: 32 } },
    ]) {
      assert.deepEqual(types([plain], [{ ...plain, ...other }]), ["setService 80"]);
      assert.deepEqual(types([{ ...plain, ...other }], [plain]), ["setService 80"]);
    }
  });

  it("repairs what others have put into a wanted service: thresholds, tunnels, methods, flags", () => {
    const drifted: CurrentTable = [
      {
        ...web([]),
        extras: ["one-packet scheduling"],
        destinations: [
          { ...rs(1), extras: ["thresholds 10/8"] },
          { ...rs(2), method: null },
          rs(3),
          rs(4, 1, { method: "nat" }),
        ],
      },
    ];
    assert.deepEqual(types(drifted, [web([rs(1), rs(2), rs(3), rs(4)])]), [
      "setService 80",
      "setDestination 10.0.0.1 1",
      "setDestination 10.0.0.2 1",
      "setDestination 10.0.0.4 1",
    ]);
  });

  it("finds servers wherever they stand: the kernel lists the newest first", () => {
    assert.deepEqual(types([web([rs(3), rs(2), rs(1)])], [web([rs(1), rs(2), rs(3)])]), []);
    assert.deepEqual(types([web([rs(1), rs(2), rs(3)])], [web([rs(1), rs(3)])]), ["deleteDestination 10.0.0.2"]);
    assert.deepEqual(types([web([rs(1), rs(3)])], [web([rs(1), rs(2), rs(3)])]), ["addDestination 10.0.0.2 1"]);
    assert.deepEqual(types([web([rs(9), rs(1), rs(2), rs(3)])], [web([rs(8), rs(2), rs(1), rs(3, 0), rs(9)])]), [
      "addDestination 10.0.0.8 1",
      "setDestination 10.0.0.3 0",
    ]);
  });
});

describe("ipvs/diff properties", () => {
  /** Two tables and which services of the first are owned. */
  const change = fc
    .tuple(arbitraryTable(), arbitraryTable(), fc.func(fc.boolean()))
    .map(([before, after, isOwned]) => ({
      before,
      after,
      owned: new Set(before.map(serviceKey).filter((key) => isOwned(key))),
    }));

  function sorted(table: CurrentTable): unknown[] {
    return [...table]
      .map((service) => ({
        ...service,
        destinations: [...service.destinations].sort((a, b) => (destinationKey(a) < destinationKey(b) ? -1 : 1)),
      }))
      .sort((a, b) => (serviceKey(a) < serviceKey(b) ? -1 : 1));
  }

  it("applying diff(a, b) to a gives b and what is not owned; nothing is refused", () => {
    fc.assert(
      fc.property(change, ({ before, after, owned }) => {
        const { table, refused } = applyOperations(before, diff(before, after, owned));
        assert.deepEqual(refused, []);
        const wanted = new Set(after.map(serviceKey));
        const left = before.filter((service) => !wanted.has(serviceKey(service)) && !owned.has(serviceKey(service)));
        assert.deepEqual(sorted(table), sorted([...after, ...left]));
      }),
    );
  });

  it("diff(b, b) is empty, in any order and whatever is owned", () => {
    fc.assert(
      fc.property(arbitraryTable(), (table) => {
        const backwards = [...table]
          .reverse()
          .map((service) => ({ ...service, destinations: [...service.destinations].reverse() }));
        assert.deepEqual(diff(backwards, table, new Set(table.map(serviceKey))), []);
      }),
    );
  });

  it("at every step: a family with services keeps one, a service that can serve can serve", () => {
    fc.assert(
      fc.property(change, ({ before, after, owned }) => {
        const operations = diff(before, after, owned);
        const final = applyOperations(before, operations).table;
        const families = (table: CurrentTable) => new Set(table.map(({ family }) => family));
        const serving = (table: CurrentTable) =>
          new Set(table.filter(({ destinations }) => destinations.some(({ weight }) => weight > 0)).map(serviceKey));
        const keptFamilies = [...families(before)].filter((family) => families(final).has(family));
        const keptServing = [...serving(before)].filter((key) => serving(final).has(key));
        for (let step = 1; step <= operations.length; step++) {
          const { table } = applyOperations(before, operations.slice(0, step));
          for (const family of keptFamilies)
            assert.ok(families(table).has(family), `step ${step}: no IPv${family} service`);
          for (const key of keptServing) assert.ok(serving(table).has(key), `step ${step}: ${key} cannot serve`);
        }
      }),
    );
  });
});

describe("ipvs/apply", () => {
  it("refuses as the kernel does and goes on", () => {
    const service = { family: 4, protocol: "tcp", address: "192.0.2.10", port: 80 } as const;
    const settings = { scheduler: "rr", flags: { fallback: false, port: false }, persistence: null };
    const { table, refused } = applyOperations(
      [],
      [
        { type: "setService", service, settings },
        { type: "addDestination", service, destination: rs(1) },
        { type: "addService", service, settings },
        { type: "addService", service, settings },
        { type: "setDestination", service, destination: rs(1) },
        { type: "addDestination", service, destination: rs(1) },
        { type: "addDestination", service, destination: rs(1) },
        { type: "deleteDestination", service, destination: rs(2) },
      ],
    );
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ["ESRCH", "ESRCH", "EEXIST", "ENOENT", "EEXIST", "ENOENT"],
    );
    assert.deepEqual(table, [{ ...service, ...settings, destinations: [rs(1)] }]);
  });

  it("a set service keeps its destinations and loses its extras", () => {
    const current = [{ ...web([rs(1)]), extras: ["one-packet scheduling"] }];
    const { table } = applyOperations(current, diff(current, [web([rs(1)])], NONE));
    assert.deepEqual(table, [web([rs(1)])]);
  });
});
