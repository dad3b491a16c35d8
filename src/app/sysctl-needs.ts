import type { ServiceConfig } from "../config/model.ts";
import { BACKUP_ONLY_SYSCTL, neededSysctls, quiescingSysctls, SYNC_SYSCTLS, type SysctlNeed } from "../ipvs/sysctls.ts";
import type { EventFacts, LogEntry } from "../ports/logger.ts";
import { readSysctl, writeSysctl } from "../sys/sysctl.ts";

/**
 * Compares the sysctls that the services' forwarding methods need with the kernel's, and sets them if told to.
 * @returns one log entry for each that differed: set, or a warning with the command that sets it
 */
export function applySysctls(services: readonly ServiceConfig[], manage: boolean): readonly LogEntry[] {
  return apply(neededSysctls(services), manage);
}

/** As `applySysctls`, for what drains need. @param services those with a server whose weight became 0 */
export function applyQuiescingSysctls(services: readonly ServiceConfig[], manage: boolean): readonly LogEntry[] {
  return apply(quiescingSysctls(services), manage);
}

/** What came of the settings of the connection synchronisation. */
export interface SyncSysctls {
  readonly entries: readonly LogEntry[];
  /** A sentence if a setting keeps the synchronisation from being of use. */
  readonly problem: string | null;
}

/**
 * Sets what the connection synchronisation needs, whatever `ipvs.manageSysctls` says: these settings mean nothing to anything
 * else. `backup_only` is looked at and left alone, because it may be somebody's protection against a loop.
 */
export function applySyncSysctls(): SyncSysctls {
  const entries = apply(SYNC_SYSCTLS, true);
  const backupOnly = readSysctl(BACKUP_ONLY_SYSCTL.split("."));
  const isOff = backupOnly.ok && backupOnly.value !== "0";
  const problem = `sysctl ${BACKUP_ONLY_SYSCTL} is 1: the kernel forwards nothing while a backup daemon runs, and with sync one runs always; run \`sysctl -w ${BACKUP_ONLY_SYSCTL}=0\``;
  return { entries, problem: isOff ? problem : null };
}

function apply(needs: readonly SysctlNeed[], manage: boolean): readonly LogEntry[] {
  const entries: LogEntry[] = [];
  const say = (level: LogEntry["level"], message: string, event?: EventFacts) =>
    entries.push({ level, source: "checker", message, ...(event === undefined ? {} : { event }) });
  for (const { name, wanted, why, command } of needs) {
    const parts = name.split(".");
    const present = readSysctl(parts);
    // Where a setting is two numbers, the kernel puts a tab between them.
    const value = present.ok ? present.value.replace(/\s+/g, " ") : "?";
    if (value === wanted) continue;
    const seen = present.ok ? `is ${value}` : `cannot be read (${present.error.message})`;
    if (!manage) {
      say(
        "warning",
        `sysctl ${name} ${seen}, needed is ${wanted}: ${why} Run \`${command}\`, or set ipvs.manageSysctls: true`,
      );
      continue;
    }
    const written = writeSysctl(parts, wanted);
    if (written.ok) {
      const event = { type: "drift", subject: `sysctl ${name}`, from: value, to: wanted, cause: why } as const;
      say("notice", `sysctl ${name}: ${value} -> ${wanted}: ${why}`, event);
    } else
      say("warning", `sysctl ${name} ${seen}, needed is ${wanted}, and it could not be set: ${written.error.message}`);
  }
  return entries;
}
