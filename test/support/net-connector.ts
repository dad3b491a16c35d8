import { connect } from "node:net";
import type { ConnectOutcome, TcpConnector } from "../../src/ports/tcp-connector.ts";

/** The TcpConnector port over node:net, for tests with real sockets and without the native addon. */
export const netConnector: TcpConnector = {
  connect: (target, signal) =>
    new Promise<ConnectOutcome>((resolve) => {
      const socket = connect({ host: target.address, port: target.port, signal });
      const settle = (outcome: ConnectOutcome) => {
        socket.destroy();
        resolve(outcome);
      };
      socket.once("connect", () => settle({ type: "connected" }));
      socket.on("error", (error: NodeJS.ErrnoException) =>
        settle(error.name === "AbortError" ? { type: "aborted" } : { type: "failed", errno: error.code ?? "" }),
      );
    }),
};
