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

/** One check of one server, ready to make attempts. Attempts of one checker never overlap. */
export interface Checker {
  /**
   * Makes one attempt. Never throws and never rejects. When the signal aborts — the caller's deadline — it resolves
   * within the same turn of the event loop, with reason `timeout` and a sentence on how far it got.
   */
  attempt(signal: AbortSignal): Promise<Outcome>;
  /** Lets go of what is kept between attempts. */
  close(): void;
}
