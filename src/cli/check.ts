import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { explain, withoutSecrets } from "../config/explain.ts";
import type { FileAccess } from "../config/file-access.ts";
import { loadConfigFiles } from "../config/load-files.ts";
import type { DirectorConfig } from "../config/model.ts";
import type { ConfigProblem } from "../config/problem.ts";
import { countProblems, renderPieces } from "../config/render.ts";
import { paint, type Terminal, wantsColour } from "./terminal.ts";

export interface CheckOptions {
  readonly file: string;
  /** Warnings make the exit code 1. */
  readonly strict: boolean;
  /** Print the configuration with every default filled in. */
  readonly explain: boolean;
  readonly json: boolean;
  readonly nodeName: string;
}

/**
 * `holdfast check`: validates a configuration and prints every problem, on stderr as text or on stdout as JSON.
 * @returns 0, 1 where there are warnings and `strict` is set, 78 where there are errors
 */
export function check(options: CheckOptions, terminal: Terminal, files: FileAccess): ExitCode {
  const loaded = loadConfigFiles(options.file, { nodeName: options.nodeName }, files);
  const problems = loaded.ok ? [...loaded.value.warnings, ...loaded.value.fileProblems] : loaded.error;
  const config = loaded.ok ? withoutSecrets(loaded.value.config) : null;
  const hasErrors = problems.some(({ severity }) => severity === "error");
  const exitCode = hasErrors ? EXIT.BAD_CONFIG : options.strict && problems.length > 0 ? EXIT.FAILED : EXIT.OK;
  if (options.json) terminal.out.write(`${JSON.stringify(report(options, problems, config), null, 2)}\n`);
  else printText(options, terminal, problems, config);
  return exitCode;
}

function report(options: CheckOptions, problems: readonly ConfigProblem[], config: DirectorConfig | null) {
  const of = (severity: string) => problems.filter((problem) => problem.severity === severity);
  const errors = of("error");
  return {
    file: options.file,
    valid: errors.length === 0,
    errors,
    warnings: of("warning"),
    ...(options.explain ? { config } : {}),
  };
}

function printText(
  options: CheckOptions,
  terminal: Terminal,
  problems: readonly ConfigProblem[],
  config: DirectorConfig | null,
): void {
  const inColour = wantsColour(terminal.err, terminal.env);
  for (const problem of problems) terminal.err.write(`${paint(renderPieces(problem), inColour)}\n\n`);
  if (options.explain && config !== null) terminal.out.write(explain(config));
  const summary = `${options.file}: ${config === null ? "" : `${contents(config)}; `}${countProblems(problems)}\n`;
  // With --explain, standard output is YAML that may be redirected into a file.
  if (problems.length > 0 || options.explain) terminal.err.write(summary);
  else terminal.out.write(summary);
}

function contents(config: DirectorConfig): string {
  const servers = config.services.reduce((sum, service) => sum + service.servers.length, 0);
  return [
    count(config.instances.length, "instance"),
    count(config.services.length, "service"),
    count(servers, "server"),
  ].join(", ");
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
