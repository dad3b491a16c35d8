import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import { fail, notRun, type Outcome } from "./outcome.ts";

/** This machine is out of something. To blame the servers would take all of them out at once. */
const LOCAL_RESOURCES = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EAGAIN"]);

/** The network has no way to the server, or a router said so. */
const UNREACHABLE = new Set(["EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ENONET", "ECONNABORTED"]);

/**
 * The outcome of a connection that did not come about.
 * @param errno name of the errno, `ECONNREFUSED`
 */
export function connectFailure(errno: string, endpoint: Endpoint): Outcome {
  const where = formatEndpoint(endpoint);
  if (LOCAL_RESOURCES.has(errno)) {
    return notRun(
      "local_resources",
      `no connection to ${where} could be tried: this machine is short of it (${errno})`,
    );
  }
  if (UNREACHABLE.has(errno)) return fail("unreachable", `${where} cannot be reached (${errno})`);
  switch (errno) {
    case "ECONNREFUSED":
      return fail("connect_refused", `${where} refused the connection`);
    case "ECONNRESET":
      return fail("connection_reset", `${where} reset the connection while it was being opened`);
    case "ETIMEDOUT":
      return fail("timeout", `${where} did not answer to a connection attempt (${errno})`);
    default:
      return fail("connect_failed", `the connection to ${where} failed (${errno})`);
  }
}
