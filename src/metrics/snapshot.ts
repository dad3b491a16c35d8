import type { DirectorStatus } from "../control/status.ts";
import type { ServerTraffic, Traffic } from "../ipvs/traffic.ts";
import type { EventTally } from "./event-counts.ts";

/** Everything that a scrape shows, as it is in the supervisor: no other process is asked. */
export interface MetricsSnapshot {
  readonly status: DirectorStatus;
  /** What the kernel counted, one entry for each listen endpoint. */
  serviceTraffic(service: string): readonly Traffic[];
  /** As above, of one server; `server` as in the status. */
  serverTraffic(service: string, server: string): readonly ServerTraffic[];
  readonly events: EventTally;
  readonly processes: readonly ProcessUsage[];
}

/** What one of the processes uses. */
export interface ProcessUsage {
  readonly name: "supervisor" | "vrrp" | "checker";
  /** What the kernel says of it; null = it does not run. */
  readonly usage: {
    readonly cpuSeconds: number;
    readonly residentBytes: number;
    /** null = this process may not see it. */
    readonly openFiles: number | null;
    /** Seconds since 1970. */
    readonly startTime: number;
  } | null;
  /** Messages from and to the supervisor since that began; null for the supervisor itself. */
  readonly messages: { readonly sent: number; readonly received: number } | null;
}
