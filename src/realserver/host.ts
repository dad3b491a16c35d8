import type { DirectorError } from "../base/director-error.ts";
import type { Cidr } from "../base/ip.ts";
import type { Result } from "../base/result.ts";
import type { Need } from "./needs.ts";
import type { RealServerRecord } from "./record.ts";

/** An interface of this machine. */
export interface HostInterface {
  readonly name: string;
  /** It answers no ARP: the loopback, a dummy, a tunnel. */
  readonly isQuiet: boolean;
  readonly addresses: readonly Cidr[];
}

/** The machine that is a real server: read and changed by one need at a time, at once. */
export interface RealServerHost {
  interfaces(): Result<readonly HostInterface[], DirectorError>;
  /** How the subject of a need is now; null = absent. */
  read(need: Need): Result<string | null, DirectorError>;
  make(need: Need): Result<void, DirectorError>;
  /** @param was as `read` told before `make`; null = absent */
  restore(need: Need, was: string | null): Result<void, DirectorError>;
  load(): Result<RealServerRecord, DirectorError>;
  save(record: RealServerRecord): Result<void, DirectorError>;
}
