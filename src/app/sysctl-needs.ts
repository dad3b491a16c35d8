import type { ServiceConfig } from "../config/model.ts";
import { neededSysctls } from "../ipvs/sysctls.ts";
import type { LogEntry } from "../ports/logger.ts";
import { readSysctl, writeSysctl } from "../sys/sysctl.ts";

/**
 * Compares the sysctls that the services' forwarding methods need with the kernel's, and sets them if told to.
 * @returns one log entry for each that differed: set, or a warning with the command that sets it
 */
export function applySysctls(services: readonly ServiceConfig[], manage: boolean): readonly LogEntry[] {
  const entries: LogEntry[] = [];
  const say = (level: LogEntry["level"], message: string) => entries.push({ level, source: "checker", message });
  for (const { name, wanted, why, command } of neededSysctls(services)) {
    const parts = name.split(".");
    const present = readSysctl(parts);
    if (present.ok && present.value === wanted) continue;
    const seen = present.ok ? `is ${present.value}` : `cannot be read (${present.error.message})`;
    if (!manage) {
      say(
        "warning",
        `sysctl ${name} ${seen}, needed is ${wanted}: ${why} Run \`${command}\`, or set ipvs.manageSysctls: true`,
      );
      continue;
    }
    const written = writeSysctl(parts, wanted);
    if (written.ok) say("notice", `sysctl ${name}: ${present.ok ? present.value : "?"} -> ${wanted}: ${why}`);
    else
      say("warning", `sysctl ${name} ${seen}, needed is ${wanted}, and it could not be set: ${written.error.message}`);
  }
  return entries;
}
