import assert from "node:assert/strict";
import { scriptFactKey, serviceFactKey } from "../../src/app/messages.ts";
import type { TrackConfig } from "../../src/config/model.ts";
import { EDGE, NAMES, pairOf, SIDES, TwoSegments, type TwoSidedDirector } from "../support/two-sided.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const NOTHING: TrackConfig = { interfaces: [], scripts: [], services: [] };
/** The skew of priority 100 at one second, and the wire. */
const SKEW_US = 609_375 + 1_000;

describe("vrrp groups: two directors on two segments", () => {
  let time: VirtualTime;
  let net: TwoSegments;
  let lb1: TwoSidedDirector;
  let lb2: TwoSidedDirector;

  beforeEach(() => {
    time = new VirtualTime();
    net = new TwoSegments(time);
    lb1 = net.join("lb1", 11);
    lb2 = net.join("lb2", 12);
  });

  function start(first = pairOf(200), second = pairOf(100)): void {
    lb1.configure(first);
    lb2.configure(second);
    time.advance(6 * SECOND);
  }

  const where = () => SIDES.map((side) => net.masters(side));
  const transitions = () =>
    net.directors.flatMap(({ log }) => log.filter(({ message }) => message.includes(" -> "))).length;

  it("both sides are master on the same director", () => {
    start();
    assert.deepEqual(where(), ["lb1", "lb1"]);
    assert.deepEqual([lb1.held.eth0.size, lb1.held.eth1.size, lb2.held.eth0.size, lb2.held.eth1.size], [1, 1, 0, 0]);
    assert.equal(lb1.states.get("instance/in4")?.group, "edge");
  });

  for (const [cut, other] of [
    ["eth0", "eth1"],
    ["eth1", "eth0"],
  ] as const) {
    it(`the cable of ${cut} is pulled: both sides leave at once, and return when it is back`, () => {
      start();
      lb1.carrier(cut, false);
      assert.deepEqual([lb1.phase("eth0"), lb1.phase("eth1")], ["fault", "fault"], "in the same turn");
      assert.deepEqual([lb1.held.eth0.size, lb1.held.eth1.size], [0, 0]);
      assert.equal(lb1.states.get(`instance/${NAMES[other]}`)?.reason, `group edge: ${NAMES[cut]}: interface is down`);
      time.advance(SKEW_US);
      assert.deepEqual(where(), ["lb2", "lb2"], "within the skew of the side that could say goodbye");
      lb1.carrier(cut, true);
      time.advance(8 * SECOND);
      assert.deepEqual(where(), ["lb1", "lb1"]);
    });
  }

  it("a fault ends when the last member's own is over", () => {
    start();
    lb1.carrier("eth0", false);
    lb1.carrier("eth1", false);
    lb1.carrier("eth0", true);
    assert.equal(lb1.states.get("instance/out4")?.reason, "interface is down");
    assert.equal(lb1.phase("eth0"), "fault");
    lb1.carrier("eth1", true);
    assert.deepEqual([lb1.phase("eth0"), lb1.phase("eth1")], ["backup", "backup"]);
  });

  it("a tracked script that fails takes both sides off, and gives them back", () => {
    const track = {
      ...NOTHING,
      scripts: [
        {
          name: "disk",
          command: ["/bin/true"] as const,
          intervalUs: SECOND,
          timeoutUs: SECOND,
          rise: 1,
          fall: 1,
          weight: null,
        },
      ],
    };
    lb1.judge(scriptFactKey("in4", "disk"), { type: "script", isPassing: true, reason: "" });
    start(pairOf(200, {}, { track }));
    assert.deepEqual(where(), ["lb1", "lb1"]);
    lb1.judge(scriptFactKey("in4", "disk"), { type: "script", isPassing: false, reason: "full" });
    assert.deepEqual([lb1.phase("eth0"), lb1.phase("eth1")], ["fault", "fault"]);
    assert.equal(lb1.states.get("instance/out4")?.reason, "group edge: in4: script disk fails: full");
    lb1.judge(scriptFactKey("in4", "disk"), { type: "script", isPassing: true, reason: "" });
    time.advance(10 * SECOND);
    assert.deepEqual(where(), ["lb1", "lb1"]);
  });

  it("the weight of what one member tracks counts for all of them", () => {
    const track = { ...NOTHING, services: [{ service: "web", quorum: 2, weight: -120 }] };
    lb1.judge(serviceFactKey("web"), { type: "service", serving: 3, servers: 3 });
    start(pairOf(200, {}, { track }));
    assert.deepEqual(where(), ["lb1", "lb1"]);
    lb1.judge(serviceFactKey("web"), { type: "service", serving: 1, servers: 3 });
    assert.deepEqual(where(), ["lb1", "lb1"], "no transition by itself");
    for (const name of ["out4", "in4"]) {
      assert.equal(lb1.states.get(`instance/${name}`)?.priority, 200, "told with the next status");
    }
    lb1.router.publishAll();
    assert.equal(lb1.states.get("instance/out4")?.priority, 80);
    assert.equal(
      lb1.states.get("instance/out4")?.priorityText,
      "200 - 120 (service web can be served by 1 of 3 servers, quorum 2)",
    );
    time.advance(6 * SECOND);
    assert.deepEqual(where(), ["lb2", "lb2"]);
    lb1.judge(serviceFactKey("web"), { type: "service", serving: 2, servers: 3 });
    time.advance(6 * SECOND);
    assert.deepEqual(where(), ["lb1", "lb1"]);
    const said = lb1.lines.filter((line) => line.includes("effective priority"));
    assert.equal(said.length, 4, "each member, each change");
    assert.match(said[0] ?? "", /effective priority 200 -> 80 = 200 - 120 \(service web can be served by 1 of 3/);
  });

  it("a handover moves all of them, and answers for each", async () => {
    start();
    const ended = lb1.router.handover("in4");
    time.advance(SKEW_US);
    const reports = await ended;
    assert.deepEqual(
      reports.map(({ instance, successor }) => [instance, successor]),
      [
        ["out4", lb2.address("eth0")],
        ["in4", lb2.address("eth1")],
      ],
    );
    assert.deepEqual(where(), ["lb2", "lb2"]);
    time.advance(60 * SECOND);
    assert.deepEqual(where(), ["lb2", "lb2"], "it rests");
    lb2.crash();
    time.advance(5 * SECOND);
    assert.deepEqual(where(), ["lb1", "lb1"], "needed again");
  });

  it("a drill: all of them play dead together, and come back together", async () => {
    start();
    const answered = lb1.router.silence("in4", 60 * SECOND);
    assert.deepEqual([lb1.held.eth0.size, lb1.held.eth1.size], [0, 0], "in the same turn");
    time.advance(3 * SECOND + SKEW_US);
    const reports = await answered;
    assert.deepEqual(
      reports.map(({ instance, successor }) => [instance, successor]),
      [
        ["out4", lb2.address("eth0")],
        ["in4", lb2.address("eth1")],
      ],
    );
    assert.deepEqual(where(), ["lb2", "lb2"]);
    lb1.router.reclaim("in4");
    time.advance(5 * SECOND);
    assert.deepEqual(where(), ["lb1", "lb1"]);
  });

  it("a drill without a peer: all of them serve again when nobody took over", async () => {
    start();
    lb2.crash();
    const answered = lb1.router.silence("out4", 60 * SECOND);
    time.advance(5 * SECOND);
    const reports = await answered;
    assert.deepEqual(
      reports.map(({ successor }) => successor),
      [null, null],
    );
    assert.deepEqual(where(), ["lb1", "lb1"]);
    await assert.rejects(lb2.router.silence("out4", SECOND), /instance out4 is not master here/);
    await assert.rejects(lb1.router.silence("nobody", SECOND), /there is no instance nobody; there are /);
  });

  it("priorities that contradict each other: the first member decides, and nothing flaps", () => {
    start(pairOf(150, {}, { priority: 100 }), pairOf(100, {}, { priority: 150 }));
    assert.deepEqual(where(), ["lb1", "lb1"]);
    const before = transitions();
    time.advance(120 * SECOND);
    assert.equal(transitions(), before);
  });

  it("a cable that loses frames one way and another on one side only: no ping-pong, and together when it is whole", () => {
    for (const side of SIDES) {
      time = new VirtualTime();
      net = new TwoSegments(time);
      lb1 = net.join("lb1", 11);
      lb2 = net.join("lb2", 12);
      start();
      net.carry = (on) => (on === side ? null : 100);
      time.advance(20 * SECOND);
      assert.equal(net.masters(side), "lb1+lb2", "neither can know of the other");
      const before = transitions();
      time.advance(300 * SECOND);
      assert.equal(transitions(), before, `no flap while ${side} is cut`);
      net.carry = () => 100;
      time.advance(90 * SECOND);
      assert.deepEqual(where(), ["lb1", "lb1"]);
    }
  });

  it("a master that found both sides elsewhere gives up the one that nobody asked for", () => {
    start();
    // Only the clients' side changes hands: lb2 is given more priority there, and lb1 has no group to lose the other by.
    lb2.configure([...pairOf(220).slice(0, 1), ...pairOf(100).slice(1)]);
    time.advance(8 * SECOND);
    assert.deepEqual(where(), ["lb2", "lb2"]);
  });

  it("a group that is taken out of the configuration lets its members go their own ways", () => {
    start();
    lb1.carrier("eth1", false);
    assert.equal(lb1.phase("eth0"), "fault");
    lb1.configure(pairOf(200), []);
    assert.equal(lb1.phase("eth0"), "backup");
    lb1.configure(pairOf(200), [EDGE]);
    assert.equal(lb1.phase("eth0"), "fault");
  });

  it("a stop hands over both sides", async () => {
    start();
    const stopped = lb1.router.stop();
    time.advance(SKEW_US);
    assert.deepEqual(where(), ["lb2", "lb2"]);
    time.advance(2 * SECOND);
    await stopped;
    assert.equal(lb1.states.size, 0);
  });
});
