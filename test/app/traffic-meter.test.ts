import assert from "node:assert/strict";
import { IpvsKernel } from "../../src/app/ipvs-kernel.ts";
import { serverTrafficKey, serviceTrafficKey, type TrafficState } from "../../src/app/messages.ts";
import { type CountingKernel, TrafficMeter } from "../../src/app/traffic-meter.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import { ok, orThrow } from "../../src/base/result.ts";
import type { ServiceConfig } from "../../src/config/model.ts";
import { decisionKey, desiredTable } from "../../src/ipvs/desired.ts";
import { diff } from "../../src/ipvs/diff.ts";
import { FakeIpvsKernel, type KernelDestination } from "../support/fake-ipvs-kernel.ts";
import { MemoryLogger } from "../support/memory-store.ts";
import { server, serviceConfig } from "../support/service-config.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const TCP = { protocol: "tcp", address: "192.0.2.10" } as const;
const WEB = serviceConfig({ listen: [{ ...TCP, port: 80 }] });

/** A meter over a fake kernel that holds the whole configuration. */
class Bench {
  readonly time = new VirtualTime();
  readonly kernel = new FakeIpvsKernel();
  readonly logger = new MemoryLogger();
  readonly board = new Map<string, TrafficState>();
  told = 0;
  opened = 0;
  /** Stands between the meter and the kernel. */
  wrap: (kernel: CountingKernel) => CountingKernel = (kernel) => kernel;
  readonly meter = new TrafficMeter({
    clock: this.time,
    alarms: this.time,
    logger: this.logger,
    openKernel: () => {
      this.opened += 1;
      const kernel = IpvsKernel.open({ socket: this.kernel });
      return kernel.ok ? ok(this.wrap(kernel.value)) : kernel;
    },
    publish: (key, state) => {
      this.told += 1;
      if (state === null) this.board.delete(key);
      else this.board.set(key, state);
    },
  });

  constructor(...services: readonly ServiceConfig[]) {
    const decisions = new Map(
      services.flatMap(({ name, servers }) =>
        servers.map((each) => [decisionKey(name, each), { present: true, weight: 1 }] as const),
      ),
    );
    const kernel = orThrow(IpvsKernel.open({ socket: this.kernel }));
    kernel.apply(diff([], desiredTable(services, decisions), new Set()));
    this.meter.configure(services);
  }

  destinations(): readonly KernelDestination[] {
    return [...this.kernel.services.values()].flatMap(({ destinations }) => [...destinations.values()]);
  }

  /** What was told since the last call. */
  count(): number {
    const { told } = this;
    this.told = 0;
    return told;
  }
}

