import assert from "node:assert/strict";
import { constants } from "node:os";
import { IpvsKernel } from "../../src/app/ipvs-kernel.ts";
import { instanceKey } from "../../src/app/messages.ts";
import { SyncKeeper } from "../../src/app/sync-keeper.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import type { SyncConfig } from "../../src/config/model.ts";
import type { SyncStatus } from "../../src/control/status.ts";
import { FakeIpvsKernel } from "../support/fake-ipvs-kernel.ts";
import { MemoryLogger } from "../support/memory-store.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const S = 1_000_000;
const SYNC: SyncConfig = { instance: "web4", interface: "eth1", id: 7, group: "224.0.0.81", port: 8848, ttl: 1 };

/** A keeper over a fake kernel whose interfaces come and go. */
class Bench {
  readonly time = new VirtualTime();
  readonly kernel: FakeIpvsKernel;
  readonly logger = new MemoryLogger();
  readonly keeper: SyncKeeper;
  readonly indices = new Map<string, number>([["eth1", 4]]);
  opened = 0;
  status: SyncStatus | null = null;
  sysctlProblem: string | null = null;

  constructor(kernel = new FakeIpvsKernel()) {
    this.kernel = kernel;
    this.keeper = new SyncKeeper({
      clock: this.time,
      alarms: this.time,
      logger: this.logger,
      openKernel: () => {
        this.opened += 1;
        return IpvsKernel.open({ socket: kernel });
      },
      interfaceIndex: (name) => this.indices.get(name) ?? null,
      applySysctls: () => ({ entries: [], problem: this.sysctlProblem }),
      publish: (_key, state) => {
        this.status = state;
      },
    });
  }

  hear(phase: "master" | "backup" | null, instance = "web4"): void {
    this.keeper.hear([[instanceKey(instance), phase === null ? null : { phase }]]);
  }

  /** `master eth1 7`, in a fixed order. */
  running(): string[] {
    return [...this.kernel.daemons]
      .map(([state, { device, id }]) => `${state === 1 ? "master" : "backup"} ${device} ${id}`)
      .sort();
  }

  said(level: string): string[] {
    return this.logger.entries.filter((entry) => entry.level === level).map(({ message }) => message);
  }
}

const BACKUP = ["backup eth1 7"];
const BOTH = ["backup eth1 7", "master eth1 7"];

