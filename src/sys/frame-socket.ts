import type { DirectorError } from "../base/director-error.ts";
import { ok, type Result } from "../base/result.ts";
import type { FrameSocket } from "../ports/packet-socket.ts";
import { AF_PACKET, SO_PRIORITY, SOCK_RAW, SOL_SOCKET } from "./constants.ts";
import { sockaddrLink } from "./sockaddr.ts";
import { Socket } from "./socket.ts";

/** The first band of the default queueing discipline: ahead of bulk traffic. */
export const CONTROL_PRIORITY = 6;

/**
 * Opens a packet socket that only sends whole Ethernet frames on one interface. Protocol 0 keeps the kernel from handing
 * it a copy of everything received.
 */
export function openFrameSocket(options: {
  readonly interfaceName: string;
  readonly interfaceIndex: number;
}): Result<FrameSocket, DirectorError> {
  const opened = Socket.open(AF_PACKET, SOCK_RAW, 0, `packet socket on ${options.interfaceName}`);
  if (!opened.ok) return opened;
  const socket = opened.value.configure([
    ["setting the priority", (it) => it.setOption(SOL_SOCKET, SO_PRIORITY, CONTROL_PRIORITY)],
  ]);
  if (!socket.ok) return socket;
  const address = sockaddrLink(options.interfaceIndex, 0);
  return ok({
    send(frame) {
      const sent = socket.value.send(frame, address);
      return sent < 0 ? -sent : 0;
    },
    close: () => socket.value.close(),
  });
}
