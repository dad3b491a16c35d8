import assert from "node:assert/strict";
import fc from "fast-check";
import { IpvsOwnership } from "../../src/app/ipvs-ownership.ts";
import { IpvsTableKeeper } from "../../src/app/ipvs-table.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import { describeChange } from "../../src/ipvs/changes.ts";
import { destinationKey, serviceKey } from "../../src/ipvs/keys.ts";
import type { VirtualService } from "../../src/ipvs/model.ts";
import type { CurrentTable } from "../../src/ipvs/observed.ts";
import { arbitraryTable } from "../support/arbitrary-ipvs.ts";
import { FakeIpvsKernel } from "../support/fake-ipvs-kernel.ts";
import { MemoryLogger, MemoryStore } from "../support/memory-store.ts";
import { rs, web as webOf } from "../support/virtual-service.ts";

function web(hosts: readonly number[], part: Partial<VirtualService> = {}): VirtualService {
  return webOf(
    hosts.map((host) => rs(host)),
    part,
  );
}

function open(kernel = new FakeIpvsKernel(), store = new MemoryStore()) {
  const ownership = IpvsOwnership.load({ bootId: "boot" }, { store, logger: new MemoryLogger() });
  const keeper = IpvsTableKeeper.open({ socket: kernel, ownership });
  assert.ok(keeper.ok);
  return { kernel, store, ownership, keeper: keeper.value };
}

/** The kernel's table without counters and order, and without `extras` where there are none. */
function tableOf(keeper: IpvsTableKeeper): unknown {
  const read = keeper.read();
  assert.ok(read.ok);
  return normal(read.value.services);
}

function normal(table: CurrentTable): unknown {
  return [...table]
    .sort((a, b) => (serviceKey(a) < serviceKey(b) ? -1 : 1))
    .map(({ extras = [], destinations, ...service }) => ({
      ...service,
      extras,
      destinations: [...destinations]
        .sort((a, b) => (destinationKey(a) < destinationKey(b) ? -1 : 1))
        .map(({ address, port, method, weight, extras: more = [] }) => ({
          address,
          port,
          method,
          weight,
          extras: more,
        })),
    }));
}

describe("app/ipvs-table opening", () => {
  it("says in a plain sentence that the kernel has no IPVS, or that the privilege is missing", () => {
    const ownership = IpvsOwnership.load({ bootId: "" }, { store: new MemoryStore(), logger: new MemoryLogger() });
    const without = new FakeIpvsKernel();
    without.hasModule = false;
    const missing = IpvsTableKeeper.open({ socket: without, ownership });
    assert.ok(!missing.ok);
    assert.equal(missing.error.code, "KERNEL_UNSUPPORTED");
    assert.match(missing.error.message, /module ip_vs/);
    const unprivileged = new FakeIpvsKernel();
    unprivileged.isPrivileged = false;
    const refused = IpvsTableKeeper.open({ socket: unprivileged, ownership });
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, "PRIVILEGE_MISSING");
    assert.match(refused.error.message, /CAP_NET_ADMIN/);
  });

  it("passes other errors of the socket on, and knows the kernel's version", () => {
    const broken = new FakeIpvsKernel();
    broken.failure = new DirectorError("SYSTEM_CALL_FAILED", "send: EMFILE", { errno: "EMFILE" });
    const ownership = IpvsOwnership.load({ bootId: "" }, { store: new MemoryStore(), logger: new MemoryLogger() });
    const failed = IpvsTableKeeper.open({ socket: broken, ownership });
    assert.equal(!failed.ok && failed.error, broken.failure);
    const { keeper } = open();
    assert.deepEqual(keeper.info(), { ok: true, value: { version: "1.2.1", connectionTableSize: 4096 } });
  });
});