describe("connection synchronisation follows its instance", () => {
  it("touches nothing without a configuration", async () => {
    const bench = new Bench();
    bench.kernel.daemons.set(1, { device: "eth1", id: 3, maxlen: 1472, group: Buffer.alloc(4), port: 1, ttl: 1 });
    assert.deepEqual(bench.keeper.configure(null), []);
    bench.hear("master");
    bench.keeper.reconcile();
    bench.time.advance(60 * S);
    await bench.keeper.stop("remove");
    assert.equal(bench.opened, 0);
    assert.deepEqual(bench.running(), ["master eth1 3"]);
    assert.equal(bench.status, null);
  });

  it("runs the backup daemon always, the master daemon from becoming master until a while after", () => {
    const bench = new Bench();
    assert.deepEqual(bench.keeper.configure(SYNC), [
      "connection sync: backup daemon started on eth1, id 7, 224.0.0.81:8848",
    ]);
    assert.deepEqual(bench.running(), BACKUP);
    bench.hear("backup");
    bench.hear("master", "another");
    assert.deepEqual(bench.running(), BACKUP);
    bench.hear("master");
    assert.deepEqual(bench.running(), BOTH);
    assert.deepEqual(bench.status, { instance: "web4", interface: "eth1", id: 7, role: "master+backup", note: "" });
    bench.time.advance(30 * S);
    bench.hear("backup");
    bench.time.advance(4 * S - 1);
    assert.deepEqual(bench.running(), BOTH, "the last connections have not been told yet");
    bench.time.advance(1);
    assert.deepEqual(bench.running(), BACKUP);
    assert.equal(bench.status?.role, "backup");
  });

  it("knows the phase that was told before the configuration", () => {
    const bench = new Bench();
    bench.hear("master");
    bench.keeper.configure(SYNC);
    assert.deepEqual(bench.running(), BOTH);
  });

  it("a vrrp process that ends and is back within the while changes nothing", () => {
    const bench = new Bench();
    bench.keeper.configure(SYNC);
    bench.hear("master");
    const executed = bench.kernel.counts.executed;
    bench.hear(null);
    bench.time.advance(1 * S);
    bench.hear("backup");
    bench.time.advance(2 * S);
    bench.hear("master");
    bench.time.advance(60 * S);
    assert.equal(bench.kernel.counts.executed, executed);
    assert.deepEqual(bench.running(), BOTH);
  });

  it("adopts what an earlier process left and is right", () => {
    const first = new Bench();
    first.keeper.configure(SYNC);
    first.hear("master");
    const executed = first.kernel.counts.executed;
    const second = new Bench(first.kernel);
    second.hear("master");
    assert.deepEqual(second.keeper.configure(SYNC), []);
    assert.equal(second.kernel.counts.executed, executed);
    assert.equal(second.status?.role, "master+backup");
  });

  it("starts anew what others started otherwise, and what they stopped", () => {
    const bench = new Bench();
    bench.kernel.daemons.set(2, { device: "eth9", id: 3, maxlen: 1472, group: Buffer.alloc(4), port: 1, ttl: 1 });
    bench.keeper.configure(SYNC);
    assert.deepEqual(bench.running(), BACKUP);
    bench.kernel.daemons.clear();
    bench.time.advance(10 * S);
    assert.deepEqual(bench.running(), BACKUP);
    bench.kernel.daemons.clear();
    assert.deepEqual(bench.keeper.reconcile(), [
      "connection sync: backup daemon started on eth1, id 7, 224.0.0.81:8848",
    ]);
  });

  it("a reload with another id starts them anew, one without `sync` stops them", () => {
    const bench = new Bench();
    bench.keeper.configure(SYNC);
    bench.hear("master");
    assert.deepEqual(bench.keeper.configure(SYNC), []);
    assert.equal(bench.keeper.configure({ ...SYNC, id: 8 }).length, 4);
    assert.deepEqual(bench.running(), ["backup eth1 8", "master eth1 8"]);
    assert.deepEqual(bench.keeper.configure(null), [
      "connection sync: backup daemon stopped",
      "connection sync: master daemon stopped",
    ]);
    assert.deepEqual([bench.running(), bench.status], [[], null]);
    bench.time.advance(60 * S);
    assert.deepEqual(bench.running(), []);
  });
});

