import assert from "node:assert/strict";
import fc from "fast-check";
import { FAREWELL_OFFSETS_US, handoverBoundUs, releaseWaitUs } from "../../src/vrrp/handover.ts";
import { nextDeadlineUs, step } from "../../src/vrrp/instance.ts";
import type { InstanceEvent, InstanceParameters, Phase, ResignPurpose } from "../../src/vrrp/instance-model.ts";
import { ANSWER_INTERVAL_US, DEFENCE_INTERVAL_US, DEFENCE_REPEATS_US } from "../../src/vrrp/master.ts";
import {
  ADDRESS_RETRY_US,
  initialState,
  SECOND_ANNOUNCE_US,
  SUCCESSION_OFFSETS_US,
} from "../../src/vrrp/transitions.ts";
import { type Cell, run, testCells } from "../support/instance-cells.ts";

const SECOND = 1_000_000;
const OWN = "192.0.2.2";
const HIGHER = "192.0.2.3";
const LOWER = "192.0.2.1";

const normal: InstanceParameters = { priority: 100, advertIntervalUs: SECOND, preempt: { mode: "always" } };
const owner: InstanceParameters = { ...normal, priority: 255 };
const polite: InstanceParameters = { ...normal, preempt: { mode: "never" } };
const delayed: InstanceParameters = { ...normal, preempt: { mode: "delay", delayUs: 3 * SECOND } };

const start: InstanceEvent = {
  type: "start",
  nowUs: 0,
  resumes: false,
  isResting: false,
  fault: null,
  source: OWN,
};
const down = (nowUs: number): InstanceEvent => ({ type: "condition", nowUs, fault: "interface is down", source: OWN });
const up = (nowUs: number): InstanceEvent => ({ type: "condition", nowUs, fault: null, source: OWN });
const tick = (nowUs: number): InstanceEvent => ({ type: "tick", nowUs });

function advert(nowUs: number, priority: number, source = HIGHER, intervalUs = SECOND): InstanceEvent {
  return { type: "advert", nowUs, source, priority, intervalUs };
}

const resign = (nowUs: number, purpose: ResignPurpose = "rest"): InstanceEvent => ({ type: "resign", nowUs, purpose });
const join: InstanceEvent = { type: "join", nowUs: 1, reason: "another member is master" };
/** Ticks after which priority 0 is said again, because nobody answers. */
const unanswered = (fromUs: number, times: number): InstanceEvent[] =>
  Array.from({ length: times }, (_, index) => tick(fromUs + (index + 1) * releaseWaitUs(SECOND)));
const farewellOf = (fromUs: number): InstanceEvent[] => FAREWELL_OFFSETS_US.slice(1).map((us) => tick(fromUs + us));

const DOWN_US = 3 * SECOND + 609_375;
/** The skew of priority 100 at the usual interval. */
const SUCCEEDED_US = 609_375;
const asMaster = [start, tick(DOWN_US)];
const HANDED_OVER = ["releaseAddresses", "announceFor", "transition", "handoverEnded"];
const TAKEOVER = (priority: number) => [`advert ${priority}`, "holdAddresses", "announce", "transition"];

