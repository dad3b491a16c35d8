import type { TrackConfig, TrackWeight } from "../config/model.ts";
import { PRIORITY_OWNER } from "./advert.ts";
import type { Fault } from "./instance-model.ts";

/** What a router that does not own the address may advertise. */
const PRIORITY_MIN = 1;
const PRIORITY_MAX = 254;

/** Where a tracked script stands, after rise and fall. */
export interface ScriptFact {
  readonly type: "script";
  readonly isPassing: boolean;
  /** The sentence of the run that decided it. */
  readonly reason: string;
}

/** How many servers of a service take connections. */
export interface ServiceFact {
  readonly type: "service";
  /** Servers in the table with a weight above 0. */
  readonly serving: number;
  /** Servers configured. */
  readonly servers: number;
}

export type TrackFact = ScriptFact | ServiceFact;

/** What is known about the things that are tracked; undefined = not judged yet, which counts as failing. */
export interface TrackFacts {
  interfaceState(name: string): "up" | "down" | "missing";
  script(instance: string, name: string): ScriptFact | undefined;
  service(name: string): ServiceFact | undefined;
}

/** One tracked thing. `key` tells whether two instances track the same. */
export type Tracker = { readonly key: string; readonly weight: TrackWeight } & (
  | { readonly kind: "interface"; readonly name: string }
  | { readonly kind: "script"; readonly instance: string; readonly name: string }
  | { readonly kind: "service"; readonly name: string; readonly quorum: number }
);

/** What one tracked thing does to the priority. */
export interface TrackPart {
  /** `interface eth1`, `script disk`, `service web`. */
  readonly what: string;
  readonly weight: TrackWeight;
  readonly isPassing: boolean;
  /** What it adds to the priority now, −253…253; 0 = nothing. */
  readonly effect: number;
  /** Where it stands, as one clause: `interface eth1 is down`. */
  readonly state: string;
}

export interface Judgement {
  /** What is advertised: 1–254, or 255 for the owner, whose priority nothing changes. */
  readonly priority: number;
  /** Why the instance cannot serve, one clause for each thing without a weight that fails. */
  readonly faults: readonly Fault[];
  readonly parts: readonly TrackPart[];
}

/** The things that an instance tracks, in the order of the configuration. */
export function trackersOf(instance: string, track: TrackConfig): readonly Tracker[] {
  return [
    ...track.interfaces.map(
      ({ interface: name, weight }): Tracker => ({ kind: "interface", key: `interface ${name}`, name, weight }),
    ),
    ...track.scripts.map(
      ({ name, weight }): Tracker => ({ kind: "script", key: `script ${instance}/${name}`, instance, name, weight }),
    ),
    ...track.services.map(
      ({ service: name, quorum, weight }): Tracker => ({
        kind: "service",
        key: `service ${name}`,
        name,
        quorum,
        weight,
      }),
    ),
  ];
}

/**
 * What counts for one member of a group: its own trackers, and those of the others that have a weight. Members move together,
 * so they want to move equally much: otherwise one would be outranked by the peer and another would not. What several members
 * track with a weight counts once, with the weight of the first.
 * @param members the trackers of every member, in the order of the group; of an instance without a group, its own alone
 */
export function sharedTrackers(own: readonly Tracker[], members: readonly (readonly Tracker[])[]): readonly Tracker[] {
  const weighing = new Map<string, Tracker>();
  for (const tracker of members.flat())
    if (tracker.weight !== null && !weighing.has(tracker.key)) weighing.set(tracker.key, tracker);
  return [...own.filter(({ weight }) => weight === null), ...weighing.values()];
}

/**
 * The effective priority, and whether the instance can serve at all.
 * @param priority configured, 1–255
 */
export function judge(priority: number, trackers: readonly Tracker[], facts: TrackFacts): Judgement {
  const parts = trackers.map((tracker): TrackPart => {
    const { isPassing, state } = look(tracker, facts);
    const { weight } = tracker;
    return { what: whatOf(tracker), weight, isPassing, effect: effectOf(weight, isPassing), state };
  });
  const sum = parts.reduce((total, { effect }) => total + effect, priority);
  return {
    priority: priority === PRIORITY_OWNER ? priority : Math.min(PRIORITY_MAX, Math.max(PRIORITY_MIN, sum)),
    faults: parts.filter(({ weight, isPassing }) => weight === null && !isPassing).map(({ state }) => state),
    parts,
  };
}

/** A negative weight counts while a thing fails, a positive one while it passes. */
function effectOf(weight: TrackWeight, isPassing: boolean): number {
  return weight !== null && weight < 0 !== isPassing ? weight : 0;
}

function whatOf(tracker: Tracker): string {
  return `${tracker.kind} ${tracker.name}`;
}

function look(tracker: Tracker, facts: TrackFacts): { readonly isPassing: boolean; readonly state: string } {
  const what = whatOf(tracker);
  switch (tracker.kind) {
    case "interface": {
      const state = facts.interfaceState(tracker.name);
      return { isPassing: state === "up", state: `${what} is ${state}` };
    }
    case "script": {
      const fact = facts.script(tracker.instance, tracker.name);
      if (fact === undefined) return { isPassing: false, state: `${what} has not been run yet` };
      return {
        isPassing: fact.isPassing,
        state: fact.isPassing ? `${what} passes` : `${what} fails: ${fact.reason}`,
      };
    }
    case "service": {
      const fact = facts.service(tracker.name);
      if (fact === undefined) return { isPassing: false, state: `${what} has not been checked yet` };
      const { serving, servers } = fact;
      const count = `${serving} of ${servers} server${servers === 1 ? "" : "s"}`;
      return {
        isPassing: serving >= tracker.quorum,
        state: `${what} can be served by ${count}, quorum ${tracker.quorum}`,
      };
    }
  }
}

/** The arithmetic for people: `150 - 20 (interface eth1 is down)`; the configured priority alone where nothing counts. */
export function describeArithmetic(priority: number, judgement: Pick<Judgement, "priority" | "parts">): string {
  const terms = judgement.parts
    .filter(({ effect }) => effect !== 0)
    .map(({ effect, state }) => ` ${effect < 0 ? "-" : "+"} ${Math.abs(effect)} (${state})`);
  const sum = judgement.parts.reduce((total, { effect }) => total + effect, priority);
  if (sum === judgement.priority || terms.length === 0) return `${priority}${terms.join("")}`;
  const why = priority === PRIORITY_OWNER ? "an owner's priority never changes" : "the limit";
  return `${priority}${terms.join("")}, ${why}`;
}
