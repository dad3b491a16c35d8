import assert from "node:assert/strict";
import type { InstanceStatus } from "../../src/control/status.ts";
import type { Onlooker, VirtualDirector } from "../support/virtual-director.ts";
import type { VirtualTime } from "../support/virtual-time.ts";
import { releaseWaitUs, resignUs } from "./bounds.ts";

/** Adverts of one director are at least this far apart, the shortest interval of the protocol, unless there is a reason. */
const HASTE_US = 10_000;
/** Said three times by a handover and once by a stop in the middle of it. */
const RELEASES_MAX = 4;
/** A copy of the addresses serves so long after a handover. */
const FAREWELL_US = 1_000_000;

/** Looks on what one director does, and throws where it does what no director may do, whatever befalls it. */
export class Conduct implements Onlooker {
  readonly #director: VirtualDirector;
  readonly #time: VirtualTime;
  readonly #slowestUs: number;
  /** The interval now, and the shortest since the last release. */
  #intervalUs: number;
  #shortestUs: number;
  /** First priority 0 of this mastership. */
  #releasedUs: number | null = null;
  #releases = 0;
  #lastSentUs = Number.NEGATIVE_INFINITY;
  /** Adverts in haste one after another, and what may have caused them. */
  #hasty = 0;
  #reasons = 0;
  #copiesSinceUs: number | null = null;
  /** How many adverts it had sent when it fell silent for a drill. */
  #sentInSilence: number | null = null;

  constructor(director: VirtualDirector, time: VirtualTime, intervalUs: number, slowestUs: number) {
    this.#director = director;
    this.#time = time;
    this.#intervalUs = intervalUs;
    this.#shortestUs = intervalUs;
    this.#slowestUs = slowestUs;
  }

  /** A process is started anew. */
  reborn(intervalUs: number): void {
    this.#intervalUs = intervalUs;
    this.#releasedUs = null;
    this.#releases = 0;
    this.#lastSentUs = Number.NEGATIVE_INFINITY;
    this.#copiesSinceUs = null;
  }

  /** The director was given another configuration, or stood still: it may speak out of turn. */
  excuse(intervalUs: number): void {
    this.#reasons += 1;
    this.#intervalUs = intervalUs;
    this.#shortestUs = Math.min(this.#shortestUs, intervalUs);
    if (this.#copiesSinceUs !== null) this.#copiesSinceUs = this.#time.nowUs();
  }

  entered(phase: InstanceStatus["phase"] | undefined): void {
    this.#reasons += 1;
    this.#sentInSilence = this.#isSilent ? this.#director.sent.length : null;
    if (phase === "master") return;
    this.#releasedUs = null;
    this.#releases = 0;
  }

  sent(priority: number): void {
    const nowUs = this.#time.nowUs();
    if (priority > 0) this.#advertised(nowUs);
    // After a crash it may be said by one that is not master any more.
    else if (this.#director.phase === "master") this.#released(nowUs);
  }

  get #isSilent(): boolean {
    return this.#director.states.get("instance/web4")?.isSilent === true;
  }

  acted(): void {
    const { name, copies, isQuiet, sent } = this.#director;
    if (this.#isSilent) assert.equal(sent.length, this.#sentInSilence, `${name} plays dead and speaks`);
    assert.ok(this.#hasty <= this.#reasons + 1, `${name} sent ${this.#hasty} adverts in haste`);
    const nowUs = this.#time.nowUs();
    if (copies.size === 0) {
      this.#copiesSinceUs = null;
      return;
    }
    assert.equal(isQuiet, true, `${name} answers ARP for what is on lo`);
    this.#copiesSinceUs ??= nowUs;
    const limitUs = resignUs(this.#slowestUs) + FAREWELL_US + 10 * this.#time.alarmLateUs;
    assert.ok(nowUs - this.#copiesSinceUs <= limitUs, `${name} keeps copies of its addresses on lo`);
  }

  #released(nowUs: number): void {
    this.#releases += 1;
    assert.ok(this.#releases <= RELEASES_MAX, `${this.#director.name} says priority 0 on and on`);
    if (this.#releasedUs !== null) return;
    this.#releasedUs = nowUs;
    this.#shortestUs = this.#intervalUs;
  }

  #advertised(nowUs: number): void {
    const { name } = this.#director;
    if (this.#releasedUs !== null) {
      const waitedUs = nowUs - this.#releasedUs;
      const dueUs = 3 * releaseWaitUs(this.#shortestUs);
      assert.ok(waitedUs >= dueUs, `${name} advertises ${waitedUs} µs after it resigned`);
      this.#releasedUs = null;
      this.#releases = 0;
    }
    if (nowUs - this.#lastSentUs < HASTE_US) this.#hasty += 1;
    else {
      this.#hasty = 0;
      this.#reasons = 0;
    }
    this.#lastSentUs = nowUs;
  }
}
