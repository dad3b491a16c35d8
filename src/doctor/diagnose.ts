import type { DirectorConfig } from "../config/model.ts";
import { BACKUP_ONLY_SYSCTL, neededSysctls, type SysctlNeed } from "../ipvs/sysctls.ts";
import { arpFindings, unexplainedAnswers } from "./arp-findings.ts";
import type { DoctorFinding } from "./catalogue.ts";
import type { DoctorFacts } from "./facts.ts";
import { machineFindings } from "./machine-findings.ts";
import { networkFindings } from "./network-findings.ts";
import { type HearingCollaborators, hearings } from "./peer-findings.ts";
import { rightsFindings } from "./rights-findings.ts";

/** The settings that this configuration relies on and does not make itself. */
export function neededOf({ services, ipvs, sync }: DirectorConfig): SysctlNeed[] {
  const forSync: SysctlNeed = {
    name: BACKUP_ONLY_SYSCTL,
    wanted: "0",
    why: "sync: with 1 the kernel forwards nothing while a backup daemon runs, and with sync one runs always",
    command: `sysctl -w ${BACKUP_ONLY_SYSCTL}=0`,
  };
  return [...(ipvs.manageSysctls ? [] : neededSysctls(services)), ...(sync === null ? [] : [forSync])];
}

/** Everything that the facts say, errors first. Without facts of a kind nothing is found about it: `unseen` says why. */
export function diagnose(
  config: DirectorConfig,
  facts: DoctorFacts,
  collaborators: HearingCollaborators,
): DoctorFinding[] {
  const heard = hearings(config, facts, collaborators);
  const findings = [
    ...rightsFindings(config, facts),
    ...machineFindings(config, facts, neededOf(config)),
    ...networkFindings(config, facts),
    ...[...heard.values()].flatMap((hearing) => hearing.findings),
    ...arpFindings(unexplainedAnswers(config, facts, heard), facts),
  ];
  return [...findings.filter(isError), ...findings.filter((each) => !isError(each))];
}

function isError({ severity }: DoctorFinding): boolean {
  return severity === "error";
}
