import assert from "node:assert/strict";
import { releaseWaitUs } from "../../src/vrrp/handover.ts";
import { step } from "../../src/vrrp/instance.ts";
import type { InstanceEvent, InstanceParameters } from "../../src/vrrp/instance-model.ts";
import { masterDownUs } from "../../src/vrrp/timing.ts";
import { initialState } from "../../src/vrrp/transitions.ts";

const SECOND = 1_000_000;
const normal: InstanceParameters = { priority: 100, advertIntervalUs: SECOND, preempt: { mode: "always" } };
const owner: InstanceParameters = { ...normal, priority: 255 };
const polite: InstanceParameters = { ...normal, preempt: { mode: "never" } };
const DOWN_US = masterDownUs(100, SECOND);

const fresh = { type: "start", nowUs: 0, resumes: false, isResting: false, fault: null, source: "192.0.2.2" } as const;
const tick = (nowUs: number): InstanceEvent => ({ type: "tick", nowUs });
const advert = (nowUs: number, priority: number): InstanceEvent => ({
  type: "advert",
  nowUs,
  source: "192.0.2.3",
  priority,
  intervalUs: SECOND,
});
const condition = (nowUs: number, fault: string | null): InstanceEvent => ({
  type: "condition",
  nowUs,
  fault,
  source: fresh.source,
});

/** The last change of phase that events lead to. */
function lastOf(config: InstanceParameters, events: readonly InstanceEvent[]): string {
  let state = initialState(config, 0);
  let last = "none";
  for (const event of events) {
    const next = step(config, state, event);
    state = next.state;
    for (const action of next.actions)
      if (action.type === "transition") last = `${action.from} -> ${action.to}: ${action.code}`;
  }
  return last;
}

describe("why a phase changed, as a code", () => {
  const rest = { type: "resign", nowUs: DOWN_US, purpose: "rest" } as const;
  const cases: readonly (readonly [expected: string, config: InstanceParameters, events: readonly InstanceEvent[]])[] =
    [
      ["initialize -> backup: started", normal, [fresh]],
      ["initialize -> master: owner", owner, [fresh]],
      ["initialize -> master: resumed", normal, [{ ...fresh, resumes: true }]],
      ["initialize -> fault: fault", normal, [{ ...fresh, fault: "interface is down" }]],
      ["fault -> backup: recovered", normal, [{ ...fresh, fault: "interface is down" }, condition(1, null)]],
      ["fault -> master: owner", owner, [{ ...fresh, fault: "interface is down" }, condition(1, null)]],
      ["backup -> master: no_master", normal, [fresh, tick(DOWN_US)]],
      ["backup -> master: master_resigned", normal, [fresh, advert(1, 200), advert(2, 0), tick(SECOND)]],
      ["backup -> master: preempts", normal, [fresh, advert(DOWN_US - 1, 50), tick(DOWN_US)]],
      ["backup -> master: master_silent", normal, [fresh, advert(1, 200), tick(1 + DOWN_US)]],
      ["backup -> master: group", normal, [fresh, { type: "join", nowUs: 1, reason: "web6 is master" }]],
      ["backup -> fault: fault", normal, [fresh, condition(1, "interface is down")]],
      ["master -> fault: fault", normal, [fresh, tick(DOWN_US), condition(DOWN_US + 1, "interface is down")]],
      ["master -> backup: outranked", normal, [fresh, tick(DOWN_US), advert(DOWN_US + 1, 200)]],
      ["master -> backup: stalled", polite, [fresh, tick(DOWN_US), tick(DOWN_US + 10 * SECOND)]],
      ["master -> backup: stalled", polite, [fresh, tick(DOWN_US), advert(DOWN_US + 10 * SECOND, 50)]],
      ["master -> backup: handed_over", normal, [fresh, tick(DOWN_US), rest, advert(DOWN_US + 1, 50)]],
      [
        "master -> initialize: handed_over",
        normal,
        [fresh, tick(DOWN_US), { ...rest, purpose: "stop" }, advert(DOWN_US + 1, 50)],
      ],
      [
        "master -> initialize: stopped",
        normal,
        [
          fresh,
          tick(DOWN_US),
          { ...rest, purpose: "stop" },
          ...[1, 2, 3].map((times) => tick(DOWN_US + times * releaseWaitUs(SECOND))),
        ],
      ],
      ["backup -> initialize: stopped", normal, [fresh, { type: "shutdown", nowUs: 1 }]],
    ];
  for (const [expected, config, events] of cases) it(expected, () => assert.equal(lastOf(config, events), expected));
});
