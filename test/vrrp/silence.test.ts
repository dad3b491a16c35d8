import assert from "node:assert/strict";
import { nextDeadlineUs } from "../../src/vrrp/instance.ts";
import type { InstanceEvent, InstanceParameters, InstanceState } from "../../src/vrrp/instance-model.ts";
import { SILENCE_MAX_US, unservedBoundUs } from "../../src/vrrp/silence.ts";
import { type Cell, kinds, run, testCells } from "../support/instance-cells.ts";

const SECOND = 1_000_000;
const OWN = "192.0.2.2";
const PEER = "192.0.2.1";
const normal: InstanceParameters = { priority: 100, advertIntervalUs: SECOND, preempt: { mode: "always" } };
const polite: InstanceParameters = { ...normal, preempt: { mode: "never" } };
const owner: InstanceParameters = { ...normal, priority: 255 };

const DOWN_US = 3 * SECOND + 609_375;
const start: InstanceEvent = { type: "start", nowUs: 0, resumes: false, isResting: false, fault: null, source: OWN };
const tick = (nowUs: number): InstanceEvent => ({ type: "tick", nowUs });
const down = (nowUs: number): InstanceEvent => ({ type: "condition", nowUs, fault: "interface is down", source: OWN });
const up = (nowUs: number): InstanceEvent => ({ type: "condition", nowUs, fault: null, source: OWN });
const silence = (nowUs: number, forUs = 60 * SECOND): InstanceEvent => ({ type: "silence", nowUs, forUs });
const reclaim = (nowUs: number, preempts = true): InstanceEvent => ({ type: "reclaim", nowUs, preempts });
const resign = (nowUs: number, purpose: "stop" | "rest"): InstanceEvent => ({ type: "resign", nowUs, purpose });
const advert = (nowUs: number, priority: number, intervalUs = SECOND): InstanceEvent => ({
  type: "advert",
  nowUs,
  source: PEER,
  priority,
  intervalUs,
});

const asMaster = [start, tick(DOWN_US)];
/** When the drill begins. */
const T = DOWN_US + 10 * SECOND;
const silent = [...asMaster, silence(T)];
/** The peer takes over within its down interval. */
const succeeded = [...silent, advert(T + 3 * SECOND, 50)];
const TAKEOVER = ["advert 100", "holdAddresses", "announce", "transition"];

const isStillSilent = (state: InstanceState) => assert.notEqual(state.silence, null);

