import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { addressesToRemove, planReturn } from "../../src/app/crash-return.ts";
import { instanceKey } from "../../src/app/messages.ts";
import { formatCidr } from "../../src/base/ip.ts";
import type { InstanceConfig } from "../../src/config/model.ts";
import { AdvertMemory } from "../../src/sys/advert-memory.ts";
import type { InterfaceState } from "../../src/sys/link-monitor.ts";
import { decodeAdvert, VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { instance, VirtualSegment } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const VIP = "192.0.2.10/24";
const WEB = instance(200);

const statusOf = (director: VirtualDirector) => director.states.get(instanceKey("web4"));

describe("return after a crash: what is decided", () => {
  const eth0: InterfaceState = {
    name: "eth0",
    index: 2,
    isUp: true,
    mac: null,
    hasArp: true,
    addresses: [],
    primaryIpv4: "198.51.100.11",
  };
  const LAST = 100 * SECOND;

  function plan(
    afterUs: number,
    change: { readonly link?: Partial<InterfaceState>; readonly left?: readonly string[]; readonly vrid?: number } = {},
    instances: readonly InstanceConfig[] = [WEB],
  ): string {
    const cidrs = (change.left ?? [VIP]).map((text) => {
      const [address = "", prefix] = text.split("/");
      return { address, prefixLength: Number(prefix) };
    });
    const leftovers = {
      addresses: new Map([["eth0", cidrs]]),
      lastAdvert: (name: string, vrid: number) =>
        name === "eth0" && vrid === (change.vrid ?? 51) ? { atUs: LAST, intervalUs: SECOND } : undefined,
      resting: new Set<string>(),
    };
    const link = () => ({ ...eth0, ...change.link });
    const decided = planReturn(instances, leftovers, link, LAST + afterUs);
    const going = [...addressesToRemove(instances, leftovers, decided).values()].flat().map(formatCidr);
    const verdict = decided.resuming.has("web4") ? "resumes" : decided.departed.has("web4") ? "departed" : "nothing";
    return `${verdict}, removes ${going.join(" ") || "none"}`;
  }

  it("goes on until a peer can have taken over, and not a moment longer", () => {
    assert.equal(plan(0), "resumes, removes none");
    assert.equal(plan(3 * SECOND - 10_001), "resumes, removes none");
    assert.equal(plan(3 * SECOND - 10_000), `departed, removes ${VIP}`);
    assert.equal(plan(-1), `departed, removes ${VIP}`, "a clock that was set back proves nothing");
  });

  it("goes on only as the same virtual router, with all its addresses, on an interface that works", () => {
    assert.equal(plan(SECOND, { vrid: 52 }), `departed, removes ${VIP}`);
    assert.equal(plan(SECOND, { link: { isUp: false } }), `departed, removes ${VIP}`);
    assert.equal(plan(SECOND, { link: { primaryIpv4: null } }), `departed, removes ${VIP}`);
    assert.equal(plan(SECOND, { left: ["192.0.2.99/24"] }), "nothing, removes 192.0.2.99/24");
    assert.equal(plan(SECOND, { left: [VIP, "192.0.2.99/24"] }), "resumes, removes 192.0.2.99/24");
    const two = instance(200, { addresses: [...WEB.addresses, { address: "192.0.2.11", prefixLength: 24 }] });
    assert.equal(plan(SECOND, {}, [two]), `departed, removes ${VIP}`);
    assert.equal(plan(SECOND, {}, []), `nothing, removes ${VIP}`);
  });
});

describe("return after a crash: two directors on a virtual segment", () => {
  let time: VirtualTime;
  let lb1: VirtualDirector;
  let lb2: VirtualDirector;

  beforeEach(() => {
    time = new VirtualTime();
    const segment = new VirtualSegment(time);
    lb1 = segment.join("lb1", 11);
    lb2 = segment.join("lb2", 12);
    lb1.router.configure({ instances: [WEB] });
    lb2.router.configure({ instances: [instance(100)] });
    time.advance(5 * SECOND);
    assert.equal(lb1.phase, "master");
  });

  const prioritiesSince = (count: number) =>
    lb1.sent.slice(count).map((message) => {
      const decoded = decodeAdvert(message, { source: lb1.address, destination: VRRP_GROUP_IPV4 });
      return decoded.ok ? decoded.value.priority : null;
    });

  it("a master that is back in time serves on: the peer never sees a reason to take over", () => {
    const sent = lb1.sent.length;
    lb1.crash();
    time.advance(1_900_000);
    assert.deepEqual(lb1.held, [VIP], "the kernel keeps the addresses");
    lb1.restart(WEB);
    assert.equal(lb1.phase, "master");
    assert.match(statusOf(lb1)?.reason ?? "", /resumes/);
    assert.deepEqual(lb1.held, [VIP]);
    time.advance(30 * SECOND);
    assert.equal(statusOf(lb2)?.counters.becameMaster, 0);
    assert.equal(lb1.phase, "master");
    assert.ok(prioritiesSince(sent).every((priority) => priority === 200));
  });

  it("one that is too late says that it has gone, once, and the peer takes over within its skew", () => {
    lb2.stall();
    lb1.crash();
    time.advance(3 * SECOND);
    const sent = lb1.sent.length;
    lb1.restart(WEB);
    assert.deepEqual(lb1.held, []);
    assert.equal(lb1.phase, "backup");
    assert.deepEqual(prioritiesSince(sent), [0]);
    lb2.resume(true);
    time.advance(700_000);
    assert.equal(lb2.phase, "master", "after its skew, not after its down interval");
  });

  it("one that froze before it was killed does not come back as master", () => {
    lb1.stall();
    time.advance(3_700_000);
    assert.equal(lb2.phase, "master");
    lb1.crash();
    lb1.restart(instance(200, { preempt: { mode: "never" } }));
    assert.equal(lb1.phase, "backup");
    time.advance(10 * SECOND);
    assert.equal(lb2.phase, "master");
    assert.deepEqual(lb1.held, []);
  });

  it("one that was handing over does not come back as master", async () => {
    void lb1.router.handover("web4");
    lb1.crash();
    lb1.restart(WEB);
    assert.equal(lb1.phase, "backup");
    assert.deepEqual(lb1.held, []);
  });

  it("one that rested rests on: it leaves its successor alone, and is there when it is needed", () => {
    void lb1.router.handover("web4");
    time.advance(5 * SECOND);
    assert.deepEqual([lb1.phase, statusOf(lb1)?.isResting, lb2.phase], ["backup", true, "master"]);
    lb1.crash();
    lb1.restart(WEB, ["web4"]);
    time.advance(30 * SECOND);
    assert.deepEqual([lb1.phase, statusOf(lb1)?.isResting, lb2.phase], ["backup", true, "master"]);
    lb2.crash();
    time.advance(4 * SECOND);
    assert.deepEqual([lb1.phase, statusOf(lb1)?.isResting], ["master", false]);
  });

  it("one that rests takes the address back when it is woken, as `preempt` says", () => {
    for (const [mode, phase] of [
      ["never", "backup"],
      ["always", "master"],
    ] as const) {
      lb1.crash();
      time.advance(10 * SECOND);
      lb1.restart(instance(200, { preempt: { mode } }), ["web4"]);
      time.advance(10 * SECOND);
      assert.deepEqual([lb1.phase, statusOf(lb1)?.isResting, lb2.phase], ["backup", true, "master"], mode);
      lb1.router.wake("web4");
      time.advance(10 * SECOND);
      assert.deepEqual([lb1.phase, statusOf(lb1)?.isResting], [phase, false], mode);
    }
    assert.throws(() => lb1.router.wake("web6"), /there is no instance web6; did you mean web4\?/);
  });

  it("a backup that was killed just listens", () => {
    const sent = lb2.sent.length;
    lb2.crash();
    lb2.restart(instance(100));
    assert.equal(lb2.phase, "backup");
    assert.equal(lb2.sent.length, sent, "no priority 0 for what it never held");
  });

  it("one whose interface has gone meanwhile keeps nothing", () => {
    lb1.refuseSockets = true;
    lb1.crash();
    lb1.restart(WEB);
    assert.equal(lb1.phase, "fault");
    assert.deepEqual(lb1.held, []);
  });
});

describe("the memory of the last advert", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join("/dev/shm", "adverts-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("tells the next process what was said last, once", () => {
    const slot = AdvertMemory.open(dir).slot("eth0.5", 51);
    slot.remember({ atUs: 123_456_789_012, intervalUs: SECOND });
    slot.remember({ atUs: 7, intervalUs: 10_000 });
    const next = AdvertMemory.open(dir);
    assert.deepEqual(next.recall("eth0.5", 51), { atUs: 7, intervalUs: 10_000 });
    assert.equal(next.recall("eth0.5", 52), undefined);
    assert.equal(AdvertMemory.open(dir).recall("eth0.5", 51), undefined);
  });

  it("forgets who said that it leaves, and remembers it anew as master", () => {
    const slot = AdvertMemory.open(dir).slot("eth0", 51);
    slot.forget();
    slot.remember({ atUs: 1, intervalUs: SECOND });
    slot.forget();
    slot.forget();
    assert.equal(AdvertMemory.open(dir).recall("eth0", 51), undefined);
    const again = AdvertMemory.open(dir).slot("eth0", 51);
    again.remember({ atUs: 2, intervalUs: SECOND });
    assert.equal(AdvertMemory.open(dir).recall("eth0", 51)?.atUs, 2);
  });

  it("is silent where the run directory is on a disk or cannot be used", () => {
    const onDisk = AdvertMemory.open("/proc/nothing");
    onDisk.slot("eth0", 51).remember({ atUs: 1, intervalUs: 1 });
    assert.equal(onDisk.recall("eth0", 51), undefined);
  });
});