describe("connection synchronisation says what does not work, and tries again", () => {
  it("an interface that is missing, and comes", () => {
    const bench = new Bench();
    bench.kernel.interfaces.clear();
    bench.indices.clear();
    bench.keeper.configure(SYNC);
    const missing = "there is no interface eth1; create it, or correct sync.interface";
    assert.equal(bench.status?.note, missing);
    bench.time.advance(60 * S);
    assert.deepEqual(bench.said("error"), [`connection sync: ${missing} (tried again every 10 s)`], "once");
    bench.kernel.interfaces.set("eth1", true);
    bench.indices.set("eth1", 9);
    bench.keeper.interfaceChanged("eth0");
    assert.deepEqual(bench.running(), []);
    bench.keeper.interfaceChanged("eth1");
    assert.deepEqual(bench.running(), BACKUP);
    assert.equal(bench.status?.note, "");
    assert.ok(bench.said("notice").includes("connection sync: it works again"));
  });

  it("an interface that is down: the backup daemon runs, the master daemon follows", () => {
    const bench = new Bench();
    bench.kernel.interfaces.set("eth1", false);
    bench.keeper.configure(SYNC);
    bench.hear("master");
    assert.deepEqual(bench.running(), BACKUP);
    assert.equal(
      bench.status?.note,
      "the master daemon could not be started: interface eth1 is down; `ip link set eth1 up`",
    );
    bench.kernel.interfaces.set("eth1", true);
    bench.keeper.interfaceChanged("eth1");
    assert.deepEqual(bench.running(), BOTH);
  });

  it("an interface that was deleted and made again: daemons on the old one reach nobody", () => {
    const bench = new Bench();
    bench.keeper.configure(SYNC);
    const executed = bench.kernel.counts.executed;
    bench.indices.set("eth1", 12);
    bench.keeper.interfaceChanged("eth1");
    assert.equal(bench.kernel.counts.executed, executed + 2, "stopped and started");
    bench.indices.delete("eth1");
    bench.keeper.interfaceChanged("eth1");
    assert.deepEqual(bench.running(), []);
    bench.indices.set("eth1", 13);
    bench.keeper.interfaceChanged("eth1");
    assert.deepEqual(bench.running(), BACKUP);
  });

  it("a kernel that refuses, and one that cannot be asked", () => {
    const bench = new Bench();
    bench.kernel.refusals.set(9, constants.errno.EINVAL);
    bench.keeper.configure(SYNC);
    assert.match(bench.status?.note ?? "", /^the backup daemon could not be started: the kernel finds it invalid/);
    bench.kernel.refusals.clear();
    bench.kernel.failure = new DirectorError("SYSTEM_CALL_FAILED", "recvmsg: EIO");
    bench.time.advance(10 * S);
    assert.match(bench.status?.note ?? "", /^recvmsg: EIO\. /);
    assert.equal(bench.status?.role, "none");
    bench.kernel.failure = null;
    bench.time.advance(10 * S);
    assert.deepEqual([bench.running(), bench.status?.note], [BACKUP, ""]);
  });

  it("a kernel without IPVS", () => {
    const bench = new Bench();
    bench.kernel.hasModule = false;
    bench.keeper.configure(SYNC);
    assert.match(bench.status?.note ?? "", /has no IPVS.*modprobe ip_vs/);
    bench.kernel.hasModule = true;
    bench.time.advance(10 * S);
    assert.deepEqual(bench.running(), BACKUP);
  });

  it("a sysctl that turns IPVS off beside a backup daemon", () => {
    const bench = new Bench();
    bench.sysctlProblem = "backup_only is 1";
    bench.keeper.configure(SYNC);
    assert.deepEqual([bench.running(), bench.status?.note], [BACKUP, "backup_only is 1"]);
    bench.sysctlProblem = null;
    bench.keeper.reconcile();
    assert.equal(bench.status?.note, "");
  });
});

describe("connection synchronisation at a stop", () => {
  it("tells the last connections first", async () => {
    const bench = new Bench();
    bench.keeper.configure(SYNC);
    bench.hear("master");
    bench.hear("backup");
    bench.time.advance(1 * S);
    let isOver = false;
    const stopped = bench.keeper.stop("remove").then(() => {
      isOver = true;
    });
    await bench.time.advanceSettled(3 * S - 1);
    assert.deepEqual([bench.running(), isOver], [BOTH, false]);
    await bench.time.advanceSettled(1);
    await stopped;
    assert.deepEqual([bench.running(), bench.status], [[], null]);
  });

  it("a master that never said that it left has the whole time", async () => {
    const bench = new Bench();
    bench.keeper.configure(SYNC);
    bench.hear("master");
    const stopped = bench.keeper.stop("remove");
    await bench.time.advanceSettled(4 * S - 1);
    assert.deepEqual(bench.running(), BOTH);
    await bench.time.advanceSettled(1);
    await stopped;
    assert.deepEqual(bench.running(), []);
  });

  it("waits for nothing where it was not master", async () => {
    const bench = new Bench();
    bench.keeper.configure(SYNC);
    await bench.keeper.stop("remove");
    assert.deepEqual(bench.running(), []);
  });

  it("leaves them where the table stays", async () => {
    const bench = new Bench();
    bench.keeper.configure(SYNC);
    bench.hear("master");
    await bench.keeper.stop("keep");
    await bench.time.advanceSettled(60 * S);
    assert.deepEqual(bench.running(), BOTH);
  });
});