describe("app/ipvs-table reconcile", () => {
  it("fills an empty table, reads it back and leaves it alone the second time", () => {
    const { kernel, keeper } = open();
    const desired = [
      web([1, 2]),
      web([3], {
        family: 6,
        protocol: "udp",
        address: "2001:db8::1",
        destinations: [rs(1, { address: "2001:db8::11", method: "tun" })],
      }),
    ];
    const report = keeper.reconcile(desired);
    assert.deepEqual([report.remaining, report.failures, report.adopted, report.error], [[], [], [], null]);
    assert.equal(report.changes.length, 5);
    assert.ok(report.readBack);
    assert.deepEqual(tableOf(keeper), normal(desired));
    const { executed } = kernel.counts;
    assert.deepEqual(keeper.reconcile(desired).changes, []);
    assert.equal(kernel.counts.executed, executed);
  });

  it("never touches a foreign service: by mark, SCTP, or simply somebody else's", () => {
    const { kernel, keeper, store } = open();
    keeper.reconcile([web([7], { port: 25 })]); // stands for another program's service
    const [foreignKey, foreign] = [...kernel.services][0] ?? [];
    assert.ok(foreignKey !== undefined && foreign !== undefined);
    kernel.services.set("mark", { ...foreign, mark: 7, destinations: new Map(foreign.destinations) });
    kernel.services.set("sctp", { ...foreign, protocol: 132, destinations: new Map(foreign.destinations) });
    const before = structuredClone([...kernel.services]);
    store.text = null;
    const other = open(kernel, store);
    const report = other.keeper.reconcile([web([1])]);
    assert.deepEqual(report.remaining, []);
    assert.equal(kernel.services.size, 4);
    other.keeper.reconcile([]);
    assert.deepEqual(structuredClone([...kernel.services]), before);
    const read = other.keeper.read();
    assert.equal(read.ok && read.value.foreignServices, 2);
  });

  it("adopts a wanted service that is there already, says so, and owns it from then on", () => {
    const { kernel, keeper } = open();
    keeper.reconcile([web([1, 9], { scheduler: "rr" })]);
    const other = open(kernel);
    const report = other.keeper.reconcile([web([1])]);
    assert.deepEqual(report.adopted, ["tcp://192.0.2.10:80"]);
    assert.deepEqual(
      report.changes.map((change) => describeChange(change, null)),
      [
        "service tcp://192.0.2.10:80 changed: rr -> wrr",
        "service tcp://192.0.2.10:80 server 10.0.0.9:80 removed, was: dr weight 1",
      ],
    );
    assert.deepEqual(other.keeper.reconcile([web([1])]).adopted, []);
    other.keeper.removeOwned();
    assert.equal(kernel.services.size, 0);
  });

  it("repairs drift: thresholds, GUE tunnel, another method, flags, a persistence engine, one server too many", () => {
    const { kernel, keeper } = open();
    const desired = [web([1, 2, 3])];
    keeper.reconcile(desired);
    const service = [...kernel.services.values()][0];
    assert.ok(service);
    const [one, two, three] = [...service.destinations.values()];
    assert.ok(one && two && three);
    Object.assign(one, { upper: 10, lower: 8 });
    Object.assign(two, { tunnelType: 1, tunnelPort: 6080 });
    Object.assign(three, { method: 4 });
    const fourth = Buffer.from("0a000009000000000000000000000000", "hex");
    service.destinations.set(`2 ${fourth.toString("hex")} 80`, { ...one, address: fourth });
    service.flags |= 4;
    service.engine = "sip";
    const report = keeper.reconcile(desired);
    assert.equal(report.changes.length, 5);
    assert.deepEqual(report.remaining, []);
    assert.deepEqual(tableOf(keeper), normal(desired));
  });

  it("is not led astray by destinations that a dump shows twice or misses", () => {
    const { kernel, keeper } = open();
    const desired = [web([1, 2, 3, 4, 5])];
    keeper.reconcile(desired);
    kernel.distort = (replies) => [...replies, ...replies.slice(0, 3)];
    assert.deepEqual(keeper.reconcile(desired).changes, []);
    let dumps = 0;
    kernel.distort = (replies) => (dumps++ === 0 ? replies.slice(2) : replies);
    const report = keeper.reconcile(desired);
    assert.deepEqual([report.remaining, report.failures], [[], []]);
    assert.deepEqual(tableOf(keeper), normal(desired));
  });

  it("reports what the kernel refuses and what remains, and does the rest", () => {
    const { kernel, keeper } = open();
    kernel.schedulers.delete("mh");
    const report = keeper.reconcile([
      web([1], { port: 443, scheduler: "mh" }),
      web([1], { destinations: [rs(1), rs(2, { address: "224.0.0.1" })] }),
    ]);
    assert.deepEqual(
      report.failures.map(({ reason }) => reason),
      [
        "adding service tcp://192.0.2.10:443: the kernel has no scheduler mh (module ip_vs_mh)",
        "adding server 10.0.0.1:80 of service tcp://192.0.2.10:443: the kernel does not have the service",
        "adding server 224.0.0.1:80 of service tcp://192.0.2.10:80: the kernel finds its address unusable: unspecified, multicast, broadcast, of another family, or no interface is up",
      ],
    );
    assert.equal(report.remaining.length, 3);
    assert.equal(report.changes.length, 2);
    assert.equal(kernel.services.size, 1);
  });

  it("finds its way when somebody else changes the table in between", () => {
    const { kernel, keeper } = open();
    keeper.reconcile([web([1, 2])]);
    kernel.before.set(kernel.counts.executed + 1, () => kernel.services.clear());
    const report = keeper.reconcile([web([1, 2, 3])]);
    assert.deepEqual([report.remaining, report.failures, report.error], [[], [], null]);
    assert.deepEqual(tableOf(keeper), normal([web([1, 2, 3])]));
  });

  it("finds the family again under another number, after the module was loaded again", () => {
    const { kernel, keeper } = open();
    keeper.reconcile([web([1])]);
    kernel.services.clear();
    kernel.familyId = 0x25;
    assert.deepEqual(keeper.applyDesired([web([1, 2])]).remaining, []);
    assert.deepEqual(tableOf(keeper), normal([web([1, 2])]));
  });
});