const CELLS: readonly Cell[] = [
  { name: "initialize, silence", given: [], when: silence(1), phase: "initialize", actions: [] },
  { name: "initialize, reclaim", given: [], when: reclaim(1), phase: "initialize", actions: [] },
  { name: "backup, silence: it is not master", given: [start], when: silence(1), phase: "backup", actions: [] },
  {
    name: "backup, reclaim: a rest ends",
    given: [{ ...start, isResting: true } as InstanceEvent],
    when: reclaim(1),
    phase: "backup",
    actions: [],
    check: (state) => assert.deepEqual([state.isResting, state.isReclaiming], [false, true]),
  },
  {
    name: "backup, reclaim of a member that goes along: only the rest ends",
    given: [{ ...start, isResting: true } as InstanceEvent],
    when: reclaim(1, false),
    phase: "backup",
    actions: [],
    check: (state) => assert.deepEqual([state.isResting, state.isReclaiming], [false, false]),
  },
  { name: "fault, silence", given: [start, down(1)], when: silence(2), phase: "fault", actions: [] },
  {
    name: "fault, reclaim: it would not rest afterwards",
    given: [{ ...start, isResting: true } as InstanceEvent, down(1)],
    when: reclaim(2),
    phase: "fault",
    actions: [],
    check: (state) => assert.equal(state.isResting, false),
  },
  { name: "master, reclaim", given: asMaster, when: reclaim(T), phase: "master", actions: [] },
  {
    name: "master, silence: the addresses go, and not a word is said",
    given: asMaster,
    when: silence(T),
    phase: "fault",
    actions: ["releaseAddresses", "transition"],
    check: (state) => {
      assert.equal(nextDeadlineUs(state), T + unservedBoundUs(SECOND));
      assert.equal(state.silence?.untilUs, T + 60 * SECOND);
    },
  },
  {
    name: "master, silence without end: the dead man's return has a bound",
    given: asMaster,
    when: silence(T, 1e15),
    phase: "fault",
    actions: ["releaseAddresses", "transition"],
    check: (state) => assert.equal(state.silence?.untilUs, T + SILENCE_MAX_US),
  },
  {
    name: "master, handing over, silence: it is not stopped half-way",
    given: [...asMaster, resign(T, "rest")],
    when: silence(T + 1),
    phase: "master",
    actions: [],
  },
  {
    name: "silent, silence again",
    given: silent,
    when: silence(T + 1),
    phase: "fault",
    actions: [],
    check: isStillSilent,
  },
  { name: "silent, start again", given: silent, when: start, phase: "fault", actions: [], check: isStillSilent },
  { name: "silent, tick", given: silent, when: tick(T + SECOND), phase: "fault", actions: [], check: isStillSilent },
  {
    name: "silent, advert: somebody serves, which is told once",
    given: silent,
    when: advert(T + 3 * SECOND, 50),
    phase: "fault",
    actions: [`answered ${PEER}`],
    check: (state) => assert.equal(state.silence?.servedByUs, T + 3 * SECOND + unservedBoundUs(SECOND)),
  },
  {
    name: "silent, another advert: it goes on serving",
    given: succeeded,
    when: advert(T + 4 * SECOND, 50),
    phase: "fault",
    actions: [],
    check: (state) => assert.equal(state.silence?.servedByUs, T + 4 * SECOND + unservedBoundUs(SECOND)),
  },
  {
    name: "silent, advert at a slower interval: as much longer it is waited for",
    given: silent,
    when: advert(T + 3 * SECOND, 50, 2 * SECOND),
    phase: "fault",
    actions: [`answered ${PEER}`],
    check: (state) => assert.equal(state.silence?.servedByUs, T + 3 * SECOND + unservedBoundUs(2 * SECOND)),
  },
  {
    name: "silent, priority 0 of the successor: not long until it serves again",
    given: succeeded,
    when: advert(T + 4 * SECOND, 0),
    phase: "fault",
    actions: [],
    check: (state) => assert.ok((state.silence?.servedByUs ?? 0) < T + 6 * SECOND),
  },
  {
    name: "silent, nobody took over: serves again at once",
    given: silent,
    when: tick(T + unservedBoundUs(SECOND)),
    phase: "master",
    actions: [...TAKEOVER, "answered null"],
    check: (state) => assert.equal(state.reason, "drill: nobody took over within 4.5s; serving again"),
  },
  {
    name: "silent, the successor fell silent: serves again at once",
    given: succeeded,
    when: tick(T + 3 * SECOND + unservedBoundUs(SECOND)),
    phase: "master",
    actions: TAKEOVER,
    check: (state) => assert.equal(state.reason, `drill: ${PEER}, which had taken over, fell silent; serving again`),
  },
  {
    name: "silent, the dead man's return: it listens as if it had just started",
    given: [...asMaster, silence(T, 5 * SECOND), advert(T + 3 * SECOND, 50), advert(T + 4 * SECOND, 50)],
    when: tick(T + 5 * SECOND),
    phase: "backup",
    actions: ["transition"],
    check: (state) => assert.deepEqual([state.downDeadlineUs, state.isReclaiming], [T + 5 * SECOND + DOWN_US, false]),
  },
  {
    name: "silent, the dead man's return before anybody took over",
    given: [...asMaster, silence(T, 2 * SECOND)],
    when: tick(T + 2 * SECOND),
    phase: "backup",
    actions: ["transition", "answered null"],
  },
  {
    name: "silent, reclaim: listens, and takes the address back",
    given: succeeded,
    when: reclaim(T + 6 * SECOND),
    phase: "backup",
    actions: ["transition"],
    check: (state) => assert.equal(state.isReclaiming, true),
  },
  {
    name: "silent, reclaim, for an owner: it listens first as everybody",
    config: owner,
    given: succeeded,
    when: reclaim(T + 6 * SECOND),
    phase: "backup",
    actions: ["transition"],
  },
  {
    name: "silent, condition without fault",
    given: silent,
    when: up(T + 1),
    phase: "fault",
    actions: [],
    check: isStillSilent,
  },
  {
    name: "silent, interface down: a fault of its own ends the play",
    given: silent,
    when: down(T + 1),
    phase: "fault",
    actions: ["answered null"],
    check: (state) => assert.deepEqual([state.silence, state.reason], [null, "interface is down"]),
  },
  {
    name: "silent, reconfigured",
    given: silent,
    when: { type: "reconfigured", nowUs: T + 1, addressesChanged: true },
    phase: "fault",
    actions: [],
    check: isStillSilent,
  },
  {
    name: "silent, addresses refused: what the kernel would not remove is tried again",
    given: [...silent, { type: "addressesRefused", nowUs: T }],
    when: tick(T + SECOND),
    phase: "fault",
    actions: ["releaseAddresses"],
    check: isStillSilent,
  },
  {
    name: "silent, address lost",
    given: silent,
    when: { type: "addressLost", nowUs: T + 1 },
    phase: "fault",
    actions: [],
  },
  {
    name: "silent, resign to rest",
    given: silent,
    when: resign(T + 1, "rest"),
    phase: "fault",
    actions: [],
    check: isStillSilent,
  },
  {
    name: "silent, resign to stop",
    given: silent,
    when: resign(T + 1, "stop"),
    phase: "initialize",
    actions: ["transition", "answered null"],
  },
  {
    name: "silent, shutdown: no goodbye, it serves nothing",
    given: silent,
    when: { type: "shutdown", nowUs: T + 1 },
    phase: "initialize",
    actions: ["transition", "answered null"],
  },
  {
    name: "silent, join",
    given: silent,
    when: { type: "join", nowUs: T + 1, reason: "another member is master" },
    phase: "fault",
    actions: [],
    check: isStillSilent,
  },
];