describe("traffic meter: the kernel's counters", () => {
  it("tells what the kernel counted for each service and server, beyond 32 bits", () => {
    const bench = new Bench(WEB);
    const [first, second] = bench.destinations();
    const [service] = bench.kernel.services.values();
    assert.ok(first !== undefined && second !== undefined && service !== undefined);
    service.stats = [7, 70, 60, 7e12, 6e12];
    Object.assign(first, { active: 2, inactive: 3, stats: [5, 50, 40, 5e12, 4e12] });
    bench.time.advance(SECOND);
    const totals = { connections: 7, packetsIn: 70, packetsOut: 60, bytesIn: 7e12, bytesOut: 6e12 };
    assert.deepEqual(bench.board.get(serviceTrafficKey("web")), [{ listen: "tcp://192.0.2.10:80", ...totals }]);
    assert.deepEqual(bench.board.get(serverTrafficKey("web", "10.0.0.11:8080")), [
      {
        listen: "tcp://192.0.2.10:80",
        connections: 5,
        packetsIn: 50,
        packetsOut: 40,
        bytesIn: 5e12,
        bytesOut: 4e12,
        active: 2,
        inactive: 3,
      },
    ]);
    assert.equal(bench.count(), 3);
  });

  it("leaves out what does not pass here: answers in dr and tun", () => {
    for (const forward of ["dr", "tun"] as const) {
      const bench = new Bench(serviceConfig({ ...WEB, forward, servers: [server("10.0.0.11", 80)] }));
      bench.time.advance(SECOND);
      const [traffic] = bench.board.get(serverTrafficKey("web", "10.0.0.11:80")) ?? [];
      assert.deepEqual([traffic?.packetsOut, traffic?.bytesOut, traffic?.packetsIn], [null, null, 0], forward);
    }
  });

  it("keeps the endpoints of a service apart, and finds a server of dr under each endpoint's port", () => {
    const listen = [
      { ...TCP, port: 80 },
      { ...TCP, port: 443 },
    ];
    const bench = new Bench(serviceConfig({ listen, forward: "dr", servers: [server("10.0.0.11", 80)] }));
    bench.time.advance(SECOND);
    const traffic = bench.board.get(serverTrafficKey("web", "10.0.0.11:80")) ?? [];
    assert.deepEqual(
      traffic.map((each) => each.listen),
      ["tcp://192.0.2.10:80", "tcp://192.0.2.10:443"],
    );
  });

  it("tells only what changed, and what is gone", () => {
    const bench = new Bench(WEB);
    bench.time.advance(SECOND);
    assert.equal(bench.count(), 3);
    bench.time.advance(10 * SECOND);
    assert.equal(bench.count(), 0);
    const [first] = bench.destinations();
    Object.assign(first ?? {}, { active: 1 });
    bench.time.advance(SECOND);
    assert.equal(bench.count(), 1);
    for (const { destinations } of bench.kernel.services.values()) destinations.clear();
    bench.time.advance(SECOND);
    assert.deepEqual([bench.count(), [...bench.board.keys()]], [2, [serviceTrafficKey("web")]]);
  });

  it("says of what it never saw that it is not there: the process before may have said otherwise", () => {
    const bench = new Bench();
    bench.meter.configure([WEB]);
    bench.time.advance(SECOND);
    assert.deepEqual([bench.count(), bench.board.size], [3, 0]);
  });

  it("forgets what a new configuration has no more", () => {
    const bench = new Bench(WEB);
    bench.time.advance(SECOND);
    bench.meter.configure([{ ...WEB, servers: WEB.servers.slice(0, 1) }]);
    assert.deepEqual([...bench.board.keys()], [serviceTrafficKey("web"), serverTrafficKey("web", "10.0.0.11:8080")]);
    bench.meter.configure([]);
    assert.equal(bench.board.size, 0);
    const { dumps } = bench.kernel.counts;
    bench.time.advance(60 * SECOND);
    assert.equal(bench.kernel.counts.dumps, dumps, "with no service nothing is read");
  });

  it("reads less often where there are many servers", () => {
    const servers = Array.from({ length: 2_000 }, (_, i) => server(`10.1.${i >> 8}.${i & 255}`, 80));
    const bench = new Bench(serviceConfig({ servers }));
    const { dumps } = bench.kernel.counts;
    bench.time.advance(10 * SECOND);
    const passes = (bench.kernel.counts.dumps - dumps) / 2;
    assert.ok(passes === 5, `${passes} passes in 10 s`);
  });

  it("lets others get their turn while it reads, and takes a small part of the time of a slow machine", () => {
    const listen = (port: number) => [{ ...TCP, port }];
    const services = Array.from({ length: 10 }, (_, i) => serviceConfig({ name: `s${i}`, listen: listen(80 + i) }));
    const bench = new Bench(...services);
    const readAt: number[] = [];
    bench.wrap = (kernel) => ({
      serviceTotals: () => kernel.serviceTotals(),
      destinationTraffic: (service) => {
        readAt.push(bench.time.nowUs());
        bench.time.stall(20_000);
        return kernel.destinationTraffic(service);
      },
      close: () => kernel.close(),
    });
    let turns = 0;
    bench.time.watch = () => {
      turns += 1;
    };
    bench.time.advance(100 * SECOND);
    const passes = readAt.length / services.length;
    assert.equal(turns, readAt.length, "one service a turn");
    assert.ok(passes <= 10, `${passes} passes of 200 ms in 100 s`);
    assert.ok(passes >= 8, `${passes} passes`);
  });

  it("says once that the kernel cannot be read, keeps what it knows and opens it anew", () => {
    const bench = new Bench(WEB);
    bench.time.advance(SECOND);
    const known = [...bench.board.keys()];
    bench.kernel.failure = new DirectorError("NETLINK_TRUNCATED", "the socket is broken", {});
    bench.time.advance(5 * SECOND);
    assert.equal(bench.logger.entries.length, 1);
    assert.match(bench.logger.entries[0]?.message ?? "", /counters cannot be read: the socket is broken/);
    assert.deepEqual([...bench.board.keys()], known);
    bench.kernel.failure = null;
    const opened = bench.opened;
    Object.assign(bench.destinations()[0] ?? {}, { active: 9 });
    bench.count();
    bench.time.advance(SECOND);
    assert.deepEqual([bench.opened, bench.count()], [opened + 1, 1]);
  });

  it("ends with its socket", () => {
    const bench = new Bench(WEB);
    bench.time.advance(SECOND);
    bench.meter.stop();
    bench.time.advance(10 * SECOND);
    assert.equal(bench.kernel.closed, true);
    assert.equal(bench.time.nextUs, undefined);
  });
});