describe("vrrp instance: every cell of the state × event table", () => {
  /** Later than the second for which the bursts of a takeover speak for themselves, between two adverts. */
  const T = DOWN_US + 1_200_000;
  const masterForAWhile = [...asMaster, tick(DOWN_US + SECOND)];
  const CELLS: readonly Cell[] = [
    // Initialize
    {
      name: "initialize, start of an owner",
      config: owner,
      given: [],
      when: start,
      phase: "master",
      actions: TAKEOVER(255),
    },
    {
      name: "initialize, start",
      given: [],
      when: start,
      phase: "backup",
      actions: ["transition"],
      check: (state) => assert.equal(state.downDeadlineUs, DOWN_US),
    },
    {
      name: "initialize, start on a dead interface",
      given: [],
      when: { ...start, fault: "interface is down", source: null },
      phase: "fault",
      actions: ["transition"],
    },
    { name: "initialize, shutdown", given: [], when: { type: "shutdown", nowUs: 1 }, phase: "initialize", actions: [] },
    { name: "initialize, tick", given: [], when: tick(99 * SECOND), phase: "initialize", actions: [] },
    { name: "initialize, advert", given: [], when: advert(1, 200), phase: "initialize", actions: [] },
    { name: "initialize, interface down", given: [], when: down(1), phase: "initialize", actions: [] },
    {
      name: "initialize, reconfigured",
      given: [],
      when: { type: "reconfigured", nowUs: 1, addressesChanged: true },
      phase: "initialize",
      actions: [],
    },
    {
      name: "initialize, addresses refused",
      given: [],
      when: { type: "addressesRefused", nowUs: 1 },
      phase: "initialize",
      actions: [],
    },
    {
      name: "initialize, address lost",
      given: [],
      when: { type: "addressLost", nowUs: 1 },
      phase: "initialize",
      actions: [],
    },
    // Backup
    { name: "backup, start again", given: [start], when: start, phase: "backup", actions: [] },
    {
      name: "backup, shutdown",
      given: [start],
      when: { type: "shutdown", nowUs: 1 },
      phase: "initialize",
      actions: ["transition"],
    },
    {
      name: "backup, tick before the down timer",
      given: [start],
      when: tick(DOWN_US - 1),
      phase: "backup",
      actions: [],
    },
    { name: "backup, down timer fires", given: [start], when: tick(DOWN_US), phase: "master", actions: TAKEOVER(100) },
    {
      name: "backup, priority 0: skew only",
      given: [start],
      when: advert(SECOND, 0),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, SECOND + 609_375),
    },
    {
      name: "backup, priority 0 with the learned interval",
      given: [start, advert(SECOND, 200, HIGHER, 2 * SECOND)],
      when: advert(2 * SECOND, 0, HIGHER, 1),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, 2 * SECOND + 2 * 609_375),
    },
    {
      name: "backup, priority 0 of one that is not the master any more",
      given: [start, advert(SECOND, 200, HIGHER)],
      when: advert(SECOND + 1, 0, LOWER),
      phase: "backup",
      actions: [],
      check: (state) => {
        assert.equal(state.heard?.address, HIGHER);
        assert.equal(state.downDeadlineUs, SECOND + DOWN_US);
      },
    },
    {
      name: "backup, priority 0 of another when the master has been silent for an interval",
      given: [start, advert(SECOND, 200, HIGHER)],
      when: advert(2 * SECOND, 0, LOWER),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, 2 * SECOND + 609_375),
    },
    {
      name: "backup, a normal advert cancels the resignation",
      given: [start, advert(SECOND, 0)],
      when: advert(SECOND + 1, 200),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, SECOND + 1 + DOWN_US),
    },
    {
      name: "backup, higher priority: accepts and learns the interval",
      given: [start],
      when: advert(SECOND, 200, LOWER, SECOND / 2),
      phase: "backup",
      actions: [],
      check: (state) => {
        assert.equal(state.masterAdvertUs, SECOND / 2);
        assert.equal(state.downDeadlineUs, SECOND + 1_500_000 + 304_688);
        assert.deepEqual(state.heard, { address: LOWER, priority: 200, atUs: SECOND });
      },
    },
    ...([HIGHER, LOWER, OWN] as const).map(
      (source): Cell => ({
        name: `backup, equal priority from ${source}: accepts`,
        given: [start],
        when: advert(SECOND, 100, source),
        phase: "backup",
        actions: [],
        check: (state) => assert.equal(state.downDeadlineUs, SECOND + DOWN_US),
      }),
    ),
    {
      name: "backup, lower priority with preempt: discards, the timer keeps running",
      given: [start],
      when: advert(SECOND, 50, HIGHER, SECOND / 2),
      phase: "backup",
      actions: [],
      check: (state) => {
        assert.equal(state.downDeadlineUs, DOWN_US);
        assert.equal(state.masterAdvertUs, SECOND, "a discarded advert teaches nothing");
      },
    },
    {
      name: "backup, lower priority without preempt: accepts",
      config: polite,
      given: [start],
      when: advert(SECOND, 50),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, SECOND + DOWN_US),
    },
    {
      name: "backup, lower priority within the preempt delay: accepts",
      config: delayed,
      given: [start, advert(SECOND, 50)],
      when: advert(3 * SECOND, 50),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, 3 * SECOND + DOWN_US),
    },
    {
      name: "backup, lower priority after the preempt delay: discards",
      config: delayed,
      given: [start, advert(SECOND, 50), advert(3 * SECOND, 50)],
      when: advert(4 * SECOND, 50),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, 3 * SECOND + DOWN_US),
    },
    {
      name: "backup, an equal advert cancels the preempt delay",
      config: delayed,
      given: [start, advert(SECOND, 50)],
      when: advert(2 * SECOND, 100),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.preemptDeadlineUs, null),
    },
    {
      name: "backup, interface down: fault at once, timer off",
      given: [start],
      when: down(1),
      phase: "fault",
      actions: ["transition"],
      check: (state) => assert.equal(nextDeadlineUs(state), undefined),
    },
    { name: "backup, interface event without fault", given: [start], when: up(1), phase: "backup", actions: [] },
    {
      name: "backup, reconfigured: the timer keeps running",
      given: [start],
      when: { type: "reconfigured", nowUs: SECOND, addressesChanged: true },
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, DOWN_US),
    },
    {
      name: "backup, addresses refused: tries again later to remove them",
      given: [start],
      when: { type: "addressesRefused", nowUs: 1 },
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(nextDeadlineUs(state), 1 + ADDRESS_RETRY_US),
    },
    {
      name: "backup, retry of a removal that the kernel refused",
      given: [start, { type: "addressesRefused", nowUs: 1 }],
      when: tick(1 + ADDRESS_RETRY_US),
      phase: "backup",
      actions: ["releaseAddresses"],
      check: (state) => assert.equal(nextDeadlineUs(state), DOWN_US),
    },
    {
      name: "backup, address lost",
      given: [start],
      when: { type: "addressLost", nowUs: 1 },
      phase: "backup",
      actions: [],
    },
    // Master
    { name: "master, start again", given: asMaster, when: { ...start, nowUs: T }, phase: "master", actions: [] },
    {
      name: "master, shutdown: priority 0, then the addresses go",
      given: asMaster,
      when: { type: "shutdown", nowUs: T },
      phase: "initialize",
      actions: ["advert 0", "releaseAddresses", "transition"],
      check: (state) => assert.equal(nextDeadlineUs(state), undefined),
    },
    {
      name: "master, tick before the advert timer",
      given: masterForAWhile,
      when: tick(T),
      phase: "master",
      actions: [],
    },
    {
      name: "master, advert timer fires late: the next one is anchored",
      given: asMaster,
      when: tick(DOWN_US + SECOND + 5_000),
      phase: "master",
      actions: ["advert 100"],
      check: (state) => assert.equal(state.advertDeadlineUs, DOWN_US + 2 * SECOND),
    },
    {
      name: "master, advert timer missed by more than an interval: no burst",
      given: asMaster,
      when: tick(DOWN_US + 2.5 * SECOND),
      phase: "master",
      actions: ["advert 100"],
      check: (state) => assert.equal(state.advertDeadlineUs, DOWN_US + 3.5 * SECOND),
    },
    {
      name: "master, advert timer missed for a down interval: neighbours may have another in their tables",
      given: asMaster,
      when: tick(DOWN_US + 3 * SECOND),
      phase: "master",
      actions: ["advert 100", "announce", "warn"],
      check: (state) => assert.equal(state.announceDeadlineUs, DOWN_US + 8 * SECOND),
    },
    {
      name: "master, advert timer missed for a down interval, no preemption: listens first",
      config: polite,
      given: asMaster,
      when: tick(DOWN_US + 3 * SECOND),
      phase: "backup",
      actions: ["releaseAddresses", "transition"],
      check: (state) => assert.equal(state.downDeadlineUs, DOWN_US + 4 * SECOND + 609_375),
    },
    {
      name: "backup, down timer missed by an interval: listens once more",
      given: [start],
      when: tick(DOWN_US + SECOND),
      phase: "backup",
      actions: ["warn"],
      check: (state) => assert.equal(state.downDeadlineUs, DOWN_US + 2 * SECOND + 609_375),
    },
    {
      name: "backup, down timer missed again: takes over, or nobody would",
      given: [start, tick(DOWN_US + SECOND)],
      when: tick(DOWN_US + 9 * SECOND),
      phase: "master",
      actions: TAKEOVER(100),
    },
    {
      name: "backup, down timer missed again after an advert between: listens once more",
      given: [start, tick(DOWN_US + SECOND), advert(DOWN_US + SECOND + 1, 200)],
      when: tick(2 * DOWN_US + 3 * SECOND),
      phase: "backup",
      actions: ["warn"],
    },
    {
      name: "master, second burst of announcements",
      given: [
        ...asMaster,
        tick(DOWN_US + SECOND),
        tick(DOWN_US + 2 * SECOND),
        tick(DOWN_US + 3 * SECOND),
        tick(DOWN_US + 4 * SECOND),
      ],
      when: tick(DOWN_US + SECOND_ANNOUNCE_US),
      phase: "master",
      actions: ["advert 100", "announce"],
      check: (state) => assert.equal(state.announceDeadlineUs, null),
    },
    {
      name: "master, announcing again after it followed a goodbye: as often as the predecessor would for it",
      given: [start, advert(1, 200), advert(2, 0), tick(2 + SUCCEEDED_US)],
      when: tick(2 + SUCCEEDED_US + SUCCESSION_OFFSETS_US[0]),
      phase: "master",
      actions: ["announce"],
      check: (state) => assert.equal(state.announceDeadlineUs, 2 + SUCCEEDED_US + SUCCESSION_OFFSETS_US[1]),
    },
    {
      name: "master, priority 0: answers at once",
      given: masterForAWhile,
      when: advert(T, 0),
      phase: "master",
      actions: ["advert 100"],
      check: (state) => assert.equal(state.advertDeadlineUs, T + SECOND),
    },
    {
      name: "master, priority 0 right after an advert: answers as soon as the shortest interval has passed",
      given: asMaster,
      when: advert(DOWN_US + 1_000, 0),
      phase: "master",
      actions: [],
      check: (state) => assert.equal(state.advertDeadlineUs, DOWN_US + ANSWER_INTERVAL_US),
    },
    {
      name: "master, higher priority: says a last word and yields, no priority 0",
      given: masterForAWhile,
      when: advert(T, 101, LOWER, SECOND / 2),
      phase: "backup",
      actions: ["advert 100", "releaseAddresses", "transition"],
      check: (state) => {
        assert.equal(state.masterAdvertUs, SECOND / 2);
        assert.equal(state.downDeadlineUs, T + 1_500_000 + 304_688);
        assert.equal(state.advertDeadlineUs, null);
        assert.equal(state.announceDeadlineUs, null);
      },
    },
    {
      name: "master without preempt, higher priority: yields too",
      config: polite,
      given: masterForAWhile,
      when: advert(T, 101),
      phase: "backup",
      actions: ["advert 100", "releaseAddresses", "transition"],
    },
    {
      name: "master, equal priority from the higher address: yields",
      given: masterForAWhile,
      when: advert(T, 100, HIGHER),
      phase: "backup",
      actions: ["advert 100", "releaseAddresses", "transition"],
    },
    {
      name: "master, equal priority from the lower address: defends",
      given: masterForAWhile,
      when: advert(T, 100, LOWER),
      phase: "master",
      actions: ["advert 100", "announce", "warn"],
    },
    {
      name: "master, equal priority from its own address: defends",
      given: masterForAWhile,
      when: advert(T, 100, OWN),
      phase: "master",
      actions: ["advert 100", "announce", "warn"],
    },
    {
      name: "master, lower priority: answers at once and announces again",
      given: masterForAWhile,
      when: advert(T, 50),
      phase: "master",
      actions: ["advert 100", "announce", "warn"],
      check: (state) => assert.equal(state.announceDeadlineUs, T + SECOND_ANNOUNCE_US),
    },
    {
      name: "master, a babbling lower router: answered, but no flood of announcements",
      given: [...masterForAWhile, advert(T, 50)],
      when: advert(T + ANSWER_INTERVAL_US, 50),
      phase: "master",
      actions: ["advert 100"],
    },
    {
      name: "master, a lower router right after a defence: it may have announced after us, so we do again soon",
      given: [...masterForAWhile, advert(T, 50)],
      when: advert(T + 1_500, 50),
      phase: "master",
      actions: [],
      check: (state) => assert.equal(state.announceDeadlineUs, T + DEFENCE_REPEATS_US[0]),
    },
    {
      name: "master, a lower router that took over soon after we did: announced again, not five seconds later",
      given: asMaster,
      when: advert(DOWN_US + 837_000, 50),
      phase: "master",
      actions: ["advert 100"],
      check: (state) => assert.equal(state.announceDeadlineUs, DOWN_US + DEFENCE_INTERVAL_US),
    },
    {
      name: "master, announcing again after a defence: once more when switches have learned late",
      given: [...masterForAWhile, advert(T, 50), advert(T + 1_500, 50)],
      when: tick(T + DEFENCE_REPEATS_US[0]),
      phase: "master",
      actions: ["advert 100", "announce"],
      check: (state) => assert.equal(state.announceDeadlineUs, T + SECOND_ANNOUNCE_US),
    },
    {
      name: "master, a flood of lower adverts: not answered by a flood",
      given: [...masterForAWhile, advert(T, 50), advert(T + 1_000, 50)],
      when: advert(T + 2_000, 50),
      phase: "master",
      actions: [],
      check: (state) => assert.equal(state.advertDeadlineUs, T + ANSWER_INTERVAL_US),
    },
    {
      name: "master, the last advert of the router that was preempted: no alarm",
      given: asMaster,
      when: advert(DOWN_US + 500, 50),
      phase: "master",
      actions: [],
      check: (state) => assert.equal(state.advertDeadlineUs, DOWN_US + ANSWER_INTERVAL_US),
    },
    {
      name: "master, woken after three silent intervals, without preempt: leaves a lower router that took over alone",
      config: polite,
      given: asMaster,
      when: advert(DOWN_US + 3 * SECOND, 50),
      phase: "backup",
      actions: ["releaseAddresses", "transition"],
    },
    {
      name: "master, woken earlier, without preempt: defends",
      config: polite,
      given: asMaster,
      when: advert(DOWN_US + 3 * SECOND - 1, 50),
      phase: "master",
      actions: ["advert 100", "announce", "warn"],
    },
    {
      name: "master, woken after three silent intervals, with preempt: defends",
      given: asMaster,
      when: advert(DOWN_US + 3 * SECOND, 50),
      phase: "master",
      actions: ["advert 100", "announce", "warn"],
    },
    {
      name: "master, interface down: priority 0 and release at once",
      given: asMaster,
      when: down(T),
      phase: "fault",
      actions: ["advert 0", "releaseAddresses", "transition"],
      check: (state) => assert.equal(nextDeadlineUs(state), undefined),
    },
    { name: "master, interface event without fault", given: asMaster, when: up(T), phase: "master", actions: [] },
    {
      name: "master, reconfigured: the next advert tells",
      given: asMaster,
      when: { type: "reconfigured", nowUs: T, addressesChanged: false },
      phase: "master",
      actions: ["advert 100"],
    },
    {
      name: "master, reconfigured with other addresses",
      given: asMaster,
      when: { type: "reconfigured", nowUs: T, addressesChanged: true },
      phase: "master",
      actions: ["advert 100", "holdAddresses", "announce"],
    },
    {
      name: "master, addresses refused: tries again later",
      given: asMaster,
      when: { type: "addressesRefused", nowUs: T },
      phase: "master",
      actions: [],
      check: (state) => assert.equal(state.retryDeadlineUs, T + ADDRESS_RETRY_US),
    },
    {
      name: "master, retry of refused addresses",
      given: [...asMaster, { type: "addressesRefused", nowUs: DOWN_US }],
      when: tick(DOWN_US + ADDRESS_RETRY_US),
      phase: "master",
      actions: ["advert 100", "holdAddresses", "announce"],
    },
    {
      name: "master, address lost again within a second: put back when it is over",
      given: [...asMaster, { type: "addressLost", nowUs: T }],
      when: { type: "addressLost", nowUs: T + 1 },
      phase: "master",
      actions: [],
      check: (state) => assert.equal(state.retryDeadlineUs, T + ADDRESS_RETRY_US),
    },
    {
      name: "master, address lost: put back and announced",
      given: asMaster,
      when: { type: "addressLost", nowUs: T },
      phase: "master",
      actions: ["holdAddresses", "announce", "warn"],
    },
    // Fault
    {
      name: "fault, shutdown",
      given: [start, down(1)],
      when: { type: "shutdown", nowUs: 2 },
      phase: "initialize",
      actions: ["transition"],
    },
    { name: "fault, start again", given: [start, down(1)], when: start, phase: "fault", actions: [] },
    { name: "fault, tick", given: [start, down(1)], when: tick(99 * SECOND), phase: "fault", actions: [] },
    { name: "fault, advert", given: [start, down(1)], when: advert(2, 0), phase: "fault", actions: [] },
    {
      name: "fault, another fault",
      given: [start, down(1)],
      when: { type: "condition", nowUs: 2, fault: "interface is missing", source: null },
      phase: "fault",
      actions: [],
      check: (state) => assert.equal(state.reason, "interface is missing"),
    },
    {
      name: "fault clears: a full down interval",
      given: [start, down(1)],
      when: up(SECOND),
      phase: "backup",
      actions: ["transition"],
      check: (state) => assert.equal(state.downDeadlineUs, SECOND + DOWN_US),
    },
    {
      name: "fault clears for an owner: takes over directly",
      config: owner,
      given: [start, down(1)],
      when: up(SECOND),
      phase: "master",
      actions: TAKEOVER(255),
    },
    {
      name: "fault, reconfigured",
      given: [start, down(1)],
      when: { type: "reconfigured", nowUs: 2, addressesChanged: true },
      phase: "fault",
      actions: [],
    },
    {
      name: "fault, addresses refused",
      given: [start, down(1)],
      when: { type: "addressesRefused", nowUs: 2 },
      phase: "fault",
      actions: [],
    },
    {
      name: "fault, address lost",
      given: [start, down(1)],
      when: { type: "addressLost", nowUs: 2 },
      phase: "fault",
      actions: [],
    },
    {
      name: "initialize, start, resuming: master at once",
      given: [],
      when: { ...start, resumes: true },
      phase: "master",
      actions: TAKEOVER(100),
    },
    {
      name: "backup, started resting, advert of a lower master: leaves it alone",
      given: [{ ...start, isResting: true }],
      when: advert(SECOND, 50, LOWER),
      phase: "backup",
      actions: [],
      check: (state) => assert.deepEqual([state.isResting, state.downDeadlineUs], [true, SECOND + DOWN_US]),
    },
    {
      name: "initialize, start, resting, for an owner: it waits for a master",
      config: owner,
      given: [],
      when: { ...start, isResting: true },
      phase: "backup",
      actions: ["transition"],
    },
    {
      name: "backup, started resting, down timer: it is needed",
      given: [{ ...start, isResting: true }],
      when: tick(DOWN_US),
      phase: "master",
      actions: TAKEOVER(100),
      check: (state) => assert.equal(state.isResting, false),
    },
    {
      name: "fault, started resting, interface up: rests on",
      given: [{ ...start, isResting: true, fault: "interface is down" }],
      when: up(SECOND),
      phase: "backup",
      actions: ["transition"],
      check: (state) => assert.equal(state.isResting, true),
    },
    // Resignation
    { name: "initialize, resign", given: [], when: resign(1), phase: "initialize", actions: [] },
    { name: "backup, resign to rest: not its turn", given: [start], when: resign(1), phase: "backup", actions: [] },
    {
      name: "backup, resign to stop",
      given: [start],
      when: resign(1, "stop"),
      phase: "initialize",
      actions: ["transition"],
    },
    { name: "fault, resign", given: [start, down(1)], when: resign(2), phase: "fault", actions: [] },
    {
      name: "master, resign: says so once, and serves on",
      given: asMaster,
      when: resign(T),
      phase: "master",
      actions: ["shadowAddresses", "advert 0"],
      check: (state) => {
        assert.equal(state.advertDeadlineUs, null);
        assert.equal(state.handover?.deadlineUs, T + releaseWaitUs(SECOND));
      },
    },
    {
      name: "master, resign again",
      given: [...masterForAWhile, resign(T)],
      when: resign(T + 1),
      phase: "master",
      actions: [],
    },
    {
      name: "master, resigning to rest, now to stop: its successor ends it",
      given: [...masterForAWhile, resign(T), resign(T + 1, "stop")],
      when: advert(T + 2, 50, LOWER),
      phase: "initialize",
      actions: HANDED_OVER,
    },
    {
      name: "master, resigning, advert of any priority: lets go in this very turn",
      given: [...masterForAWhile, resign(T)],
      when: advert(T + 600_000, 50, LOWER),
      phase: "backup",
      actions: HANDED_OVER,
      check: (state) => {
        assert.equal(state.isResting, true);
        assert.equal(state.downDeadlineUs, T + 600_000 + DOWN_US);
        assert.equal(state.farewell?.deadlineUs, T + 620_000);
      },
    },
    {
      name: "master, resigning, priority 0 of another: two who leave",
      given: [...masterForAWhile, resign(T)],
      when: advert(T + 1, 0),
      phase: "master",
      actions: [],
    },
    {
      name: "master, resigning, nobody heard in time: says it again",
      given: [...masterForAWhile, resign(T)],
      when: tick(T + releaseWaitUs(SECOND)),
      phase: "master",
      actions: ["advert 0"],
    },
    {
      name: "master, resigning to rest, nobody heard at all, last timer: serves on",
      given: [...masterForAWhile, resign(T), ...unanswered(T, 2)],
      when: tick(T + handoverBoundUs(SECOND)),
      phase: "master",
      actions: ["advert 100", "unshadowAddresses", "handoverEnded"],
      check: (state) => {
        assert.equal(state.handover, null);
        assert.equal(state.advertDeadlineUs, T + handoverBoundUs(SECOND) + SECOND);
      },
    },
    {
      name: "master, resigning to stop, nobody heard at all, last timer: goes alone",
      given: [...masterForAWhile, resign(T, "stop"), ...unanswered(T, 2)],
      when: tick(T + handoverBoundUs(SECOND)),
      phase: "initialize",
      actions: ["releaseAddresses", "unshadowAddresses", "handoverEnded", "transition"],
    },
    {
      name: "master, resigning with its group, nobody heard at all, last timer: serves on",
      given: [...masterForAWhile, resign(T, "follow"), ...unanswered(T, 2)],
      when: tick(T + handoverBoundUs(SECOND)),
      phase: "master",
      actions: ["advert 100", "unshadowAddresses", "handoverEnded"],
      check: (state) => assert.equal(state.handover, null),
    },
    {
      name: "master, resigning, interface down: lets go at once",
      given: [...masterForAWhile, resign(T)],
      when: down(T + 1),
      phase: "fault",
      actions: ["advert 0", "releaseAddresses", "unshadowAddresses", "handoverEnded", "transition"],
    },
    {
      name: "master, resigning, shutdown: lets go at once",
      given: [...masterForAWhile, resign(T)],
      when: { type: "shutdown", nowUs: T + 1 },
      phase: "initialize",
      actions: ["advert 0", "releaseAddresses", "unshadowAddresses", "handoverEnded", "transition"],
    },
    {
      name: "master, resigning to stop, interface lost: has stopped",
      given: [...masterForAWhile, resign(T, "stop")],
      when: down(T + 1),
      phase: "initialize",
      actions: ["advert 0", "releaseAddresses", "unshadowAddresses", "handoverEnded", "transition"],
      check: (state) => assert.equal(nextDeadlineUs(state), undefined),
    },
    {
      name: "master, resigning, reconfigured addresses: no advert",
      given: [...masterForAWhile, resign(T)],
      when: { type: "reconfigured", nowUs: T + 1, addressesChanged: true },
      phase: "master",
      actions: ["holdAddresses", "shadowAddresses"],
    },
    {
      name: "backup, farewell timer: announces for the successor",
      given: [...masterForAWhile, resign(T), advert(T + 1, 50, LOWER)],
      when: tick(T + 1 + 20_000),
      phase: "backup",
      actions: ["announceFor"],
    },
    {
      name: "backup, within the farewell, another router took over as well: announces for the one that speaks",
      given: [...masterForAWhile, resign(T), advert(T + 1, 50, LOWER), advert(T + 300, 60, HIGHER)],
      when: tick(T + 1 + 20_000),
      phase: "backup",
      actions: ["announceFor"],
      check: (state) => assert.equal(state.farewell?.successor, HIGHER),
    },
    {
      name: "initialize, within the farewell, another router took over as well: announces for the one that speaks",
      given: [...masterForAWhile, resign(T, "stop"), advert(T + 1, 50, LOWER), advert(T + 300, 60, HIGHER)],
      when: tick(T + 1 + 20_000),
      phase: "initialize",
      actions: ["announceFor"],
      check: (state) => assert.equal(state.farewell?.successor, HIGHER),
    },
    {
      name: "backup, skew timer after priority 0: the addresses are here before the predecessor lets go",
      given: [start, advert(SECOND, 200), advert(2 * SECOND, 0)],
      when: tick(2 * SECOND + 609_375),
      phase: "master",
      actions: ["holdAddresses", "advert 100", "announce", "transition"],
    },
    {
      name: "backup, within the farewell, the successor leaves: nobody else speaks yet",
      given: [...masterForAWhile, resign(T), advert(T + 1, 50, LOWER)],
      when: advert(T + 300, 0, HIGHER),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.farewell?.successor, LOWER),
    },
    {
      name: "backup, last farewell timer: the copies go",
      given: [...masterForAWhile, resign(T), advert(T + 1, 50, LOWER), tick(T + 20_001), tick(T + 200_001)],
      when: tick(T + 1 + 1_000_000),
      phase: "backup",
      actions: ["announceFor", "unshadowAddresses"],
      check: (state) => assert.equal(state.farewell, null),
    },
    {
      name: "backup, resting, lower router: left alone",
      given: [...masterForAWhile, resign(T), advert(T + 1, 50, LOWER)],
      when: advert(T + SECOND, 50, LOWER),
      phase: "backup",
      actions: [],
      check: (state) => assert.equal(state.downDeadlineUs, T + SECOND + DOWN_US),
    },
    {
      name: "backup, resting, the master falls silent, down timer: it is needed",
      given: [...masterForAWhile, resign(T), advert(T + 1, 50, LOWER), ...farewellOf(T + 1)],
      when: tick(T + 1 + DOWN_US),
      phase: "master",
      actions: TAKEOVER(100),
      check: (state) => assert.equal(state.isResting, false),
    },
    {
      name: "backup, within the farewell, the successor leaves, down timer: takes the copies away",
      given: [
        ...masterForAWhile,
        resign(T),
        advert(T + 1, 50, LOWER),
        advert(T + 2, 0, LOWER),
        tick(T + 20_001),
        tick(T + 200_001),
      ],
      when: tick(T + 2 + 609_375),
      phase: "master",
      actions: ["holdAddresses", "advert 100", "announce", "unshadowAddresses", "transition"],
    },
    {
      name: "initialize, handed over, last farewell timer: nothing is left",
      given: [...masterForAWhile, resign(T, "stop"), advert(T + 1, 50, LOWER), tick(T + 20_001), tick(T + 200_001)],
      when: tick(T + 1 + 1_000_000),
      phase: "initialize",
      actions: ["announceFor", "unshadowAddresses"],
      check: (state) => assert.equal(nextDeadlineUs(state), undefined),
    },
    {
      name: "initialize, handed over, start within the farewell: the copies go",
      given: [...masterForAWhile, resign(T, "stop"), advert(T + 1, 50, LOWER)],
      when: { ...start, nowUs: T + 2 },
      phase: "backup",
      actions: ["unshadowAddresses", "transition"],
    },
    {
      name: "initialize, handed over, start with a fault within the farewell: the copies go",
      given: [...masterForAWhile, resign(T, "stop"), advert(T + 1, 50, LOWER)],
      when: { ...start, nowUs: T + 2, fault: "interface is down" },
      phase: "fault",
      actions: ["unshadowAddresses", "transition"],
    },
    {
      name: "initialize, handed over, shutdown within the farewell",
      given: [...masterForAWhile, resign(T, "stop"), advert(T + 1, 50, LOWER)],
      when: { type: "shutdown", nowUs: T + 2 },
      phase: "initialize",
      actions: ["unshadowAddresses"],
      check: (state) => assert.equal(nextDeadlineUs(state), undefined),
    },
    // Groups
    { name: "initialize, join", given: [], when: join, phase: "initialize", actions: [] },
    {
      name: "backup, join: master with the others",
      given: [start],
      when: join,
      phase: "master",
      actions: TAKEOVER(100),
    },
    { name: "master, join", given: asMaster, when: join, phase: "master", actions: [] },
    { name: "fault, join", given: [start, down(1)], when: join, phase: "fault", actions: [] },
  ];

  testCells(CELLS, normal);

  it("names every cell: 4 phases × 10 events", () => {
    const phases: readonly Phase[] = ["initialize", "backup", "master", "fault"];
    const words = {
      start: /start/,
      shutdown: /shutdown/,
      tick: /tick|timer|retry|second burst/,
      advert: /advert|priority|router/,
      interface: /interface|fault clears|another fault/,
      reconfigured: /reconfigured/,
      addressesRefused: /addresses refused/,
      addressLost: /address lost/,
      resign: /resign/,
      join: /join/,
    };
    const missing = phases.flatMap((phase) =>
      Object.entries(words)
        .filter(([, word]) => !CELLS.some((cell) => cell.name.startsWith(phase) && word.test(cell.name)))
        .map(([event]) => `${phase} × ${event}`),
    );
    assert.deepEqual(missing, []);
  });
});

