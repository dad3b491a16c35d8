import type { ServiceConfig } from "../config/model.ts";
import { BACKUP_ONLY_SYSCTL, neededSysctls, quiescingSysctls, SYNC_SYSCTLS, type SysctlNeed } from "../ipvs/sysctls.ts";
import type { LogEntry } from "../ports/logger.ts";
import { readSysctl, writeSysctl } from "../sys/sysctl.ts";

/** A setting that the kernel lacks. */
export interface MissingSysctl {
  /** `net.ipv4.ip_forward`. */
  readonly name: string;
  /** What it is; `?` = it cannot be read. */
  readonly value: string;
  readonly wanted: string;
  /** Which services need it, and what goes wrong without it. */
  readonly why: string;
  /** All of that as a sentence, with the command that sets it. */
  readonly problem: string;
}

/** What became of settings that differed. */
export interface SysctlReport {
  /** One log entry for each that was set. */
  readonly set: readonly LogEntry[];
  readonly missing: readonly MissingSysctl[];
  /** Names of all that are needed, whatever they are. */
  readonly needed: readonly string[];
}

/** Compares the sysctls that the services' forwarding methods need with the kernel's, and sets them if told to. */
export function applySysctls(services: readonly ServiceConfig[], manage: boolean): SysctlReport {
  return apply(neededSysctls(services), manage);
}

/**
 * As `applySysctls`, for what drains need.
 * @param services those with a server whose weight became 0
 * @returns one log entry for each that differed: set, or a warning
 */
export function applyQuiescingSysctls(services: readonly ServiceConfig[], manage: boolean): readonly LogEntry[] {
  return entriesOf(apply(quiescingSysctls(services), manage));
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
  const entries = entriesOf(apply(SYNC_SYSCTLS, true));
  const backupOnly = readSysctl(BACKUP_ONLY_SYSCTL.split("."));
  const isOff = backupOnly.ok && backupOnly.value !== "0";
  const problem = `sysctl ${BACKUP_ONLY_SYSCTL} is 1: the kernel forwards nothing while a backup daemon runs, and with sync one runs always; run \`sysctl -w ${BACKUP_ONLY_SYSCTL}=0\``;
  return { entries, problem: isOff ? problem : null };
}

function entriesOf({ set, missing }: SysctlReport): readonly LogEntry[] {
  return [
    ...set,
    ...missing.map(({ problem }) => ({ level: "warning", source: "checker", message: problem }) as const),
  ];
}

function apply(needs: readonly SysctlNeed[], manage: boolean): SysctlReport {
  const set: LogEntry[] = []; // both bounded by the needs
  const missing: MissingSysctl[] = [];
  for (const { name, wanted, why, command } of needs) {
    const parts = name.split(".");
    const present = readSysctl(parts);
    // Where a setting is two numbers, the kernel puts a tab between them.
    const value = present.ok ? present.value.replace(/\s+/g, " ") : "?";
    if (value === wanted) continue;
    const seen = present.ok ? `is ${value}` : `cannot be read (${present.error.message})`;
    const lacks = `sysctl ${name} ${seen}, needed is ${wanted}: ${why}`;
    if (!manage) {
      const problem = `${lacks}. Run \`${command}\`, or set ipvs.manageSysctls: true`;
      missing.push({ name, value, wanted, why, problem });
      continue;
    }
    const written = writeSysctl(parts, wanted);
    if (written.ok) {
      const event = { type: "drift", subject: `sysctl ${name}`, from: value, to: wanted, cause: why } as const;
      set.push({ level: "notice", source: "checker", message: `sysctl ${name}: ${value} -> ${wanted}: ${why}`, event });
    } else {
      const problem = `${lacks}. It could not be set (${written.error.message}); run \`${command}\` where that is allowed`;
      missing.push({ name, value, wanted, why, problem });
    }
  }
  return { set, missing, needed: needs.map(({ name }) => name) };
}
