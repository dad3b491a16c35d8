import type { DirectorError } from "../base/director-error.ts";
import type { Result } from "../base/result.ts";

/**
 * A netlink socket for requests. Requests are synchronous: the kernel has queued the reply when the send returns,
 * and dumps are produced while they are read. Frames in and out are whole nlmsghdr messages; the socket writes the
 * sequence number and port id.
 */
export interface NetlinkSocket {
  /**
   * Sends one dump request and collects every message of the reply up to NLMSG_DONE.
   * @param request a message with NLM_F_REQUEST|NLM_F_DUMP
   */
  dump(request: Buffer): Result<readonly Buffer[], DirectorError>;
  /** Sends one request without a dump that is answered by a message (a single GET), not only by an ack. */
  query(request: Buffer): Result<Buffer, DirectorError>;
  /**
   * Sends requests in order, sliced so that neither send nor acknowledgements overflow; a failing one does not stop the rest.
   * @returns one errno per request: 0, or a positive errno
   */
  execute(requests: readonly Buffer[]): Result<readonly number[], DirectorError>;
  close(): void;
}
