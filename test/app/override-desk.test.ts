import assert from "node:assert/strict";
import type { OverrideChange, OverrideReply } from "../../src/app/messages.ts";
import { OverrideDesk } from "../../src/app/override-desk.ts";
import type { ServiceConfig } from "../../src/config/model.ts";
import type { OverrideOrder } from "../../src/control/overrides.ts";
import { EMPTY_LOOKS } from "../../src/health/overrides.ts";
import type { ReplyOutcome } from "../../src/ipc/messages.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { MemoryLogger, MemoryStore } from "../support/memory-store.ts";
import { server, serviceConfig } from "../support/service-config.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const HOUR = 3_600 * SECOND;
const WEB = serviceConfig({ name: "web", servers: [server("10.0.0.11", 80), server("10.0.0.12", 80)] });
const MAIL = serviceConfig({ name: "mail", servers: [server("10.0.0.11", 25), server("10.0.0.13", 25)] });
const A = { service: "web", server: "10.0.0.11:80" };

/** A desk with a checker process that does as it is told. */
class Bench {
  readonly time = new VirtualTime();
  readonly logger = new MemoryLogger();
  readonly store: MemoryStore;
  readonly desk: OverrideDesk;
  readonly applied: OverrideChange[] = [];
  services: readonly ServiceConfig[] = [WEB, MAIL];
  serving = new Set(["web 10.0.0.11:80", "web 10.0.0.12:80", "mail 10.0.0.11:25", "mail 10.0.0.13:25"]);
  outcome: ReplyOutcome = { ok: true, value: { changes: ["weight changed"], warnings: [] } satisfies OverrideReply };
  onApply: () => void = () => {};
  /** How far the wall clock was set, milliseconds. */
  stepMs = 0;

  constructor(store = new MemoryStore(), startUs?: number) {
    this.store = store;
    this.time = new VirtualTime(startUs);
    const clock: Clock = { nowUs: () => this.time.nowUs(), wallMs: () => this.time.wallMs() + this.stepMs };
    this.desk = new OverrideDesk({
      clock,
      alarms: this.time,
      logger: this.logger,
      store,
      services: () => this.services,
      serversOf: (service) =>
        (this.services.find(({ name }) => name === service)?.servers ?? []).map(({ address, port }) => {
          const serves = this.serving.has(`${service} ${address}:${port}`);
          return { server: `${address}:${port}`, present: serves, weight: serves ? 1 : 0 };
        }),
      apply: async (changes) => {
        this.applied.push(...changes);
        this.onApply();
        return this.outcome;
      },
    });
  }

  order(part: Partial<OverrideOrder> = {}) {
    return this.desk.order({
      type: "drain",
      ...A,
      weight: null,
      until: null,
      deadlineUs: null,
      reason: null,
      by: "root",
      ...part,
    });
  }

  async done(part: Partial<OverrideOrder> = {}) {
    const result = await this.order(part);
    assert.ok(result.ok, JSON.stringify(result));
    return result.value;
  }

  async refused(part: Partial<OverrideOrder>): Promise<string> {
    const result = await this.order(part);
    assert.ok(!result.ok, JSON.stringify(result));
    assert.equal(result.error.code, "CONTROL_REFUSED");
    return result.error.message;
  }

  hear(active: number, emptyLooks: number, sinceMs = this.desk.standing()[0]?.override.sinceMs ?? 0): void {
    this.desk.hear([{ ...A, count: { sinceMs, active, emptyLooks } }]);
  }

  /** The daemon ends and starts again, after a while. */
  restart(afterUs = 0): Bench {
    const next = new Bench(new MemoryStore(this.store.text), this.time.nowUs() + afterUs);
    next.services = this.services;
    next.desk.open();
    return next;
  }

  state(target = A): string | undefined {
    return this.desk.status(target.service, target.server)?.state;
  }

