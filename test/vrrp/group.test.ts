import assert from "node:assert/strict";
import { FOLLOW_RETRY_US, type GroupMember, groupFault, groupOrders } from "../../src/vrrp/group.ts";

const SECOND = 1_000_000;
const NOW = 1_000 * SECOND;
const PEER = "198.51.100.9";

function member(name: string, change: Partial<GroupMember> = {}): GroupMember {
  return {
    name,
    phase: "backup",
    sinceUs: NOW - 100 * SECOND,
    fault: null,
    isHandingOver: false,
    isResting: false,
    isPreempting: true,
    priority: 100,
    source: "198.51.100.1",
    heard: null,
    masterAdvertUs: SECOND,
    heardUs: null,
    unfollowedUs: null,
    ...change,
  };
}

/** The peer's master as heard: how long ago, and with which priority. */
const heard = (agoUs: number, priority: number) => ({ heard: { address: PEER, priority, atUs: NOW - agoUs } });
const alive = heard(SECOND / 2, 150);
const weaker = heard(SECOND / 2, 50);
const silent = heard(2 * SECOND, 150);
const left = heard(SECOND / 2, 0);
const master = (change: Partial<GroupMember> = {}): Partial<GroupMember> => ({ phase: "master", ...change });
const justMaster = (change: Partial<GroupMember> = {}) => master({ sinceUs: NOW, ...change });

interface Row {
  readonly name: string;
  /** `a` leads. */
  readonly a: Partial<GroupMember>;
  readonly b: Partial<GroupMember>;
  readonly orders: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: "all backup", a: alive, b: alive, orders: [] },
  { name: "all master", a: master(), b: master(), orders: [] },
  { name: "all in fault", a: { phase: "fault" }, b: { phase: "fault" }, orders: [] },

  { name: "the leader is master, the other heard nobody", a: master(), b: {}, orders: ["join b"] },
  { name: "the leader is master, the other hears silence", a: master(), b: silent, orders: ["join b"] },
  { name: "the leader is master, the other was released", a: master(), b: left, orders: ["join b"] },
  { name: "the leader is master, the other would win", a: master(), b: weaker, orders: ["join b"] },
  { name: "also one that rests", a: master(), b: { ...weaker, isResting: true }, orders: ["join b"] },
  {
    name: "a tie that the address wins",
    a: master(),
    b: { ...heard(0, 100), source: "198.51.100.10" },
    orders: ["join b"],
  },
  { name: "a tie that the address loses", a: master(), b: heard(0, 100), orders: [] },
  { name: "the leader is master, the other would lose: the peer will let it go", a: master(), b: alive, orders: [] },
  {
    name: "the leader was released, and the other's goodbye may be lost",
    a: justMaster(left),
    b: alive,
    orders: ["join b"],
  },
  {
    name: "but it was heard since",
    a: master({ ...left, sinceUs: NOW - SECOND }),
    b: alive,
    orders: [],
  },
  { name: "the leader is handing over", a: master({ isHandingOver: true }), b: left, orders: [] },
  { name: "the leader is in fault", a: { phase: "fault" }, b: master(), orders: [] },

  { name: "the other is master, the leader heard nobody", a: {}, b: master(), orders: ["join a"] },
  { name: "the other is master, the leader was released", a: left, b: master(), orders: ["join a"] },
  {
    name: "the other was released, and the leader heard nothing since",
    a: alive,
    b: justMaster(left),
    orders: ["join a"],
  },
  {
    name: "the other took over by silence, the leader's master lives: wait and see",
    a: alive,
    b: justMaster(silent),
    orders: [],
  },
  { name: "and is heard since: follow", a: alive, b: master(), orders: ["follow b"] },
  { name: "the leader yielded in this very turn", a: heard(0, 150), b: master(), orders: ["follow b"] },
  { name: "the leader will preempt", a: weaker, b: master(), orders: ["join a"] },
  { name: "the leader does not preempt", a: { ...weaker, isPreempting: false }, b: master(), orders: ["follow b"] },
  { name: "the leader rests", a: { ...weaker, isResting: true }, b: master(), orders: ["follow b"] },
  { name: "under way already", a: alive, b: master({ isHandingOver: true }), orders: [] },
  {
    name: "nobody succeeded a moment ago",
    a: alive,
    b: master({ unfollowedUs: NOW - SECOND }),
    orders: [],
  },
  {
    name: "nobody succeeded, but somebody spoke since",
    a: alive,
    b: master({ unfollowedUs: NOW - SECOND, heardUs: NOW - 1 }),
    orders: ["follow b"],
  },
  {
    name: "nobody succeeded a while ago",
    a: alive,
    b: master({ unfollowedUs: NOW - FOLLOW_RETRY_US }),
    orders: ["follow b"],
  },
];

describe("vrrp group: orders", () => {
  for (const { name, a, b, orders } of ROWS) {
    it(name, () => {
      const given = groupOrders("edge", [member("a", a), member("b", b)], NOW);
      assert.deepEqual(
        given.map((order) => `${order.type} ${order.member}`),
        orders,
      );
    });
  }

  it("says why, and leaves one alone alone", () => {
    const [order] = groupOrders("edge", [member("a", master()), member("b")], NOW);
    assert.deepEqual(order, { type: "join", member: "b", reason: "group edge: a is master here" });
    assert.deepEqual(groupOrders("edge", [member("a", alive)], NOW), []);
    assert.deepEqual(groupOrders("edge", [], NOW), []);
  });

  it("a third member goes with the second only when the leader does not stand against it", () => {
    const orders = (a: Partial<GroupMember>) =>
      groupOrders("edge", [member("a", a), member("b", master()), member("c")], NOW).map(
        ({ type, member: of }) => `${type} ${of}`,
      );
    assert.deepEqual(orders(alive), ["follow b"]);
    assert.deepEqual(orders({}), ["join a", "join c"]);
  });
});

describe("vrrp group: faults", () => {
  const a = member("a", { fault: "interface is down" });
  it("of one are those of the others, but not its own", () => {
    assert.equal(groupFault("edge", [a, member("b")], "b"), "group edge: a: interface is down");
    assert.equal(groupFault("edge", [a, member("b")], "a"), null);
    assert.equal(groupFault("edge", [member("a"), member("b")], "b"), null);
  });
  it("of another are told also to one that has its own: until the last is over", () => {
    const b = member("b", { fault: "interface is missing" });
    assert.equal(groupFault("edge", [a, b], "a"), "group edge: b: interface is missing");
  });
});
