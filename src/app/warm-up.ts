import type { InstanceConfig } from "../config/model.ts";
import type { InstanceStatus } from "../control/status.ts";
import { PRIORITY_OWNER } from "../vrrp/advert.ts";

/** The longest that a living master is left alone for the sake of servers of which nothing is known. */
const PATIENCE_MS = 60_000;

export interface WarmUpOptions {
  readonly instances: readonly InstanceConfig[];
  /** Whether there is a table to be filled at all. */
  readonly hasServices: boolean;
}

export interface WarmUpCollaborators {
  /** What the vrrp process said last. */
  instances(): readonly InstanceStatus[];
  /** Whether every server has had its first verdict. */
  isTableKnown(): boolean;
  /** Ends the rest of an instance. */
  wake(instance: string): void;
  say(message: string): void;
}

/**
 * A director that has just started does not take addresses from a living master before it knows its servers: its table would be empty,
 * and clients that were served would be refused. Its instances rest until then, as after a handover: where nobody serves they take over at
 * once. An address owner (priority 255) does not wait, as RFC 9568 has it.
 */
export class WarmUp {
  readonly #with: WarmUpCollaborators;
  /** Names of instances that are to be woken; bounded by the configuration of the start. */
  readonly #waiting: Set<string>;
  #patience: NodeJS.Timeout | null = null;
  #isOver = false;

  constructor({ instances, hasServices }: WarmUpOptions, collaborators: WarmUpCollaborators) {
    this.#with = collaborators;
    const resting = hasServices ? instances.filter(({ priority }) => priority !== PRIORITY_OWNER) : [];
    this.#waiting = new Set(resting.map(({ name }) => name));
  }

  /** Names of the instances that a vrrp process is to start at rest. */
  get resting(): readonly string[] {
    return [...this.#waiting];
  }

  /** The children start now. */
  begin(): void {
    if (this.#waiting.size === 0) return;
    this.#patience = setTimeout(() => {
      this.#isOver = true;
      this.look();
    }, PATIENCE_MS).unref();
  }

  /** What is known of instances or servers changed. */
  look(): void {
    if (this.#waiting.size === 0) return;
    const told = this.#with.instances().filter(({ name, phase }) => this.#waiting.has(name) && phase !== "initialize");
    // One that was needed serves by now: a rest that begins later is somebody's order.
    for (const { name, phase } of told) if (phase === "master") this.#waiting.delete(name);
    const done = told.filter(({ name }) => this.#waiting.has(name));
    if (done.length > 0 && (this.#isOver || this.#with.isTableKnown())) {
      for (const { name } of done) this.#waiting.delete(name);
      const resting = done.filter(({ isResting }) => isResting).map(({ name }) => name);
      for (const name of resting) this.#with.wake(name);
      const why = this.#isOver ? "servers are still unknown after a minute" : "every server is known";
      if (resting.length > 0) this.#with.say(`${why}: ${resting.join(", ")} may take addresses from a lower master`);
    }
    if (this.#waiting.size === 0 && this.#patience !== null) clearTimeout(this.#patience);
  }
}
