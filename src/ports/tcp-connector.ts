import type { Endpoint } from "../base/endpoint.ts";

export type ConnectOutcome =
  | { readonly type: "connected" }
  | { readonly type: "failed"; readonly errno: string }
  | { readonly type: "aborted" };

/** Opens a TCP connection and closes it again at once: the tcp check, thousands of times a second. Never throws. */
export interface TcpConnector {
  connect(target: Endpoint, signal: AbortSignal): Promise<ConnectOutcome>;
}