describe("app/ipvs-table applyDesired", () => {
  it("changes a weight by one request and without a dump", () => {
    const { kernel, keeper } = open();
    keeper.reconcile([web([1, 2])]);
    const { dumps, executed } = kernel.counts;
    const report = keeper.applyDesired([web([], { destinations: [rs(1), rs(2, { weight: 0 })] })]);
    assert.deepEqual(report.changes, [
      { service: "tcp://192.0.2.10:80", server: "10.0.0.2:80", from: "dr weight 1", to: "dr weight 0" },
    ]);
    assert.equal(report.readBack, false);
    assert.deepEqual(kernel.counts, { dumps, executed: executed + 1 });
    assert.deepEqual(keeper.applyDesired([web([], { destinations: [rs(1), rs(2, { weight: 0 })] })]).changes, []);
  });

  it("reads first when nothing is known, and again after anything unexpected", () => {
    const { kernel, keeper } = open();
    assert.ok(keeper.applyDesired([web([1])]).readBack);
    for (const service of kernel.services.values()) service.destinations.clear();
    const report = keeper.applyDesired([web([], { destinations: [rs(1, { weight: 2 })] })]);
    assert.ok(report.readBack);
    assert.deepEqual(tableOf(keeper), normal([web([], { destinations: [rs(1, { weight: 2 })] })]));
  });

  it("logs what was done before the socket failed, and the rest after it works again", () => {
    const { kernel, keeper } = open();
    keeper.reconcile([web([])]);
    const many = web(Array.from({ length: 250 }, (_, i) => i + 1));
    const lots = [many, web([], { port: 81 }), ...Array.from({ length: 4 }, (_, i) => ({ ...many, port: 90 + i }))];
    const failure = new DirectorError("SYSTEM_CALL_FAILED", "send: ENOBUFS", { errno: "ENOBUFS" });
    kernel.before.set(kernel.counts.executed + 1100, () => {
      kernel.failure = failure;
    });
    const broken = keeper.applyDesired(lots);
    assert.equal(broken.error, failure);
    assert.equal(broken.changes.length, 1000);
    kernel.failure = null;
    const mended = keeper.applyDesired(lots);
    assert.ok(mended.readBack);
    assert.deepEqual(mended.remaining, []);
    assert.deepEqual(tableOf(keeper), normal(lots));
  });
});