describe("vrrp instance: playing dead", () => {
  testCells(CELLS, normal);

  it("names every cell of a silent master", () => {
    const words = [
      ...[/silence again/, /start/, /tick/, /advert/, /priority 0/, /reclaim/, /condition/, /interface/],
      ...[/reconfigured/, /addresses refused/, /address lost/, /resign/, /shutdown/, /join/],
    ];
    const names = CELLS.map(({ name }) => name).filter((name) => name.startsWith("silent"));
    for (const word of words)
      assert.ok(
        names.some((name) => word.test(name)),
        `${word}`,
      );
  });

  for (const [name, config] of Object.entries({ preempting: normal, polite })) {
    it(`takes the address back from a lower master: ${name}`, () => {
      const back = [...succeeded, reclaim(T + 6 * SECOND)];
      const heard = [7, 8, 9].map((seconds) => advert(T + seconds * SECOND, 50));
      const { state, last } = run(config, ...back, ...heard, tick(T + 6 * SECOND + DOWN_US));
      assert.deepEqual(kinds(last), TAKEOVER);
      assert.equal(state.isReclaiming, false);
    });
  }

  it("leaves the address to a better master", () => {
    const { state } = run(normal, ...succeeded, reclaim(T + 6 * SECOND), advert(T + 7 * SECOND, 200));
    assert.deepEqual([state.phase, state.isReclaiming], ["backup", false]);
  });
});
