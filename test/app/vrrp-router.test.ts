import assert from "node:assert/strict";
import { instanceKey } from "../../src/app/messages.ts";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { instance, VirtualSegment } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const VIP = "192.0.2.10/24";

const phaseOf = (director: VirtualDirector) => director.states.get(instanceKey("web4"))?.phase;
const linesOf = (director: VirtualDirector) => director.log.map(({ message }) => message);

describe("vrrp router: two directors on a virtual segment", () => {
  let time: VirtualTime;
  let lb1: VirtualDirector;
  let lb2: VirtualDirector;
  let segment: VirtualSegment;

  beforeEach(() => {
    time = new VirtualTime();
    segment = new VirtualSegment(time);
    lb1 = segment.join("lb1", 11);
    lb2 = segment.join("lb2", 12);
  });

  function startPair(): void {
    lb1.router.configure({ instances: [instance(200)] });
    lb2.router.configure({ instances: [instance(100)] });
    time.advance(5 * SECOND);
  }

  const macOf = (director: VirtualDirector) => director.mac.replaceAll(":", "");

  /** Time until a director sends its next advert. */
  function untilAdvert(director: VirtualDirector): number {
    const before = director.sent.length;
    for (; director.sent.length === before; time.advance(100));
    return SECOND;
  }

  function assertMaster(master: VirtualDirector, backup: VirtualDirector, otherPhase = "backup"): void {
    assert.equal(phaseOf(master), "master");
    assert.equal(phaseOf(backup), otherPhase);
    assert.deepEqual(master.held, [VIP]);
    assert.deepEqual(backup.held, []);
  }

  it("elects the higher priority after its down interval", () => {
    startPair();
    assertMaster(lb1, lb2);
    assert.equal(lb1.announced.length, 5);
    time.advance(5 * SECOND);
    assert.equal(lb1.announced.length, 10, "five now, five after five seconds");
  });

  it("sends adverts at the interval, without drift", () => {
    startPair();
    const before = lb1.sent.length;
    time.advance(60 * SECOND);
    assert.equal(lb1.sent.length - before, 60);
  });

  it("tells how late its timers were, apart by what they are for", () => {
    time.alarmLateUs = 12;
    startPair();
    time.advance(9 * SECOND);
    for (const { router } of [lb1, lb2]) router.publishAll();
    const { advert, down, other } = lb1.states.get(instanceKey("web4"))?.lateness ?? {};
    assert.deepEqual([down?.count, down?.maxUs], [1, 12]);
    assert.deepEqual([other?.count, other?.maxUs], [1, 12], "the second announcement");
    assert.deepEqual([advert?.p50Us, advert?.maxUs], [12, 12]);
    assert.ok(advert !== undefined && advert.count >= 9, `${advert?.count} adverts`);
    assert.equal(lb2.states.get(instanceKey("web4"))?.lateness.advert.count, 0);
  });

  it("takes over when the master falls silent, and gives way when it returns", () => {
    startPair();
    lb1.cable = false;
    time.advance(3 * SECOND + 700_000);
    assert.equal(phaseOf(lb2), "master");
    lb1.cable = true;
    time.advance(2 * SECOND);
    assertMaster(lb1, lb2);
    time.advance(60 * SECOND);
    assert.equal(lb1.states.get(instanceKey("web4"))?.counters.becameMaster, 1, "no flap");
    assert.ok(
      linesOf(lb2).some((line) => line.includes("backup -> master: no advert accepted from master 198.51.100.11")),
    );
    assert.ok(linesOf(lb2).some((line) => line.includes("master -> backup: 198.51.100.11 advertises priority 200")));
    assert.ok(linesOf(lb1).some((line) => line.includes("198.51.100.12 also advertises as master")));
  });

  it("hands over within the skew when the master is stopped", () => {
    startPair();
    lb1.router.shutdown();
    assert.deepEqual(lb1.held, []);
    assert.equal(lb1.states.size, 0);
    time.advance(609_375 + 200);
    assert.deepEqual(lb2.held, [VIP]);
  });

  it("goes to fault at once when the interface goes down, and comes back", () => {
    startPair();
    const sent = lb1.sent.length;
    lb1.setLink({ isUp: false });
    assert.equal(phaseOf(lb1), "fault");
    assert.deepEqual(lb1.held, []);
    assert.equal(
      lb1.sent.length,
      sent,
      "what is sent to a peer without a carrier waits for its ARP, and comes seconds later",
    );
    time.advance(4 * SECOND);
    assert.equal(phaseOf(lb2), "master");
    lb1.setLink({ isUp: true });
    time.advance(5 * SECOND);
    assertMaster(lb1, lb2);
  });

  it("survives an interface that is deleted and made again under another index", () => {
    startPair();
    lb1.setLink(null);
    assert.equal(lb1.states.get(instanceKey("web4"))?.reason, "interface is missing");
    lb1.setLink({ index: 9 });
    time.advance(5 * SECOND);
    assertMaster(lb1, lb2);
  });

  it("leaves a running master alone when nothing changed, and applies what did", () => {
    startPair();
    const sent = lb1.sent.length;
    const frames = lb1.announced.length;
    lb1.router.configure({ instances: [instance(200)] });
    assert.equal(lb1.sent.length, sent);
    assert.equal(lb1.announced.length, frames, "no needless ARP");
    lb1.router.configure({ instances: [instance(200, { addresses: [{ address: "192.0.2.20", prefixLength: 32 }] })] });
    assert.deepEqual(lb1.held, ["192.0.2.20/32"]);
    assert.equal(phaseOf(lb1), "master");
    time.advance(100);
    assert.ok(
      linesOf(lb2).some((line) => line.includes("uses VRID 51 for the addresses 192.0.2.20, this node for 192.0.2.10")),
    );
  });

  it("hands over an instance that is no longer configured", () => {
    startPair();
    lb1.router.configure({ instances: [] });
    assert.deepEqual(lb1.held, [VIP], "serves until its successor is heard");
    time.advance(609_375 + 200);
    assert.deepEqual(lb1.held, []);
    assert.equal(phaseOf(lb2), "master");
    time.advance(SECOND);
    assert.equal(phaseOf(lb1), undefined, "nothing of it is left");
  });

  it("starts an instance under another VRID when it has handed over under the old one", () => {
    startPair();
    lb1.router.configure({ instances: [instance(200, { vrid: 52 })] });
    assert.equal(phaseOf(lb1), "master");
    time.advance(2 * SECOND);
    assert.equal(phaseOf(lb1), "backup");
    assert.ok(linesOf(lb1).some((line) => line.includes("vrid 52): initialize -> backup")));
  });

  it("hands over on request, rests, and serves again when it is needed", async () => {
    startPair();
    const ended = lb1.router.handover("web4");
    time.advance(609_375 + 200);
    assert.deepEqual(await ended, [
      { instance: "web4", successor: lb2.address, tookUs: 609_575, reason: `handed over to ${lb2.address}` },
    ]);
    assert.deepEqual([phaseOf(lb1), phaseOf(lb2)], ["backup", "master"]);
    time.advance(60 * SECOND);
    assert.deepEqual([phaseOf(lb1), phaseOf(lb2)], ["backup", "master"], "no preemption by one that rests");
    lb2.crash();
    time.advance(5 * SECOND);
    assert.equal(phaseOf(lb1), "master");
  });

  it("serves on when nobody answers a handover", async () => {
    startPair();
    lb2.crash();
    const ended = lb1.router.handover("web4");
    time.advance(4 * SECOND);
    const [report] = await ended;
    assert.equal(report?.successor, null);
    assert.match(report.reason, /no other director answered within 3\.\d+s/);
    assert.deepEqual([phaseOf(lb1), lb1.held], ["master", [VIP]]);
    await assert.rejects(lb1.router.handover("wbe4"), /there is no instance wbe4; did you mean web4\?/);
  });

  it("stops by handing over, and at once when asked again", async () => {
    startPair();
    const stopped = lb1.router.stop();
    assert.deepEqual(lb1.held, [VIP]);
    lb1.router.shutdown();
    assert.deepEqual(lb1.held, []);
    await stopped;
  });

  it("takes away the copy of an address that is no longer configured while it makes way", () => {
    startPair();
    const two = [
      { address: "192.0.2.10", prefixLength: 24 },
      { address: "192.0.2.20", prefixLength: 24 },
    ];
    lb1.router.configure({ instances: [instance(200, { addresses: two })] });
    void lb1.router.handover("web4");
    assert.deepEqual([...lb1.copies], ["192.0.2.10/32", "192.0.2.20/32"]);
    assert.equal(lb1.isQuiet, true);
    lb1.router.configure({ instances: [instance(200)] });
    time.advance(2 * SECOND);
    assert.deepEqual([...lb1.copies], []);
    assert.equal(lb1.isQuiet, false);
  });

  it("leaves neighbours with the router that remains when two took over at the same moment", () => {
    const lb3 = segment.join("lb3", 13);
    lb3.router.configure({ instances: [instance(100)] });
    startPair();
    lb1.crash();
    lb1.cable = false;
    // The advert of lb2 comes too late for lb3, and what lb2 announces reaches the client last.
    segment.wire = { carry: (from, to) => [from === "lb2" && to === "client" ? 2_000 : 100] };
    time.advance(5 * SECOND);
    assert.deepEqual([lb2, lb3].map(phaseOf), ["backup", "master"]);
    assert.equal(
      segment.neighbours.get("192.0.2.10"),
      macOf(lb3),
      "before the second burst, five seconds after the takeover",
    );
  });

  it("says nothing of leaving when it owns the address and comes back after a crash", () => {
    lb1.restart(instance(255));
    lb2.restart(instance(100));
    time.advance(5 * SECOND);
    lb1.crash();
    time.advance(10 * SECOND);
    assert.equal(phaseOf(lb2), "master");
    const before = lb1.sent.length;
    lb1.restart(instance(255));
    time.advance(5 * SECOND);
    const priorities = lb1.sent.slice(before).map((message) => message.readUInt8(2));
    assert.deepEqual(new Set(priorities), new Set([255]));
    assertMaster(lb1, lb2);
    assert.equal(lb2.masterships, 1, "it took over once, while the owner was gone");
  });

  it("has stopped when the interface goes down while it makes way", async () => {
    startPair();
    const stopped = lb1.router.stop();
    lb1.setLink(null);
    await stopped;
    lb1.setLink({ index: 9 });
    time.advance(5 * SECOND);
    assert.equal(phaseOf(lb1), undefined);
    assert.deepEqual([...lb1.held, ...lb1.copies], []);
  });

  it("goes on under another VRID on a new device when the old one vanished while it made way", () => {
    startPair();
    lb1.router.configure({ instances: [instance(200, { vrid: 52 })] });
    lb1.setLink({ index: 9 });
    time.advance(5 * SECOND);
    assert.equal(phaseOf(lb1), "master");
    assert.equal(lb1.states.get(instanceKey("web4"))?.vrid, 52);
    assert.equal(lb1.openSockets, 1);
    lb1.router.shutdown();
    assert.equal(lb1.openSockets, 0);
  });

  it("puts back an address that somebody else removed", async () => {
    startPair();
    lb1.addresses.clear();
    lb1.setLink({});
    lb2.setLink({});
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(lb1.held, [VIP]);
    assert.equal(lb1.announced.length, 10, "announced again");
    assert.deepEqual(lb2.held, [], "a backup holds nothing and misses nothing");
    lb1.setLink({});
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(lb1.announced.length, 10, "no needless ARP");
  });

  it("tries again when the kernel refuses the address", () => {
    lb1.refuseAddresses = true;
    startPair();
    assert.equal(phaseOf(lb1), "master");
    assert.ok(
      lb1.log.some(
        ({ level, message }) =>
          level === "error" && message.includes("adding 192.0.2.10/24 on eth0 was refused: ENOMEM"),
      ),
    );
    time.advance(SECOND);
    const why = "adding 192.0.2.10/24 on eth0 was refused: ENOMEM";
    const refused = () => lb1.states.get(instanceKey("web4"))?.refused;
    assert.deepEqual(refused(), [{ address: VIP, change: "add", why }]);
    lb1.refuseAddresses = false;
    time.advance(SECOND);
    assert.deepEqual(lb1.held, [VIP]);
    lb1.router.publishAll();
    assert.deepEqual(refused(), []);
  });

  it("keeps instances with other VRIDs on the interface apart", () => {
    startPair();
    const other = instance(150, { name: "other", vrid: 52, addresses: [{ address: "192.0.2.30", prefixLength: 32 }] });
    lb2.router.configure({ instances: [instance(100), other] });
    time.advance(5 * SECOND);
    assert.equal(phaseOf(lb1), "master");
    assert.deepEqual(lb1.held, [VIP]);
    assert.deepEqual(lb2.held, ["192.0.2.30/32"]);
    assert.equal(lb1.states.get(instanceKey("web4"))?.counters.rejected.vrid, undefined);
  });

  it("warns once about a peer that sends the other checksum form and another interval", () => {
    lb1.router.configure({ instances: [instance(200, { checksum: "message-only", advertIntervalUs: 2 * SECOND })] });
    time.advance(10 * SECOND);
    lb2.router.configure({ instances: [instance(100)] });
    time.advance(60 * SECOND);
    assert.equal(phaseOf(lb2), "backup");
    assert.equal(linesOf(lb2).filter((line) => line.includes("sends the message-only checksum")).length, 1);
    assert.equal(linesOf(lb2).filter((line) => line.includes("advertises every 2000 ms")).length, 1);
  });

  it("counts and names what differs: equal priority, another list, another interval, a stranger", () => {
    const eventsOf = (director: VirtualDirector) => {
      director.router.publishAll();
      return Object.keys(director.states.get(instanceKey("web4"))?.counters.events ?? {}).sort();
    };
    startPair();
    assert.deepEqual(eventsOf(lb2), []);
    lb1.router.configure({ instances: [instance(100)] });
    time.advance(SECOND);
    assert.deepEqual(eventsOf(lb2), ["equal_priority"]);
    lb1.router.configure({ instances: [instance(200, { advertIntervalUs: 2 * SECOND })] });
    time.advance(SECOND);
    assert.deepEqual(eventsOf(lb2), ["equal_priority", "interval"]);
    const second = { address: "192.0.2.20", prefixLength: 24 };
    lb1.router.configure({ instances: [instance(200, { addresses: [...instance(200).addresses, second] })] });
    time.advance(SECOND);
    assert.deepEqual(eventsOf(lb2), ["address_list", "equal_priority", "interval"]);
    lb1.router.configure({ instances: [instance(200, { addresses: [second] })] });
    time.advance(SECOND);
    assert.deepEqual(eventsOf(lb2), ["address_list", "equal_priority", "interval", "stranger"]);
    assert.deepEqual(eventsOf(lb1), [], "a backup says nothing");
  });

  it("names a healed split on both sides", () => {
    startPair();
    lb1.cable = false;
    time.advance(10 * SECOND);
    lb1.cable = true;
    time.advance(2 * SECOND);
    assertMaster(lb1, lb2);
    for (const director of [lb1, lb2]) {
      director.router.publishAll();
      assert.equal(director.states.get(instanceKey("web4"))?.counters.events.split_brain, 1, director.name);
    }
    const said = linesOf(lb2).find((line) => line.includes("there may have been two masters"));
    assert.match(said ?? "", /198\.51\.100\.11 \(priority 200\), silent when this node \(priority 100\) took over/);
  });

  it("does not call it a split when one that was handed over to gives back", () => {
    startPair();
    lb1.setLink({ isUp: false });
    time.advance(5 * SECOND);
    assert.equal(phaseOf(lb2), "master");
    const before = linesOf(lb2).length;
    lb2.router.configure({ instances: [instance(90)] });
    void lb2.router.handover("web4");
    lb1.setLink({ isUp: true });
    time.advance(8 * SECOND);
    assertMaster(lb1, lb2);
    assert.ok(
      !linesOf(lb2)
        .slice(before)
        .some((line) => line.includes("two masters")),
    );
  });

  it("tells the winner of a healed split that there were two, so that it announces the addresses again", () => {
    startPair();
    lb1.cable = false;
    time.advance(10 * SECOND);
    assert.equal(segment.neighbours.get("192.0.2.10"), macOf(lb2), "clients have learned lb2");
    // The winner is heard first: the other one has no reason to speak but this.
    time.advance(untilAdvert(lb1) - 1_000);
    lb1.cable = true;
    time.advance(5_000);
    assertMaster(lb1, lb2);
    assert.equal(segment.neighbours.get("192.0.2.10"), macOf(lb1), "clients have learned lb1");
  });

  it("lets nothing behind on an interface that was renamed, and says goodbye through it", () => {
    startPair();
    lb1.rename();
    assert.equal(phaseOf(lb1), "fault");
    assert.deepEqual(lb1.held, []);
    time.advance(609_375 + 200);
    assert.equal(phaseOf(lb2), "master", "within the skew: priority 0 was heard");
  });

  it("is in fault while it cannot listen, and tries again", () => {
    lb1.refuseSockets = true;
    lb1.router.configure({ instances: [instance(200)] });
    lb2.router.configure({ instances: [instance(100)] });
    time.advance(10 * SECOND);
    assert.equal(phaseOf(lb1), "fault");
    assert.equal(lb1.states.get(instanceKey("web4"))?.reason, "interface cannot be opened");
    assert.deepEqual(lb1.held, []);
    assertMaster(lb2, lb1, "fault");
    assert.equal(linesOf(lb1).filter((line) => line.includes("EMFILE")).length, 1, "said once");
    lb1.refuseSockets = false;
    time.advance(5 * SECOND);
    assertMaster(lb1, lb2);
  });

  it("tries again to remove an address that the kernel would not give up", () => {
    startPair();
    lb1.refuseRemoval = true;
    lb1.router.configure({ instances: [instance(50)] });
    time.advance(5 * SECOND);
    assert.equal(phaseOf(lb1), "backup");
    assert.deepEqual(lb1.held, [VIP], "the kernel refuses");
    assert.equal(linesOf(lb1).filter((line) => line.includes("removing 192.0.2.10/24")).length, 1, "said once");
    lb1.refuseRemoval = false;
    time.advance(SECOND);
    assert.deepEqual(lb1.held, []);
  });

  it("does not announce an address that the kernel refused", () => {
    lb1.refuseAddresses = true;
    startPair();
    assert.equal(phaseOf(lb1), "master");
    assert.deepEqual(lb1.announced, []);
  });

  it("puts its own in the place of an address that somebody else had there and took away", async () => {
    lb1.addresses.set(VIP, { deviceIndex: 2, isOwn: false });
    startPair();
    assert.equal(phaseOf(lb1), "master");
    assert.deepEqual(lb1.held, [], "the other's address serves");
    assert.equal(lb1.announced.length, 5);
    lb1.addresses.delete(VIP);
    lb1.setLink({});
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(lb1.held, [VIP]);
  });

  it("does not quarrel at full speed with whoever removes the address", async () => {
    startPair();
    for (let round = 0; round < 50; round += 1) {
      lb1.addresses.clear();
      lb1.setLink({});
      await new Promise((resolve) => setImmediate(resolve));
      time.advance(10_000);
    }
    assert.equal(lb1.announced.length, 10, "put back once in half a second");
    assert.equal(linesOf(lb1).filter((line) => line.includes("removed by somebody else")).length, 1);
    time.advance(SECOND);
    assert.deepEqual(lb1.held, [VIP], "and again after a second");
  });

  it("keeps its log short while two routers of other settings take turns", () => {
    lb1.router.configure({ instances: [instance(200)] });
    lb2.router.configure({ instances: [instance(100, { advertIntervalUs: 2 * SECOND })] });
    const lb3 = segment.join("lb3", 13);
    time.advance(10 * SECOND);
    const before = lb1.log.length;
    // Both are deaf to others, so they advertise for ever.
    segment.wire = { carry: (_from, to) => (to === "lb1" ? [100] : []) };
    lb3.router.configure({ instances: [instance(90, { advertIntervalUs: 3 * SECOND })] });
    time.advance(50 * SECOND);
    assert.ok(lb1.log.length - before <= 4, linesOf(lb1).slice(before).join("\n"));
  });

  it("after standing still it leaves the address to whoever took over, if it does not preempt", () => {
    for (const packetsFirst of [true, false]) {
      const pair = new VirtualSegment(time);
      lb1 = pair.join("lb1", 11);
      lb2 = pair.join("lb2", 12);
      lb1.router.configure({ instances: [instance(200, { preempt: { mode: "never" } })] });
      lb2.router.configure({ instances: [instance(100, { preempt: { mode: "never" } })] });
      time.advance(5 * SECOND);
      assertMaster(lb1, lb2);
      lb1.stall();
      time.advance(10 * SECOND);
      lb1.resume(packetsFirst);
      time.advance(2 * SECOND);
      assertMaster(lb2, lb1);
      assert.equal(lb2.states.get(instanceKey("web4"))?.counters.becameMaster, 1, "it never gave way");
    }
  });

  it("hears waiting adverts before it takes over after standing still", () => {
    startPair();
    lb2.stall();
    time.advance(10 * SECOND);
    lb2.resume(false);
    assertMaster(lb1, lb2);
  });
});