describe("vrrp instance: a lower router that goes on advertising", () => {
  it("is answered by a few bursts a second, and by the last of them after it fell silent", () => {
    const bursts: number[] = [];
    let state = run(normal, ...asMaster).state;
    const feed = (event: InstanceEvent): void => {
      const { state: next, actions } = step(normal, state, event);
      state = next;
      for (const { type } of actions) if (type === "announce") bursts.push(event.nowUs - DOWN_US);
    };
    /** Ticks that are due before an instant, as the shell feeds them. */
    const tickUntil = (untilUs: number): void => {
      for (let dueUs = nextDeadlineUs(state); dueUs !== undefined && dueUs <= untilUs; dueUs = nextDeadlineUs(state))
        feed(tick(dueUs));
    };
    const lastUs = DOWN_US + 3 * SECOND;
    for (let nowUs = DOWN_US + 2_000; nowUs < lastUs; nowUs += 7_000) {
      tickUntil(nowUs);
      feed(advert(nowUs, 50));
    }
    tickUntil(lastUs + 10 * SECOND);
    const inFlood = bursts.filter((us) => us <= 3 * SECOND);
    assert.ok(inFlood.length <= 3 * (1 + DEFENCE_REPEATS_US.length), `${inFlood.length} bursts in three seconds`);
    assert.ok(inFlood.length >= 3, `${inFlood.length} bursts in three seconds`);
    const after = bursts.filter((us) => us > lastUs - DOWN_US);
    assert.ok(after.length >= 1 && after.length <= 2, `bursts after the flood: ${after}`);
    assert.equal(state.announceDeadlineUs, null);
  });
});

