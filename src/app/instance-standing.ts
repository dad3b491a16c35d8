import type { InstanceConfig } from "../config/model.ts";
import type { Fault, InstanceParameters, Phase } from "../vrrp/instance-model.ts";
import { describeArithmetic, type Judgement, judge, type Tracker, type TrackFacts } from "../vrrp/track.ts";

/** Where an instance stands among the others of this node. */
export interface InstancePlace {
  /** What counts for its priority, and what it cannot do without. */
  readonly trackers: readonly Tracker[];
  readonly group: {
    readonly name: string;
    /** The first member decides where the group is master. */
    readonly isLeader: boolean;
  } | null;
}

/** What an instance may and wants to do: its faults, its effective priority, its part in the group. */
export class InstanceStanding {
  #config: InstanceConfig;
  #place: InstancePlace;
  #judgement: Judgement;
  #groupFault: Fault | null = null;
  interfaceFault: Fault | null = null;
  readonly #facts: TrackFacts;

  constructor(config: InstanceConfig, place: InstancePlace, facts: TrackFacts) {
    this.#config = config;
    this.#place = place;
    this.#facts = facts;
    this.#judgement = { priority: config.priority, faults: [], parts: [] };
  }

  get place(): InstancePlace {
    return this.#place;
  }

  /** The effective one. */
  get priority(): number {
    return this.#judgement.priority;
  }

  get parts(): Judgement["parts"] {
    return this.#judgement.parts;
  }

  /** How the priority comes about. */
  get arithmetic(): string {
    return describeArithmetic(this.#config.priority, this.#judgement);
  }

  get ownFault(): Fault | null {
    return this.interfaceFault ?? (this.#judgement.faults.length === 0 ? null : this.#judgement.faults.join("; "));
  }

  /** Why it cannot serve: what is wrong with itself comes before what is wrong with its group. */
  get fault(): Fault | null {
    return this.ownFault ?? this.#groupFault;
  }

  /** @returns whether that is news */
  groupChanged(fault: Fault | null): boolean {
    const isNews = fault !== this.#groupFault;
    this.#groupFault = fault;
    return isNews;
  }

  /** Another configuration, group, or other things that count for it. */
  move(config: InstanceConfig, place: InstancePlace): void {
    // The group that it comes to says itself whether it can serve.
    if (place.group?.name !== this.#place.group?.name) this.#groupFault = null;
    this.#config = config;
    this.#place = place;
  }

  /**
   * Weighs what is tracked; the next advert carries the priority, and a backup counts with it from its next timer on.
   * @returns how the priority changed; null = it did not
   */
  judge(): { readonly from: number; readonly to: number; readonly arithmetic: string } | null {
    const from = this.#judgement.priority;
    this.#judgement = judge(this.#config.priority, this.#place.trackers, this.#facts);
    const to = this.#judgement.priority;
    return to === from ? null : { from, to, arithmetic: this.arithmetic };
  }

  /** What the state machine goes by now. A member of a group leaves it to the first one to preempt, and then goes along. */
  parameters(phase: Phase): InstanceParameters {
    const { group } = this.#place;
    const goesAlong = group !== null && !group.isLeader && phase === "backup";
    const preempt = goesAlong ? ({ mode: "never" } as const) : this.#config.preempt;
    return { priority: this.priority, advertIntervalUs: this.#config.advertIntervalUs, preempt };
  }
}
