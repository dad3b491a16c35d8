import { DirectorError } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { orThrow, type Result } from "../base/result.ts";
import type { FileAccess } from "../config/file-access.ts";
import type { InstanceKeys } from "../config/keys.ts";
import { loadConfigFiles } from "../config/load-files.ts";
import type { DirectorConfig } from "../config/model.ts";
import { countProblems, renderPieces } from "../config/render.ts";
import { ControlClient } from "../control/client.ts";
import type { DirectorStatus } from "../control/status.ts";
import type { DoctorFinding, SysctlFix } from "../doctor/catalogue.ts";
import { diagnose } from "../doctor/diagnose.ts";
import type { DoctorFacts, Unseen } from "../doctor/facts.ts";
import type { HmacSha256 } from "../vrrp/hmac.ts";
import type { DoctorOptions } from "./commands/doctor.ts";
import { renderFindings } from "./findings-view.ts";
import { paint, paintsFor, type Terminal, wantsColour } from "./terminal.ts";

const STATUS_TIMEOUT_MS = 5_000;

export interface DoctorCollaborators {
  readonly files: FileAccess;
  readonly hmac: HmacSha256;
  look(options: {
    readonly config: DirectorConfig;
    readonly keys: InstanceKeys;
    readonly status: DirectorStatus | null;
  }): Promise<DoctorFacts>;
  /** @returns what was set, `net.ipv4.ip_forward=1` */
  fix(fixes: readonly SysctlFix[]): Result<readonly string[], DirectorError>;
}

/** `holdfast doctor`: 0 no findings, 1 findings, 78 the configuration has errors. */
export async function doctorCommand(
  options: DoctorOptions & { readonly nodeName: string; readonly controlSocket: string },
  terminal: Terminal,
  { files, hmac, look, fix }: DoctorCollaborators,
): Promise<ExitCode> {
  const loaded = loadConfigFiles(options.file, { nodeName: options.nodeName }, files);
  if (!loaded.ok) {
    const inColour = wantsColour(terminal.err, terminal.env);
    for (const problem of loaded.error) terminal.err.write(`${paint(renderPieces(problem), inColour)}\n\n`);
    terminal.err.write(`${options.file}: ${countProblems(loaded.error)}\n`);
    return EXIT.BAD_CONFIG;
  }
  const { config, keys } = loaded.value;
  const status = await statusOf(options.controlSocket);
  const examine = async (): Promise<Report> => {
    const facts = await look({ config, keys, status });
    return { findings: diagnose(config, facts, { hmac, keys }), unseen: facts.unseen, fixed: [] };
  };
  let report = await examine();
  if (options.fix) {
    const fixes = report.findings.flatMap((finding) => finding.fix);
    if (options.dryRun) {
      print(options, { ...report, fixed: [] }, terminal);
      for (const { name, value } of fixes) terminal.err.write(`would set ${name.join(".")}=${value}\n`);
      return exitCodeOf(report);
    }
    const fixed = fixes.length === 0 ? [] : orThrow(fix(fixes));
    // What was mended is looked at again, and what mending one thing brings to light is said.
    if (fixed.length > 0) report = { ...(await examine()), fixed };
  }
  print(options, report, terminal);
  return exitCodeOf(report);
}

interface Report {
  readonly findings: readonly DoctorFinding[];
  readonly unseen: readonly Unseen[];
  readonly fixed: readonly string[];
}

function exitCodeOf({ findings }: Report): ExitCode {
  return findings.length === 0 ? EXIT.OK : EXIT.FAILED;
}

/** What the daemon says, if one answers. */
async function statusOf(path: string): Promise<DirectorStatus | null> {
  try {
    return await new ControlClient({ path, timeoutMs: STATUS_TIMEOUT_MS }).status();
  } catch (thrown) {
    if (thrown instanceof DirectorError && thrown.code === "DAEMON_UNREACHABLE") return null;
    throw thrown;
  }
}

function print({ json }: DoctorOptions, { findings, unseen, fixed }: Report, terminal: Terminal): void {
  if (json) {
    terminal.out.write(`${JSON.stringify({ version: 1, findings, unseen, fixed }, null, 2)}\n`);
    return;
  }
  for (const setting of fixed) terminal.err.write(`set ${setting}\n`);
  if (fixed.length > 0) {
    terminal.err.write(
      "These settings last until this machine starts anew; /etc/sysctl.d/ keeps them (sysctl.d(5)).\n",
    );
  }
  for (const { what, why } of unseen) terminal.err.write(`not looked at: ${what}: ${why}\n`);
  terminal.out.write(renderFindings(findings, paintsFor(terminal)));
}