describe("vrrp instance: a successor", () => {
  it("announces at the takeover, three times within a second, and once more when switches have learned late", () => {
    let state = run(normal, start, advert(1, 200), advert(2, 0)).state;
    const bursts: number[] = [];
    for (let dueUs = nextDeadlineUs(state); dueUs !== undefined && dueUs < 20 * SECOND; dueUs = nextDeadlineUs(state)) {
      // Timers fire late.
      const event = tick(dueUs + 40);
      const { state: next, actions } = step(normal, state, event);
      state = next;
      for (const { type } of actions) if (type === "announce") bursts.push(event.nowUs - state.sinceUs);
    }
    const wanted = [0, ...SUCCESSION_OFFSETS_US, SECOND_ANNOUNCE_US];
    assert.deepEqual(bursts, [0, ...wanted.slice(1).map((us) => us + 40)]);
  });
});

describe("vrrp instance: reasons that operators read", () => {
  const reasonOf = (config: InstanceParameters, ...events: InstanceEvent[]) => run(config, ...events).state.reason;
  it("nobody heard", () => assert.equal(reasonOf(normal, start, tick(DOWN_US)), "no master was heard"));
  it("the master fell silent", () =>
    assert.equal(
      reasonOf(normal, start, advert(SECOND, 200), tick(SECOND + DOWN_US)),
      "no advert accepted from master 192.0.2.3 (priority 200), last heard 3.609s ago",
    ));
  it("the master resigned", () =>
    assert.equal(reasonOf(normal, start, advert(SECOND, 0), tick(2 * SECOND)), "master 192.0.2.3 resigned"));
  it("preemption", () =>
    assert.equal(
      reasonOf(normal, start, advert(3 * SECOND, 50), tick(DOWN_US)),
      "preempts 192.0.2.3 (priority 50) with priority 100",
    ));
  it("a tie", () =>
    assert.equal(
      reasonOf(normal, ...asMaster, advert(DOWN_US + 1, 100)),
      "192.0.2.3 advertises priority 100, the higher address at equal priority",
    ));
});