describe("app/ipvs-table ownership", () => {
  it("is written before the kernel's table grows and after it shrinks", () => {
    const { kernel, keeper, store } = open();
    const seen: [unknown, number][] = [];
    store.onSave = () => seen.push([store.services, kernel.services.size]);
    keeper.reconcile([web([1])]);
    keeper.applyDesired([web([1]), web([1], { port: 443 })]);
    keeper.applyDesired([web([1], { port: 443 })]);
    keeper.removeOwned();
    assert.deepEqual(seen, [
      [["tcp://192.0.2.10:80"], 0],
      [["tcp://192.0.2.10:443", "tcp://192.0.2.10:80"], 1],
      [["tcp://192.0.2.10:443"], 1],
      [[], 0],
    ]);
  });

  it("keeps what the kernel would not delete, and deletes it another time", () => {
    const { kernel, keeper, ownership } = open();
    keeper.reconcile([web([1])]);
    kernel.refusals.set(3, 12);
    const report = keeper.removeOwned();
    assert.deepEqual(
      report.failures.map(({ reason }) => reason),
      ["removing service tcp://192.0.2.10:80: the kernel has no memory left"],
    );
    assert.deepEqual([...ownership.keys], ["tcp://192.0.2.10:80"]);
    kernel.refusals.clear();
    keeper.removeOwned();
    assert.deepEqual([kernel.services.size, ownership.keys.size], [0, 0]);
  });

  it("is told of a foreign service that becomes wanted, also without reading the table again", () => {
    const { kernel } = open();
    open(kernel).keeper.reconcile([web([9], { port: 25 })]); // stands for another program's service
    const { keeper } = open(kernel);
    keeper.reconcile([web([1])]);
    keeper.applyDesired([web([1, 2])]);
    const report = keeper.applyDesired([web([1, 2]), web([1], { port: 25 })]);
    assert.deepEqual(report.adopted, ["tcp://192.0.2.10:25"]);
    assert.equal(report.readBack, false);
    assert.deepEqual(tableOf(keeper), normal([web([1, 2]), web([1], { port: 25 })]));
  });

  it("a crash at any request leaves no service behind that the next run would not remove (property)", () => {
    class Crash extends Error {}
    fc.assert(
      fc.property(arbitraryTable(), arbitraryTable(), fc.nat(30), (first, second, at) => {
        const { kernel, keeper, store } = open();
        keeper.reconcile(first);
        kernel.before.set(kernel.counts.executed + 1 + at, () => {
          throw new Crash();
        });
        try {
          keeper.applyDesired(second);
        } catch (thrown) {
          assert.ok(thrown instanceof Crash);
        }
        kernel.before.clear();
        const next = open(kernel, new MemoryStore(store.text));
        next.keeper.removeOwned();
        assert.equal(kernel.services.size, 0);
        assert.deepEqual(next.store.services ?? [], []);
      }),
    );
  });

  it("from any table to any other, by either way, the kernel holds what is wanted (property)", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(arbitraryTable(), fc.boolean()), { maxLength: 5 }), (steps) => {
        const { keeper } = open();
        for (const [desired, incremental] of steps) {
          const report = incremental ? keeper.applyDesired(desired) : keeper.reconcile(desired);
          assert.deepEqual([report.failures, report.remaining, report.error], [[], [], null]);
          assert.deepEqual(tableOf(keeper), normal(desired));
        }
      }),
    );
  });
});
