import type { SyncConfig } from "../config/model.ts";
import { type SyncDaemon, type SyncRole, syncDaemons, syncOperations } from "../ipvs/sync.ts";
import type { Phases } from "./addresses.ts";
import { type PlanGroup, stepOf } from "./model.ts";

/** What `sync` does for established connections, in a line; docs/connections.md says it in full. */
const SAVES =
  "established connections survive a handover and a takeover, but for those of the last 3 s and handshakes in flight";
const SAVES_NOTHING = "not configured: established connections do not survive a handover or a takeover";

export interface SyncNow {
  /** Daemons that the kernel runs. */
  readonly present: readonly SyncDaemon[];
  readonly hasInterface: boolean;
  /** The running daemon has it configured now, so that it ends with it. */
  readonly isOurs: boolean;
}

/** What would become of the kernel's connection synchronisation, and what it can and cannot save. */
export function planSync(
  config: SyncConfig | null,
  now: SyncNow,
  phases: Phases,
  options: { readonly hasInstances: boolean },
): PlanGroup {
  const { present, hasInterface, isOurs } = now;
  const group = { section: "sync", title: "connection sync" } as const;
  if (config === null) {
    const steps = isOurs ? present.map(({ role, ...daemon }) => stepOf(`${role} daemon`, text(daemon), null)) : [];
    const foreign = isOurs ? [] : present.map(({ role }) => `the ${role} daemon of somebody else is left alone`);
    // Alone on its network nobody hands over to anybody.
    return { ...group, steps, notes: [...foreign, ...(options.hasInstances ? [SAVES_NOTHING] : [])] };
  }
  const isMaster = phases?.get(config.instance) === "master";
  const roles: readonly SyncRole[] = isMaster ? ["backup", "master"] : ["backup"];
  // A master daemon that is still there tells the last connections, and ends by itself.
  const considered = isMaster ? present : present.filter(({ role }) => role === "backup");
  const operations = syncOperations(considered, hasInterface ? syncDaemons(config, roles) : []);
  const steps = (["backup", "master"] as const).flatMap((role) => {
    const stops = operations.some((operation) => operation.type === "stopDaemon" && operation.role === role);
    const start = operations.find((operation) => operation.type === "startDaemon" && operation.daemon.role === role);
    const was = present.find((daemon) => daemon.role === role);
    const from = stops && was !== undefined ? text(was) : null;
    const to = start?.type === "startDaemon" ? text(start.daemon) : null;
    return from === null && to === null ? [] : [stepOf(`${role} daemon`, from, to)];
  });
  const missing = hasInterface ? [] : [`there is no interface ${config.interface}`];
  return { ...group, steps, notes: [...missing, SAVES] };
}

function text({ interface: device, id, group, port, ttl, maxBytes }: Omit<SyncDaemon, "role">): string {
  return `on ${device}, id ${id}, ${group}:${port}, ttl ${ttl}, ${maxBytes} bytes`;
}
