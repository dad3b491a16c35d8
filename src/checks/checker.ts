import type { IpFamily, IpText } from "../base/ip.ts";
import type { Outcome } from "./outcome.ts";

/** Whom a check looks at, and for whom: names go into a script's environment and into sentences. */
export interface CheckTarget {
  readonly service: string;
  readonly check: string;
  readonly address: IpText;
  /** The server's port in the service; a check may look at another one. */
  readonly port: number;
  readonly family: IpFamily;
}

/** An attempt under way. */
export interface Attempt {
  /**
   * The caller's deadline: the outcome is told within the same turn of the event loop, with reason `timeout` and a sentence
   * on how far it got. Nothing happens if it has been told already.
   */
  abort(): void;
}

/** One check of one server, ready to make attempts. Attempts of one checker never overlap. */
export interface Checker {
  /**
   * Begins one attempt. Never throws.
   * @param done told the outcome once, after this call has returned
   */
  begin(done: (outcome: Outcome) => void): Attempt;
  /** Lets go of what is kept between attempts. */
  close(): void;
}

/** A checker as it is written on libraries that know promises and signals; `bySignal` makes a Checker of it. */
export interface SignalChecker {
  /**
   * Makes one attempt. Never throws and never rejects. When the signal aborts it resolves within the same turn of the event
   * loop, with reason `timeout` and a sentence on how far it got.
   */
  attempt(signal: AbortSignal): Promise<Outcome>;
  /** Lets go of what is kept between attempts. */
  close(): void;
}

/** A signal and a promise per attempt: little beside a program, a quarter of the price of a bare connect. */
export function bySignal(checker: SignalChecker): Checker {
  return {
    begin: (done) => {
      const controller = new AbortController();
      void checker.attempt(controller.signal).then(done);
      return controller;
    },
    close: () => checker.close(),
  };
}
