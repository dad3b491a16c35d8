import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A TCP server on an ephemeral loopback port; `close` ends its connections too. */
export interface TestServer {
  readonly port: number;
  /** Connections accepted so far. */
  connections(): number;
  close(): Promise<void>;
}

/** Makes any net, http or https server listen, and keeps hold of its sockets. */
export async function listen(server: Server, host = "127.0.0.1"): Promise<TestServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on("connection", (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => accepted,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A server that does what `serve` says with each connection. */
export function listenRaw(serve: (socket: Socket) => void): Promise<TestServer> {
  return listen(createServer(serve));
}

/** A port on loopback where nobody listens: one that was just given back. */
export async function closedPort(): Promise<number> {
  const server = await listenRaw((socket) => socket.destroy());
  await server.close();
  return server.port;
}

/** Writes for as long as the peer reads. */
export function pour(socket: Socket, piece: string): void {
  const write = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", write);
  write();
}
