import type { ServiceConfig, SyncConfig } from "../config/model.ts";
import { BACKUP_ONLY_SYSCTL, neededSysctls, SYNC_SYSCTLS } from "../ipvs/sysctls.ts";
import { type PlanGroup, type PlanStep, stepOf } from "./model.ts";

export interface SysctlsConfig {
  readonly services: readonly ServiceConfig[];
  readonly sync: SyncConfig | null;
  /** `ipvs.manageSysctls`. */
  readonly isManaged: boolean;
}

/**
 * Kernel settings that would be set, and those that a person should set.
 * @param presentOf the present value by name; null = there is none, as before IPVS is loaded
 */
export function planSysctls(config: SysctlsConfig, presentOf: (name: string) => string | null): PlanGroup {
  const steps: PlanStep[] = [];
  const notes: string[] = [];
  for (const { name, wanted, why, command } of neededSysctls(config.services)) {
    const value = presentOf(name);
    if (value === wanted) continue;
    if (config.isManaged) steps.push(stepOf(`sysctl ${name}`, value ?? "not there yet", wanted));
    else
      notes.push(
        `sysctl ${name} is ${value ?? "not there yet"}, needed is ${wanted}: ${why}; run \`${command}\`, or set ipvs.manageSysctls: true`,
      );
  }
  for (const { name, wanted } of config.sync === null ? [] : SYNC_SYSCTLS) {
    const value = presentOf(name);
    if (value !== wanted) steps.push(stepOf(`sysctl ${name}`, value ?? "not there yet", wanted));
  }
  if (config.sync !== null && (presentOf(BACKUP_ONLY_SYSCTL) ?? "0") !== "0")
    notes.push(
      `sysctl ${BACKUP_ONLY_SYSCTL} is 1: the kernel forwards nothing while a backup daemon runs; run \`sysctl -w ${BACKUP_ONLY_SYSCTL}=0\``,
    );
  return { section: "sysctls", title: "kernel settings", steps, notes };
}
