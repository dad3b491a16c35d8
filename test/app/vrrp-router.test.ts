import assert from "node:assert/strict";
import { instanceKey } from "../../src/app/messages.ts";
import { instance, type VirtualDirector, VirtualSegment } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const VIP = "192.0.2.10/24";

const phaseOf = (director: VirtualDirector) => director.states.get(instanceKey("web4"))?.phase;
const linesOf = (director: VirtualDirector) => director.log.map(({ message }) => message);

describe("vrrp router: two directors on a virtual segment", () => {
  let time: VirtualTime;
  let lb1: VirtualDirector;
  let lb2: VirtualDirector;

  beforeEach(() => {
    time = new VirtualTime();
    const segment = new VirtualSegment(time);
    lb1 = segment.join("lb1", 11);
    lb2 = segment.join("lb2", 12);
  });

  function startPair(): void {
    lb1.router.configure({ instances: [instance(200)] });
    lb2.router.configure({ instances: [instance(100)] });
    time.advance(5 * SECOND);
  }

  function assertMaster(master: VirtualDirector, backup: VirtualDirector): void {
    assert.equal(phaseOf(master), "master");
    assert.equal(phaseOf(backup), "backup");
    assert.deepEqual([...master.addresses], [VIP]);
    assert.deepEqual([...backup.addresses], []);
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
    assert.deepEqual([...lb1.addresses], []);
    assert.equal(lb1.states.size, 0);
    time.advance(609_375 + 200);
    assert.deepEqual([...lb2.addresses], [VIP]);
  });

  it("goes to fault at once when the interface goes down, and comes back", () => {
    startPair();
    lb1.setLink({ isUp: false });
    assert.equal(phaseOf(lb1), "fault");
    assert.deepEqual([...lb1.addresses], []);
    time.advance(SECOND);
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
    assert.deepEqual([...lb1.addresses], ["192.0.2.20/32"]);
    assert.equal(phaseOf(lb1), "master");
    time.advance(100);
    assert.ok(linesOf(lb2).some((line) => line.includes("advertises the addresses 192.0.2.20, this node 192.0.2.10")));
  });

  it("removes an instance that is no longer configured", () => {
    startPair();
    lb1.router.configure({ instances: [] });
    assert.deepEqual([...lb1.addresses], []);
    time.advance(SECOND);
    assert.equal(phaseOf(lb2), "master");
  });

  it("puts back an address that somebody else removed", async () => {
    startPair();
    lb1.addresses.clear();
    lb1.setLink({});
    lb2.setLink({});
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([...lb1.addresses], [VIP]);
    assert.equal(lb1.announced.length, 10, "announced again");
    assert.deepEqual([...lb2.addresses], [], "a backup holds nothing and misses nothing");
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
    lb1.refuseAddresses = false;
    time.advance(SECOND);
    assert.deepEqual([...lb1.addresses], [VIP]);
  });

  it("keeps instances with other VRIDs on the interface apart", () => {
    startPair();
    const other = instance(150, { name: "other", vrid: 52, addresses: [{ address: "192.0.2.30", prefixLength: 32 }] });
    lb2.router.configure({ instances: [instance(100), other] });
    time.advance(5 * SECOND);
    assertMaster(lb1, { ...lb2, addresses: new Set() });
    assert.deepEqual([...lb2.addresses], ["192.0.2.30/32"]);
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
});