describe("vrrp instance: properties", () => {
  const anyEvent: fc.Arbitrary<{
    readonly kind: string;
    readonly afterUs: number;
    readonly priority: number;
    readonly last: number;
    readonly cs: number;
  }> = fc.record({
    kind: fc.constantFrom(
      "shutdown",
      "tick",
      "tick",
      "tick",
      "advert",
      "advert",
      "advert",
      "down",
      "up",
      "reconfigured",
      "addressesRefused",
      "addressLost",
      "start",
      "resign",
      "join",
      "silence",
      "reclaim",
    ),
    afterUs: fc.nat(2 * SECOND),
    priority: fc.nat(255),
    last: fc.integer({ min: 1, max: 4 }),
    cs: fc.integer({ min: 1, max: 4095 }),
  });
  const anyConfig: fc.Arbitrary<InstanceParameters> = fc.record({
    priority: fc.integer({ min: 1, max: 255 }),
    advertIntervalUs: fc.integer({ min: 1, max: 4095 }).map((cs) => cs * 10_000),
    preempt: fc.constantFrom<InstanceParameters["preempt"]>(
      { mode: "always" },
      { mode: "never" },
      { mode: "delay", delayUs: SECOND },
    ),
  });

  it("addresses are held only by a master, deadlines fit the phase, time never stands still", () => {
    fc.assert(
      fc.property(anyConfig, fc.array(anyEvent, { maxLength: 60 }), (config, events) => {
        let nowUs = 0;
        let held = false;
        let isShadowed = false;
        let state = initialState(config, 0);
        const feed = (event: InstanceEvent) => {
          const result = step(config, state, event);
          for (const action of result.actions) {
            if (action.type === "holdAddresses") held = true;
            if (action.type === "releaseAddresses") held = false;
            if (action.type === "shadowAddresses") isShadowed = true;
            if (action.type === "unshadowAddresses") isShadowed = false;
            const isSilent = state.handover !== null && result.state.handover !== null;
            if (action.type === "sendAdvert" && isSilent) assert.equal(action.priority, 0, "no advert while resigning");
            if (action.type === "transition") {
              assert.equal(action.from, state.phase);
              assert.equal(action.to, result.state.phase);
            }
          }
          const changed = result.actions.some((action) => action.type === "transition");
          assert.equal(changed, result.state.phase !== state.phase, "each change of phase is told, once");
          state = result.state;
          assert.equal(held, state.phase === "master");
          assert.equal(state.downDeadlineUs !== null, state.phase === "backup");
          assert.equal(state.advertDeadlineUs !== null, state.phase === "master" && state.handover === null);
          assert.ok(state.handover === null || state.phase === "master");
          assert.ok(state.silence === null || state.phase === "fault");
          assert.ok(!state.isReclaiming || (state.phase === "backup" && !state.isResting));
          assert.equal(isShadowed, state.handover !== null || state.farewell !== null);
        };
        feed({ ...start, nowUs });
        for (const { kind, afterUs, priority, last, cs } of events) {
          nowUs += afterUs;
          if (kind === "advert") feed(advert(nowUs, priority, `192.0.2.${last}`, cs * 10_000));
          else if (kind === "down") feed(down(nowUs));
          else if (kind === "up") feed(up(nowUs));
          else if (kind === "start") feed({ ...start, nowUs });
          else if (kind === "join") feed({ ...join, nowUs });
          else if (kind === "resign")
            feed(resign(nowUs, (["stop", "rest", "follow"] as const)[priority % 3] ?? "rest"));
          else if (kind === "silence") feed({ type: "silence", nowUs, forUs: cs * 10_000 });
          else if (kind === "reclaim") feed({ type: "reclaim", nowUs, preempts: priority > 127 });
          else if (kind === "reconfigured") feed({ type: "reconfigured", nowUs, addressesChanged: priority > 127 });
          else feed({ type: kind as "tick" | "shutdown" | "addressesRefused" | "addressLost", nowUs });
          if (kind === "tick") {
            const next = nextDeadlineUs(state);
            assert.ok(next === undefined || next > nowUs, "a tick settles everything that was due");
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
