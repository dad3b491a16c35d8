import type { Endpoint } from "../base/endpoint.ts";

export type ConnectOutcome = { readonly type: "connected" } | { readonly type: "failed"; readonly errno: string };

/** A connection that is being opened. */
export interface ConnectAttempt {
  /** Gives it up: its outcome will not be told. Nothing happens if it has been told already. */
  cancel(): void;
}

/** Opens a TCP connection and closes it again at once: the tcp check, thousands of times a second. Never throws. */
export interface TcpConnector {
  /** @param done told the outcome once, after this call has returned */
  connect(target: Endpoint, done: (outcome: ConnectOutcome) => void): ConnectAttempt;
}