  /** `draining -> drained: no connection is left`, one line for each event. */
  events(): string[] {
    return this.logger.entries.flatMap(({ event }) =>
      event === undefined ? [] : [`${event.subject}: ${event.from} -> ${event.to}: ${event.cause}`],
    );
  }

  warnings(): string[] {
    return this.logger.entries.filter(({ level }) => level === "warning").map(({ message }) => message);
  }
}

describe("override desk", () => {
  it("carries out an order: told to the checker, saved, an event, an answer", async () => {
    const bench = new Bench();
    const answer = await bench.done({
      reason: "new kernel",
      deadlineUs: 600 * SECOND,
      until: { type: "for", us: 2 * HOUR },
    });
    const status = {
      type: "drain",
      state: "draining",
      weight: null,
      since: "2026-01-01T00:00:01.000Z",
      until: "2026-01-01T02:00:01.000Z",
      deadline: "2026-01-01T00:10:01.000Z",
      connections: null,
      cut: null,
      reason: "new kernel",
      by: "root",
    };
    assert.deepEqual(answer, {
      servers: [{ ...A, before: null, override: status }],
      changes: ["weight changed"],
      warnings: [],
    });
    assert.deepEqual(bench.desk.list(), [{ ...A, isConfigured: true, override: status }]);
    assert.deepEqual(bench.applied, bench.desk.standing());
    assert.deepEqual(bench.events(), [
      "service web server 10.0.0.11:80: null -> draining: draining, by root (new kernel), at the latest 2026-01-01T00:10:01.000Z, until 2026-01-01T02:00:01.000Z",
    ]);
    assert.equal(bench.store.saves, 1);
  });

  it("is on disk before anybody acts: who dies in between knows of it afterwards", async () => {
    const bench = new Bench();
    const seen: (string | undefined)[] = [];
    bench.onApply = () => seen.push(bench.restart().state());
    await bench.done();
    bench.hear(0, EMPTY_LOOKS);
    await bench.done({ type: "enable" });
    assert.deepEqual(seen, ["draining", "drained", undefined]);
  });

  it("is over when no connection is left, once", async () => {
    const bench = new Bench();
    await bench.done();
    bench.hear(2, 0);
    assert.equal(bench.desk.status(A.service, A.server)?.connections, 2);
    assert.equal(bench.state(), "draining");
    bench.hear(0, EMPTY_LOOKS, 1);
    assert.equal(bench.state(), "draining", "that was another drain");
    bench.hear(0, EMPTY_LOOKS);
    assert.equal(bench.state(), "drained");
    assert.deepEqual(bench.applied.at(-1), bench.desk.standing()[0]);
    const { length } = bench.applied;
    bench.hear(0, EMPTY_LOOKS);
    assert.equal(bench.applied.length, length);
    assert.match(bench.events().at(-1) ?? "", /: draining -> drained: no connection is left$/);
  });

  it("ends a drain at its deadline, and says what that cut", async () => {
    const bench = new Bench();
    await bench.done({ deadlineUs: 90 * SECOND });
    bench.hear(3, 0);
    await bench.time.advanceSettled(89 * SECOND);
    assert.equal(bench.state(), "draining");
    await bench.time.advanceSettled(2 * SECOND);
    assert.equal(bench.state(), "drained");
    assert.equal(bench.desk.status(A.service, A.server)?.cut, 3);
    assert.match(bench.events().at(-1) ?? "", /the deadline has come, and cut 3 connections$/);
  });

  it("ends an override in time, and the checker hears of it", async () => {
    const bench = new Bench();
    await bench.done({ type: "disable", until: { type: "for", us: HOUR } });
    await bench.time.advanceSettled(HOUR - SECOND);
    assert.equal(bench.state(), "disabled");
    await bench.time.advanceSettled(2 * SECOND);
    assert.equal(bench.state(), undefined);
    assert.deepEqual(bench.applied.at(-1), { ...A, override: null });
    assert.match(bench.events().at(-1) ?? "", /disabled -> null: its time was over at 2026-01-01T01:00:01\.000Z$/);
    assert.equal(bench.time.nextUs, undefined, "nothing is waited for any more");
  });

  it("takes an override off, and says so where there is none", async () => {
    const bench = new Bench();
    await bench.done({ type: "weight", weight: 5 });
    const answer = await bench.done({ type: "enable", by: "ann", reason: "mended" });
    assert.deepEqual(answer.servers, [{ ...A, before: "weight 5", override: null }]);
    assert.match(bench.events().at(-1) ?? "", /weight 5 -> null: enabled by ann \(mended\)$/);
    const { saves } = bench.store;
    assert.deepEqual((await bench.done({ type: "enable" })).servers, [{ ...A, before: null, override: null }]);
    assert.equal(bench.store.saves, saves);
  });

  it("a new order takes the place of the old one; a drained server does not return to be drained", async () => {
    const bench = new Bench();
    await bench.done();
    bench.hear(0, EMPTY_LOOKS);
    assert.equal((await bench.done({ reason: "longer" })).servers[0]?.before, "drained");
    assert.equal(bench.state(), "drained");
    await bench.done({ type: "weight", weight: 1 });
    assert.equal(bench.state(), "weight 1");
    await bench.done();
    assert.equal(bench.state(), "draining");
  });

  it("finds servers by address, by address and port, and everywhere", async () => {
    const bench = new Bench();
    const found = async (part: Partial<OverrideOrder>) =>
      (await bench.done({ type: "disable", ...part })).servers.map(({ service, server }) => `${service} ${server}`);
    assert.deepEqual(await found({ server: "10.0.0.12" }), ["web 10.0.0.12:80"]);
    assert.deepEqual(await found({ service: "all", server: "10.0.0.11" }), ["web 10.0.0.11:80", "mail 10.0.0.11:25"]);
    assert.deepEqual(await found({ service: "all", server: "10.0.0.11:25" }), ["mail 10.0.0.11:25"]);
    const off = await found({ type: "enable", service: "all", server: "all" });
    assert.deepEqual(off, ["web 10.0.0.12:80", "web 10.0.0.11:80", "mail 10.0.0.11:25"]);
    assert.deepEqual(bench.desk.list(), []);
  });

  it("a service that is called all is meant by that word", async () => {
    const bench = new Bench();
    bench.services = [WEB, { ...MAIL, name: "all" }];
    const { servers } = await bench.done({ service: "all", server: "10.0.0.11" });
    assert.deepEqual(
      servers.map(({ service }) => service),
      ["all"],
    );
  });

  it("refuses what it does not know, with what was probably meant", async () => {
    const bench = new Bench();
    const rows: readonly [Partial<OverrideOrder>, string][] = [
      [{ service: "wbe" }, "there is no service wbe; did you mean web?"],
      [{ service: "database" }, "there is no service database; there are web, mail"],
      [{ server: "10.0.0.21:80" }, "service web has no server 10.0.0.21:80; did you mean 10.0.0.11:80?"],
      [{ server: "10.0.0.11:8080" }, "service web has no server 10.0.0.11:8080; did you mean 10.0.0.11:80?"],
      [{ server: "fd00::1" }, "service web has no server fd00::1; there are 10.0.0.11:80, 10.0.0.12:80"],
      [
        { service: "all", server: "10.9.9.9:1" },
        "no service has a server 10.9.9.9:1; there are 10.0.0.11:80, 10.0.0.12:80, 10.0.0.11:25, 10.0.0.13:25",
      ],
      [{ server: "all" }, "all as a server goes with enable alone; name the servers to drain"],
      [
        { server: "web1" },
        "web1 is not a server: expected ADDRESS:PORT, for example 192.0.2.10:80 or [2001:db8::10]:80",
      ],
      [{ until: { type: "at", atMs: 0 } }, "until 1970-01-01T00:00:00.000Z is over already"],
    ];
    for (const [part, message] of rows) assert.equal(await bench.refused(part), message);
    assert.deepEqual([bench.desk.list(), bench.applied, bench.store.saves], [[], [], 0]);
    bench.services = [];
    assert.equal(await bench.refused({}), "there is no service web; none is configured");
  });

  it("warns when an order takes the last server of a service", async () => {
    const bench = new Bench();
    assert.deepEqual((await bench.done()).warnings, []);
    bench.serving.delete("web 10.0.0.11:80");
    const last = "service web: no server is left that takes new connections";
    assert.deepEqual((await bench.done({ server: "10.0.0.12" })).warnings, [last]);
    assert.deepEqual((await bench.done({ server: "10.0.0.12", type: "weight", weight: 0 })).warnings, [last]);
    assert.deepEqual((await bench.done({ server: "10.0.0.12", type: "weight", weight: 1 })).warnings, []);
    assert.ok(bench.warnings().includes(last));
  });

  it("stands when the checker process is away or the disk is full, and says so", async () => {
    const bench = new Bench();
    bench.outcome = { ok: false, code: "CHILD_FAILED", message: "the checker process does not run" };
    bench.store.isBroken = true;
    const { warnings } = await bench.done();
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? "", /^overrides cannot be saved: .*ENOSPC; they stand, and a restart would lose them$/);
    assert.match(warnings[1] ?? "", /does not run; the order stands/);
    assert.equal(bench.state(), "draining");
  });

  describe("over a restart", () => {
    it("stands as it was, drained or not", async () => {
      const bench = new Bench();
      await bench.done({ deadlineUs: HOUR });
      await bench.done({ service: "mail", server: "10.0.0.11", type: "weight", weight: 9 });
      const next = bench.restart(SECOND);
      assert.deepEqual(next.desk.standing(), bench.desk.standing());
      assert.deepEqual(next.applied, [], "the checker process gets them with its configuration");
      next.hear(0, EMPTY_LOOKS);
      assert.equal(next.restart().state(), "drained");
    });

    it("ends what ended meanwhile, with an event, and a drain whose deadline came", async () => {
      const bench = new Bench();
      await bench.done({ type: "disable", until: { type: "for", us: HOUR } });
      await bench.done({ server: "10.0.0.12", deadlineUs: HOUR });
      const next = bench.restart(2 * HOUR);
      assert.equal(next.state(), undefined);
      assert.equal(next.state({ ...A, server: "10.0.0.12:80" }), "drained");
      assert.match(next.events().join("\n"), /disabled -> null: its time was over at/);
      assert.equal(next.restart().events().length, 0, "once");
    });

    it("sets a damaged file aside and starts without", () => {
      const COMMON = { sinceMs: 1, untilMs: null, reason: null, by: "root" };
      const kept = { ...A, isUntilLength: false, absentSinceMs: null, override: { ...COMMON, type: "disable" } };
      const good = JSON.stringify({ version: 1, overrides: [kept] });
      const open = (text: string) => {
        const bench = new Bench(new MemoryStore(text));
        bench.desk.open();
        return bench;
      };
      assert.equal(open(good).state(), "disabled");
      const rows = [
        "",
        "{",
        "null",
        "[]",
        JSON.stringify({ version: 2, overrides: [kept] }),
        JSON.stringify({ version: 1, overrides: {} }),
        ...[
          { ...kept, server: "10.0.0.11" },
          { ...kept, service: 7 },
          { ...kept, isUntilLength: undefined },
          { ...kept, absentSinceMs: "yesterday" },
          { ...kept, override: null },
          { ...kept, override: { ...COMMON, type: "weight", weight: 65_536 } },
          { ...kept, override: { ...COMMON, type: "weight" } },
          { ...kept, override: { ...COMMON, type: "sleep" } },
          { ...kept, override: { ...COMMON, type: "drain", deadlineMs: null } },
          { ...kept, override: { ...COMMON, type: "drain", deadlineMs: null, drained: { atMs: 1, cut: -1 } } },
          { ...kept, override: { ...COMMON, type: "disable", sinceMs: 1e300 } },
          { ...kept, override: { ...COMMON, type: "disable", by: null } },
        ].map((bad) => JSON.stringify({ version: 1, overrides: [kept, bad] })),
      ];
      for (const text of rows) {
        const bench = open(text);
        assert.deepEqual(bench.desk.list(), [], text);
        assert.match(bench.warnings().join(), /overrides is damaged .* set aside as owned\.json\.damaged-1; /, text);
      }
      const unreadable = new MemoryStore();
      unreadable.isBroken = true;
      const bench = new Bench(unreadable);
      bench.desk.open();
      assert.match(bench.warnings().join(), /cannot be read/);
    });
  });

  describe("over a reload", () => {
    it("remembers for a day what was about a server that is gone, and it stands when the server is back", async () => {
      const bench = new Bench();
      await bench.done();
      bench.services = [MAIL];
      bench.desk.configured();
      assert.equal(bench.desk.list()[0]?.isConfigured, false);
      await bench.time.advanceSettled(23 * HOUR);
      bench.services = [WEB, MAIL];
      bench.desk.configured();
      assert.equal(bench.desk.list()[0]?.isConfigured, true);
      assert.match(bench.logger.entries.at(-1)?.message ?? "", /is configured again, and still draining$/);
      bench.services = [MAIL];
      const next = bench.restart();
      await next.time.advanceSettled(25 * HOUR);
      assert.deepEqual(next.desk.list(), []);
      assert.match(next.events().at(-1) ?? "", /draining -> null: its server has not been configured for a day$/);
    });

    it("lets what is remembered be taken off", async () => {
      const bench = new Bench();
      await bench.done();
      bench.services = [MAIL];
      bench.desk.configured();
      assert.equal((await bench.done({ type: "enable" })).servers[0]?.before, "draining");
      assert.deepEqual(bench.desk.list(), []);
    });

    it("remembers a bounded number", async () => {
      const bench = new Bench();
      const servers = Array.from({ length: 1_500 }, (_, index) => server("10.0.0.11", index + 1));
      bench.services = [{ ...WEB, servers }];
      await bench.done({ server: "10.0.0.11", type: "disable" });
      assert.equal(bench.desk.list().length, 1_500);
      bench.services = [];
      bench.desk.configured();
      assert.equal(bench.desk.list().length, 1_000);
    });
  });

  describe("when the clock is set", () => {
    it("keeps a length of time, ordered since the start, and an instant where it is", async () => {
      const bench = new Bench();
      await bench.done({ type: "disable", until: { type: "for", us: HOUR } });
      const atMs = bench.time.wallMs() + 5 * 3_600_000;
      await bench.done({ server: "10.0.0.12", type: "disable", until: { type: "at", atMs } });
      await bench.time.advanceSettled(60 * SECOND);
      bench.stepMs = 2 * 3_600_000;
      await bench.time.advanceSettled(60 * SECOND);
      assert.equal(bench.state(), "disabled", "an hour has not passed");
      assert.equal(bench.desk.status(A.service, A.server)?.until, "2026-01-01T03:00:01.000Z");
      assert.match(bench.logger.entries.at(-1)?.message ?? "", /the clock was set 2h ahead/);
      await bench.time.advanceSettled(HOUR - 120 * SECOND + SECOND);
      assert.equal(bench.state(), undefined);
      assert.equal(bench.state({ ...A, server: "10.0.0.12:80" }), "disabled");
      await bench.time.advanceSettled(2 * HOUR);
      assert.equal(bench.state({ ...A, server: "10.0.0.12:80" }), undefined, "03:00 + 2 h = 05:00");
    });

    it("goes by the clock for what stood before the start: it may have been wrong until now", async () => {
      const bench = new Bench();
      await bench.done({ type: "disable", until: { type: "for", us: HOUR } });
      const next = bench.restart();
      next.stepMs = 2 * 3_600_000;
      await next.time.advanceSettled(60 * SECOND);
      assert.equal(next.state(), undefined);
    });
  });
});
