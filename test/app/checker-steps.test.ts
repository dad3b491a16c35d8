import assert from "node:assert/strict";
import { Checker } from "../../src/app/checker.ts";
import { IpvsOwnership } from "../../src/app/ipvs-ownership.ts";
import { IpvsTableKeeper } from "../../src/app/ipvs-table.ts";
import type { CheckedServer } from "../../src/app/messages.ts";
import { server, service, tcpCheck } from "../support/check-configs.ts";
import { FakeCheckers, PASS, REFUSE } from "../support/fake-checkers.ts";
import { FakeIpvsKernel } from "../support/fake-ipvs-kernel.ts";
import { MemoryLogger, MemoryStore } from "../support/memory-store.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const MS = 1_000;
const SECOND = 1_000_000;

/** Notes when the kernel was written to. */
class TimedKernel extends FakeIpvsKernel {
  readonly writes: number[] = [];
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    super();
    this.#time = time;
  }

  override execute(requests: readonly Buffer[]): ReturnType<FakeIpvsKernel["execute"]> {
    this.writes.push(this.#time.nowUs());
    return super.execute(requests);
  }
}

/** Servers on ports 1 to `count`, checked each second, one millisecond after the other. */
function rig(count: number) {
  const time = new VirtualTime();
  const checkers = new FakeCheckers(time);
  const kernel = new TimedKernel(time);
  const published: (readonly [number, string, CheckedServer | null])[] = [];
  let drawn = -1;
  const checker = new Checker({
    clock: time,
    alarms: time,
    logger: new MemoryLogger(),
    random: () => {
      drawn += 1;
      return drawn / 1_000;
    },
    createFactory: () => checkers.factory,
    openTable: () => {
      const ownership = IpvsOwnership.load({ bootId: "" }, { store: new MemoryStore(), logger: new MemoryLogger() });
      const keeper = IpvsTableKeeper.open({ socket: kernel, ownership });
      assert.ok(keeper.ok);
      return keeper.value;
    },
    readServices: () => assert.fail("nothing is planned"),
    ownsServices: () => false,
    applySysctls: () => ({ set: [], missing: [], needed: [] }),
    applyQuiescingSysctls: () => [],
    createTrackChecker: () => assert.fail("nothing is tracked"),
    publish: (key, state) => published.push([time.nowUs(), key, state]),
    publishFact: () => assert.fail("nothing is tracked"),
    publishDrift: () => undefined,
    publishKernel: () => undefined,
    publishDrain: () => assert.fail("nothing drains"),
  });
  const checks = [tcpCheck({ rise: 1, fall: 1 })];
  const servers = Array.from({ length: count }, (_, i) => server(i + 1, { checks }));
  const inTable = (): number =>
    [...kernel.services.values()].reduce((sum, { destinations }) => sum + destinations.size, 0);
  checker.configure({
    services: [service(servers)],
    ipvs: { onStop: "remove", manageSysctls: false, drift: "repair", driftIntervalUs: 3_600 * SECOND },
    scripts: { maxConcurrent: 1 },
    sync: null,
    track: { scripts: [], services: [] },
    stateDir: "",
  });
  return { time, checkers, kernel, published, checker, inTable };
}

/** Turns of the event loop until what was set off in the last one has been done. */
async function ended(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe("checker: changes in steps", () => {
  it("makes the first change of the table at once, and those that follow closely together", async () => {
    const { time, checkers, kernel, inTable } = rig(200);
    await time.advanceSettled(3 * SECOND);
    assert.equal(inTable(), 200);
    checkers.answer = () => REFUSE;
    kernel.writes.length = 0;
    const startUs = time.nowUs();
    await time.advanceSettled(1 * MS);
    await ended();
    assert.equal(inTable(), 199, "the first one at once");
    await time.advanceSettled(SECOND);
    assert.equal(inTable(), 0);
    const writes = kernel.writes.filter((atUs) => atUs < startUs + 300 * MS);
    assert.ok(writes.length >= 15 && writes.length <= 25, `${writes.length} writes for 200 servers in 200 ms`);
    assert.ok((writes.at(-1) ?? Number.POSITIVE_INFINITY) <= startUs + 210 * MS, "nobody waits longer than the gap");
  });

  it("brings a single server back within its own check", async () => {
    const { time, checkers, inTable } = rig(3);
    checkers.answer = () => REFUSE;
    await time.advanceSettled(2_500 * MS);
    assert.equal(inTable(), 0);
    checkers.answer = ({ port }) => (port === 2 ? PASS : REFUSE);
    await time.advanceSettled(502 * MS);
    await ended();
    assert.equal(inTable(), 1);
  });

  it("tells every server's last attempts within half a minute, and a change at once", async () => {
    const { time, checkers, published } = rig(900);
    await time.advanceSettled(3 * SECOND);
    published.length = 0;
    checkers.answer = ({ port }) => (port === 500 ? REFUSE : PASS);
    const startUs = time.nowUs();
    await time.advanceSettled(31 * SECOND);
    const told = new Map<string, number>();
    for (const [, key] of published) told.set(key, (told.get(key) ?? 0) + 1);
    assert.equal(told.size, 900);
    assert.ok([...told.values()].every((times) => times <= 3));
    const down = published.find(([, , state]) => state?.verdict === "down");
    assert.equal(down?.[1], "server/web/10.0.0.1:500");
    assert.ok((down?.[0] ?? 0) <= startUs + SECOND);
  }).timeout(30_000);

  it("stops with an empty table, whatever was about to be changed", async () => {
    const { time, checkers, kernel, checker } = rig(5);
    await time.advanceSettled(2 * SECOND);
    checkers.answer = () => REFUSE;
    time.advance(2 * MS);
    checker.stop();
    assert.equal(kernel.services.size, 0);
    kernel.writes.length = 0;
    await time.advanceSettled(5 * SECOND);
    assert.deepEqual(kernel.writes, []);
    assert.ok(kernel.closed);
  });
});
