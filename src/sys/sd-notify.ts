import { Buffer } from "node:buffer";
import { DirectorError } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import { AF_UNIX, SOCK_DGRAM } from "./constants.ts";
import { systemCallError } from "./errno.ts";
import { MAX_UNIX_PATH_BYTES, sockaddrUnix } from "./sockaddr.ts";
import { Socket } from "./socket.ts";

/** Tells the service manager about this process: `READY=1`, `STATUS=...`, `RELOADING=1`, `WATCHDOG=1`, `STOPPING=1`. */
export interface ServiceManager {
  /** @param lines `NAME=value`, none with a newline in it; a message that cannot be sent is an error to log, not to fail on */
  notify(...lines: readonly string[]): Result<void, DirectorError>;
  close(): void;
}

const NOBODY: ServiceManager = { notify: () => ok(undefined), close: () => undefined };

/**
 * @param path $NOTIFY_SOCKET: absolute, or `@name` for the abstract namespace; unset or empty: nobody listens, and
 *             notify does nothing
 * @see sd_notify(3)
 */
export function openServiceManager(path: string | undefined): Result<ServiceManager, DirectorError> {
  if (path === undefined || path === "") return ok(NOBODY);
  if (!/^[/@]./.test(path) || Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES) {
    const message = `NOTIFY_SOCKET is ${JSON.stringify(path)}, which is neither an absolute path nor an abstract name`;
    return err(new DirectorError("SYSTEM_CALL_FAILED", message, { path }));
  }
  const socket = Socket.open(AF_UNIX, SOCK_DGRAM, 0, "service manager's socket");
  if (!socket.ok) return socket;
  const address = sockaddrUnix(path);
  return ok({
    notify(...lines) {
      const sent = socket.value.send(
        Buffer.from(lines.map((line) => `${line.replaceAll("\n", " ")}\n`).join("")),
        address,
      );
      return sent < 0 ? err(systemCallError(`notifying the service manager at ${path}`, -sent)) : ok(undefined);
    },
    close: () => socket.value.close(),
  });
}
