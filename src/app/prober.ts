import type { ProbeLine } from "../drill/probe-lines.ts";
import { PROBE_VERSION } from "../drill/probe-lines.ts";
import type { Asker, Question } from "../ports/asker.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";

export interface ProberOptions {
  /** As people write it. */
  readonly target: string;
  readonly everyUs: number;
  readonly timeoutUs: number;
  /** It ends by itself after this long. */
  readonly forUs: number;
}

export interface ProberCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly asker: Asker;
  write(line: ProbeLine): void;
  /** All questions were answered, or have failed. */
  ended(failed: number): void;
}

interface Open {
  readonly sentUs: number;
  readonly question: Question;
}

/**
 * Asks at a steady pace whatever became of earlier questions: each has a number and a deadline of its own. A question whose
 * time has passed while the machine stood still is not made up for; that it is missing shows who stood still.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #with: ProberCollaborators;
  readonly #pace: Alarm;
  readonly #deadline: Alarm;
  readonly #startUs: number;
  /** In the order of asking; bounded by timeout divided by pace. */
  readonly #open = new Map<number, Open>();
  #nextUs: number;
  #sent = 0;
  #failed = 0;
  #isEnding = false;
  #hasEnded = false;

  constructor(options: ProberOptions, collaborators: ProberCollaborators) {
    this.#options = options;
    this.#with = collaborators;
    this.#pace = collaborators.alarms.create(() => this.#next());
    this.#deadline = collaborators.alarms.create(() => this.#expire());
    this.#startUs = collaborators.clock.nowUs();
    this.#nextUs = this.#startUs;
    const { target, everyUs, timeoutUs } = options;
    collaborators.write({ type: "start", version: PROBE_VERSION, target, everyUs, timeoutUs });
    this.#next();
  }

  /** Asks nothing more; what is under way is waited for. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#pace.close();
    this.#endIfQuiet();
  }

  #next(): void {
    const nowUs = this.#with.clock.nowUs();
    if (nowUs - this.#startUs >= this.#options.forUs) {
      this.end();
      return;
    }
    this.#ask(nowUs);
    // The cadence stays anchored; what was missed is left out.
    const { everyUs } = this.#options;
    const missed = Math.max(0, Math.floor((nowUs - this.#nextUs) / everyUs));
    this.#nextUs += (missed + 1) * everyUs;
    this.#pace.arm(this.#nextUs);
  }

  #ask(nowUs: number): void {
    const id = this.#sent;
    this.#sent += 1;
    const question = this.#with.asker.ask(id, (failure) => this.#settle(id, failure));
    this.#open.set(id, { sentUs: nowUs, question });
    if (this.#open.size === 1) this.#armDeadline();
  }

  #expire(): void {
    const nowUs = this.#with.clock.nowUs();
    for (const [id, { sentUs, question }] of this.#open) {
      if (sentUs + this.#options.timeoutUs > nowUs) break;
      question.forget();
      this.#settle(id, `no answer within ${this.#options.timeoutUs / 1000} ms`);
    }
    this.#armDeadline();
  }

  #settle(id: number, failure: string | null): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    if (failure !== null) this.#failed += 1;
    const tookUs = failure === null ? this.#with.clock.nowUs() - open.sentUs : null;
    this.#with.write({ type: "sample", id, sentUs: open.sentUs - this.#startUs, tookUs, reason: failure ?? "" });
    this.#endIfQuiet();
  }

  #armDeadline(): void {
    const [first] = this.#open.values();
    if (first !== undefined) this.#deadline.arm(first.sentUs + this.#options.timeoutUs);
  }

  #endIfQuiet(): void {
    if (!this.#isEnding || this.#open.size > 0 || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deadline.close();
    this.#with.asker.close();
    this.#with.write({ type: "end", sent: this.#sent, failed: this.#failed });
    this.#with.ended(this.#failed);
  }
}
