import assert from "node:assert/strict";
import { step } from "../../src/vrrp/instance.ts";
import type {
  InstanceAction,
  InstanceEvent,
  InstanceParameters,
  InstanceState,
  Phase,
} from "../../src/vrrp/instance-model.ts";
import { initialState } from "../../src/vrrp/transitions.ts";

/** What an instance does about one event in one state. */
export interface Cell {
  readonly name: string;
  /** Absent = the usual one. */
  readonly config?: InstanceParameters;
  readonly given: readonly InstanceEvent[];
  readonly when: InstanceEvent;
  readonly phase: Phase;
  readonly actions: readonly string[];
  readonly check?: (state: InstanceState) => void;
}

/** Feeds events one after another; returns the last state, the actions of the last event, and every action. */
export function run(config: InstanceParameters, ...events: readonly InstanceEvent[]) {
  let state = initialState(config, 0);
  let last: readonly InstanceAction[] = [];
  const all: InstanceAction[] = [];
  for (const event of events) {
    ({ state, actions: last } = step(config, state, event));
    all.push(...last);
  }
  return { state, last, all };
}

export function kinds(actions: readonly InstanceAction[]): readonly string[] {
  return actions.map((action) => {
    if (action.type === "sendAdvert") return `advert ${action.priority}`;
    return action.type === "silenceAnswered" ? `answered ${action.successor}` : action.type;
  });
}

/** One test for each. */
export function testCells(cells: readonly Cell[], usual: InstanceParameters): void {
  for (const cell of cells) {
    it(cell.name, () => {
      const { state, last } = run(cell.config ?? usual, ...cell.given, cell.when);
      assert.equal(state.phase, cell.phase);
      assert.deepEqual(kinds(last), cell.actions);
      cell.check?.(state);
    });
  }
}
