import { join } from "node:path";
import { messageOf } from "../base/director-error.ts";
import { orThrow } from "../base/result.ts";
import { isOnDisk, KeptFiles } from "../config/config-texts.ts";
import type { FileAccess } from "../config/file-access.ts";
import { loadConfigFiles } from "../config/load-files.ts";
import type { DirectorConfig } from "../config/model.ts";
import { CONTROL_SOCKET, isServed } from "../control/server.ts";
import type { Logger } from "../ports/logger.ts";
import { Addresses } from "../sys/addresses.ts";
import { ArpReserve } from "../sys/arp-reserve.ts";
import { NETLINK_ROUTE } from "../sys/constants.ts";
import { KernelNetlinkSocket } from "../sys/netlink-socket.ts";
import { handoverBoundUs } from "../vrrp/handover.ts";
import { loadOwnership, openTable } from "./ipvs-state.ts";
import { takeOffLeftovers } from "./leftovers.ts";
import { readTrial } from "./trial-book.ts";

/** On top of a handover: the start of a process, and the last announcement. */
const ROOM_MS = 7_000;

export interface SweepOptions {
  readonly file: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly nodeName: string;
  /** The program that children run. */
  readonly program: string;
}

export interface SweepCollaborators {
  readonly files: FileAccess;
  readonly logger: Logger;
}

/**
 * After everything died (`ExecStopPost`): takes off what a daemon left that can no longer do so itself. Addresses that are still
 * rightfully ours are handed over, others removed; then the services go that holdfast made, if the configuration says so.
 * Does nothing while a daemon serves the run directory, and nothing the second time. Never throws.
 */
export async function sweep(options: SweepOptions, collaborators: SweepCollaborators): Promise<void> {
  const { logger } = collaborators;
  const attempt = async (what: string, act: () => unknown): Promise<void> => {
    try {
      await act();
    } catch (thrown) {
      logger.log({ level: "warning", source: "sweep", message: `${what}: ${messageOf(thrown)}` });
    }
  };
  if (await isServed(join(options.runDir, CONTROL_SOCKET))) return;
  const files = filesInForce(options.stateDir, collaborators.files);
  const loaded = loadConfigFiles(options.file, { nodeName: options.nodeName }, files);
  const config = loaded.ok ? loaded.value.config : null;
  await attempt("virtual addresses may have been left, see `ip address`", () =>
    sweepAddresses(options, config, logger),
  );
  await attempt("arp_ignore may have been left at 1", () => new ArpReserve(options.runDir).restore());
  // Without a readable configuration nobody says that they may go.
  if (config?.ipvs.onStop === "remove")
    await attempt("IPVS services may have been left, see `ipvsadm -Ln`", () => sweepServices(options, logger));
}

/** Where nobody confirmed what the files hold, the daemon ran with the configuration before. */
function filesInForce(stateDir: string, files: FileAccess): FileAccess {
  const trial = readTrial(stateDir);
  const isReverted = trial?.state === "reverted" && isOnDisk(trial.tried, files);
  return isReverted ? new KeptFiles(trial.before, files) : files;
}

async function sweepAddresses(options: SweepOptions, config: DirectorConfig | null, logger: Logger): Promise<void> {
  const netlink = orThrow(KernelNetlinkSocket.open(NETLINK_ROUTE, "socket for virtual addresses"));
  const left = orThrow(new Addresses({ netlink }).owned());
  netlink.close();
  if (left.length === 0) return;
  const instances = config?.instances ?? [];
  const boundUs = Math.max(0, ...instances.map(({ advertIntervalUs }) => handoverBoundUs(advertIntervalUs)));
  const deadlineMs = Math.ceil(boundUs / 1_000) + ROOM_MS;
  await takeOffLeftovers(
    { name: "vrrp", program: options.program, args: ["internal", "vrrp"], replyTimeoutMs: ROOM_MS },
    { instances, realtime: false, runDir: options.runDir },
    deadlineMs,
    logger,
  );
}

function sweepServices({ stateDir }: SweepOptions, logger: Logger): void {
  // Without one of ours, IPVS is not even asked: it may not be loaded, and need not be.
  if (loadOwnership(stateDir, logger).keys.size === 0) return;
  const table = openTable(stateDir, logger);
  const { error } = table.removeOwned();
  table.close();
  if (error !== null) throw error;
}
