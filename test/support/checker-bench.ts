import assert from "node:assert/strict";
import { Checker } from "../../src/app/checker.ts";
import type { DriftConfig } from "../../src/app/drift-keeper.ts";
import { IpvsOwnership } from "../../src/app/ipvs-ownership.ts";
import { IpvsTableKeeper } from "../../src/app/ipvs-table.ts";
import type { CheckedServer, CheckerProcessConfig, DrainNews } from "../../src/app/messages.ts";
import type { MissingSysctl } from "../../src/app/sysctl-needs.ts";
import { orThrow } from "../../src/base/result.ts";
import type { ServiceConfig } from "../../src/config/model.ts";
import type { DriftStatus, KernelStatus } from "../../src/control/status.ts";
import { destinationKey, serviceKey } from "../../src/ipvs/keys.ts";
import type { LogEntry } from "../../src/ports/logger.ts";
import type { TrackFact } from "../../src/vrrp/track.ts";
import { target } from "./check-configs.ts";
import { FakeCheckers } from "./fake-checkers.ts";
import { FakeIpvsKernel } from "./fake-ipvs-kernel.ts";
import { MemoryLogger, MemoryStore } from "./memory-store.ts";
import { VirtualTime } from "./virtual-time.ts";

/** A checker over a fake kernel whose servers answer as told. */
export class CheckerBench {
  readonly time = new VirtualTime();
  readonly kernel: FakeIpvsKernel;
  readonly checkers = new FakeCheckers(this.time);
  readonly logger = new MemoryLogger();
  readonly states = new Map<string, CheckedServer>();
  readonly store: MemoryStore;
  readonly checker: Checker;
  /** What draining servers were said to have, by drainKey. */
  readonly drains = new Map<string, DrainNews>();
  /** What the sysctls that drains need come to. */
  quiescing: readonly LogEntry[] = [];
  /** Names of the services that they were last asked for. */
  quiesced: readonly string[] = [];
  /** What came of the sysctls that the services need, where they are managed. */
  sysctls: readonly LogEntry[] = [];
  /** Those that the kernel lacks, managed or not. */
  missingSysctls: readonly MissingSysctl[] = [];
  neededSysctls: readonly string[] = ["net.ipv4.ip_forward"];
  sysctlLooks = 0;
  opened = 0;
  /** What instances track. */
  track: CheckerProcessConfig["track"] = { scripts: [], services: [] };
  manageSysctls = false;
  /** Looks on the period are for the tests that are about them. */
  drift: DriftConfig = { drift: "repair", driftIntervalUs: 3_600_000_000 };
  /** What was said last about drift. */
  drifted: DriftStatus | null = null;
  /** What was said about what the kernel lacks, oldest first. */
  readonly kernelStates: KernelStatus[] = [];
  readonly facts = new Map<string, TrackFact>();

  constructor(kernel = new FakeIpvsKernel(), store = new MemoryStore()) {
    this.kernel = kernel;
    this.store = store;
    this.checker = new Checker({
      clock: this.time,
      alarms: this.time,
      logger: this.logger,
      random: () => 0,
      createFactory: () => this.checkers.factory,
      openTable: () => {
        this.opened += 1;
        const ownership = IpvsOwnership.load({ bootId: "boot" }, { store, logger: this.logger });
        return orThrow(IpvsTableKeeper.open({ socket: kernel, ownership }));
      },
      readServices: () => assert.fail("no plan without a table here"),
      ownsServices: () => {
        const ownership = IpvsOwnership.load({ bootId: "boot" }, { store, logger: this.logger });
        return ownership.keys.size > 0;
      },
      applySysctls: (_services, manage) => {
        this.sysctlLooks += 1;
        return { set: manage ? this.sysctls : [], missing: this.missingSysctls, needed: this.neededSysctls };
      },
      applyQuiescingSysctls: (services) => {
        this.quiesced = services.map(({ name }) => name);
        return this.quiescing;
      },
      createTrackChecker: (instance, check) =>
        this.checkers.factory(check, target(0, { service: instance, check: check.name })),
      publish: (key, state) => {
        if (state === null) this.states.delete(key);
        else this.states.set(key, state);
      },
      publishFact: (key, fact) => {
        if (fact === null) this.facts.delete(key);
        else this.facts.set(key, fact);
      },
      publishDrift: (_key, status) => {
        this.drifted = status;
      },
      publishKernel: (_key, status) => {
        if (status !== null) this.kernelStates.push(status);
      },
      publishDrain: (key, news) => this.drains.set(key, news),
    });
  }

  configure(
    services: readonly ServiceConfig[],
    onStop: "remove" | "keep" = "remove",
    overrides: CheckerProcessConfig["overrides"] = [],
  ) {
    const config: CheckerProcessConfig = {
      services,
      ipvs: { onStop, manageSysctls: this.manageSysctls, ...this.drift },
      scripts: { maxConcurrent: 4 },
      sync: null,
      track: this.track,
      overrides,
      stateDir: "/nowhere",
    };
    return this.checker.configure(config);
  }

  /** `10.0.0.11:80 weight 1` of every destination, by service. */
  table(): Record<string, string[]> {
    const keeper = orThrow(
      IpvsTableKeeper.open({
        socket: this.kernel,
        ownership: IpvsOwnership.load({ bootId: "x" }, { store: new MemoryStore(), logger: this.logger }),
      }),
    );
    const services = orThrow(keeper.read()).services.map((each): [string, string[]] => [
      serviceKey(each),
      each.destinations.map((one) => `${destinationKey(one)} weight ${one.weight}`).sort(),
    ]);
    return Object.fromEntries(services);
  }

  lines(): string[] {
    return this.logger.entries.map(({ level, message }) => `${level}: ${message}`);
  }
}
