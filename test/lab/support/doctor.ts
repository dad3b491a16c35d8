import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DoctorFinding, DoctorId } from "../../../src/doctor/catalogue.ts";
import type { Unseen } from "../../../src/doctor/facts.ts";
import { PROGRAM } from "./director.ts";
import type { Host } from "./hosts.ts";

/** What `holdfast doctor --json` says. */
export interface Report {
  readonly status: number;
  readonly findings: readonly DoctorFinding[];
  readonly unseen: readonly Unseen[];
  readonly fixed: readonly string[];
}

export interface DoctorRun {
  readonly args?: readonly string[];
  /** Of the daemon that it asks; absent = one that does not run. */
  readonly runDir?: string;
  /** In front of its command line. */
  readonly wrapper?: readonly string[];
  readonly program?: string;
}

/** Runs the doctor on a host for a configuration. @param dir where the file goes */
export async function doctor(host: Host, dir: string, yaml: string, run: DoctorRun = {}): Promise<Report> {
  const home = mkdtempSync(join(dir, "doctor-"));
  const file = join(home, "holdfast.yaml");
  writeFileSync(file, yaml);
  const { args = [], runDir = join(home, "run"), wrapper = [], program = PROGRAM } = run;
  const { status, stdout, stderr } = await host.execAsync([
    ...wrapper,
    ...[process.execPath, program, "doctor", file, "--json", "--run-dir", runDir, ...args],
  ]);
  assert.ok(status === 0 || status === 1, `doctor ended with ${status}: ${stderr}${stdout}`);
  const report = JSON.parse(stdout) as Omit<Report, "status">;
  assert.equal(status === 0, report.findings.length === 0, stdout);
  return { status, ...report };
}

export function idsOf({ findings }: Report): DoctorId[] {
  return [...new Set(findings.map(({ id }) => id))].sort();
}

/** The finding of that id, which must be there and the only one. */
export function only(report: Report, id: DoctorId): DoctorFinding {
  assert.deepEqual(idsOf(report), [id], JSON.stringify(report, null, 2));
  const [finding] = report.findings;
  assert.ok(finding !== undefined);
  return finding;
}

/** Provoked in doctor-guest.lab.ts, because they are about IPVS or the first network namespace; all others in doctor.lab.ts. */
export const NEEDS_GUEST: readonly DoctorId[] = [
  "ipvs-missing",
  "scheduler-missing",
  "tunnel-unsupported",
  "neighbour-table-small",
  "neighbour-table-tight",
];
