import { Command, CommanderError } from "commander";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { EXIT, type ExitCode, exitCodeFor } from "../base/exit-codes.ts";
import type { CheckOptions } from "./check.ts";
import type { Terminal } from "./terminal.ts";

export const DEFAULT_FILE = "/etc/holdfast/holdfast.yaml";
export const DEFAULT_RUN_DIR = "/run/holdfast";
export const DEFAULT_STATE_DIR = "/var/lib/holdfast";

/** Options that every command has. */
export interface GlobalOptions {
  /** Where the control socket stands. */
  readonly runDir: string;
  /** Where what survives a restart is kept. */
  readonly stateDir: string;
  /** Print stack traces. */
  readonly debug: boolean;
}

export interface RunOptions extends GlobalOptions {
  readonly file: string;
}

export interface StatusOptions extends GlobalOptions {
  readonly json: boolean;
}

export interface HandoverOptions extends GlobalOptions {
  readonly instance: string;
  readonly json: boolean;
}

export interface CheckCommand extends GlobalOptions, Omit<CheckOptions, "nodeName"> {}

/**
 * What the commands do: each returns the exit code. They are handed in, so that a command loads only what it needs: `status`
 * no YAML, `check` no HTTP client.
 */
export interface Handlers {
  check(options: CheckCommand): Promise<ExitCode>;
  run(options: RunOptions): Promise<ExitCode>;
  reload(options: GlobalOptions): Promise<ExitCode>;
  status(options: StatusOptions): Promise<ExitCode>;
  handover(options: HandoverOptions): Promise<ExitCode>;
}

/**
 * Runs one command line.
 * @param argv arguments after the program's name
 * @returns the exit code; what went wrong has been printed as one sentence
 */
export async function runProgram(
  argv: readonly string[],
  version: string,
  handlers: Handlers,
  terminal: Terminal,
): Promise<ExitCode> {
  const outcome: { exitCode: ExitCode } = { exitCode: EXIT.OK };
  const finish = (exitCode: ExitCode): void => {
    outcome.exitCode = exitCode;
  };
  const program = buildProgram(version, handlers, terminal, finish);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return outcome.exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    return report(thrown, argv.includes("--debug"), terminal);
  }
}

/** What was thrown, as one sentence and the operator's next step. */
export function report(thrown: unknown, isDebug: boolean, terminal: Terminal): ExitCode {
  const isOurs = thrown instanceof DirectorError;
  const sentence = messageOf(thrown).replace(/\.?$/, ".");
  const next = isOurs ? thrown.remedy : "This is a fault of holdfast; --debug shows where.";
  terminal.err.write(`holdfast: ${sentence} ${next}\n`);
  if (isDebug && thrown instanceof Error) terminal.err.write(`${stackOf(thrown)}\n`);
  return isOurs ? exitCodeFor(thrown.code, thrown.facts.errno) : EXIT.OWN_FAULT;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}

/** Commander merges the options of a command with the global ones; these are their types. */
interface ParsedOptions extends GlobalOptions {
  readonly strict?: boolean;
  readonly explain?: boolean;
  readonly json?: boolean;
}

function buildProgram(
  version: string,
  handlers: Handlers,
  terminal: Terminal,
  finish: (exitCode: ExitCode) => void,
): Command {
  const program = new Command("holdfast");
  program
    .description(
      "High-availability director for Linux Virtual Server: VRRP, health checks and kernel IPVS from one YAML file.",
    )
    .version(version, "-V, --version", "print the version")
    .option("--run-dir <dir>", "folder of the control socket", DEFAULT_RUN_DIR)
    .option("--state-dir <dir>", "folder of what survives a restart", DEFAULT_STATE_DIR)
    .option("--debug", "print stack traces of errors", false)
    .helpOption("-h, --help", "print help, with an example for each command")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out.write(text),
      writeErr: (text) => terminal.err.write(text),
      outputError: (text, write) => write(usageSentence(text)),
    })
    .addHelpText("after", example("holdfast check /etc/holdfast/holdfast.yaml", "holdfast status"));

  const optionsOf = (command: Command): ParsedOptions => ({ ...command.optsWithGlobals<ParsedOptions>() });
  const isOn = (value: boolean | undefined): boolean => value === true;

  addCommand(
    program,
    "run",
    "run the director in the foreground, as systemd does",
    "holdfast run /etc/holdfast/holdfast.yaml",
  )
    .argument("[file]", "configuration", DEFAULT_FILE)
    .action(async (file: string, _options: unknown, command: Command) => {
      const { runDir, stateDir, debug } = optionsOf(command);
      finish(await handlers.run({ file, runDir, stateDir, debug }));
    });

  addCommand(
    program,
    "check",
    "validate a configuration and print every problem",
    "holdfast check --strict --explain new.yaml",
  )
    .argument("[file]", "configuration", DEFAULT_FILE)
    .option("--strict", "exit with 1 when there are warnings")
    .option("--explain", "print the configuration with every default filled in")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExit codes: 0 valid, 1 warnings with --strict, 78 errors.")
    .action(async (file: string, _options: unknown, command: Command) => {
      const { runDir, stateDir, debug, strict, explain, json } = optionsOf(command);
      finish(
        await handlers.check({
          file,
          runDir,
          stateDir,
          debug,
          strict: isOn(strict),
          explain: isOn(explain),
          json: isOn(json),
        }),
      );
    });

  addCommand(program, "reload", "validate the daemon's configuration again and apply what changed", "holdfast reload")
    .addHelpText("after", "\nExit codes: 0 applied, 4 no daemon, 78 refused and nothing changed.")
    .action(async (_options: unknown, command: Command) => {
      const { runDir, stateDir, debug } = optionsOf(command);
      finish(await handlers.reload({ runDir, stateDir, debug }));
    });

  addCommand(
    program,
    "status",
    "print instances, services and servers, with the reason for each state",
    "holdfast status --json",
  )
    .option("--json", "print the state as JSON")
    .addHelpText("after", "\nExit codes: 0 healthy, 3 degraded, 4 no daemon.")
    .action(async (_options: unknown, command: Command) => {
      const { runDir, stateDir, debug, json } = optionsOf(command);
      finish(await handlers.status({ runDir, stateDir, debug, json: isOn(json) }));
    });

  addCommand(
    program,
    "handover",
    "let a peer serve the addresses of an instance, at no cost to clients; this node rests until it is needed",
    "holdfast handover web4",
  )
    .argument("<instance>", "name of the instance; the others of its group move with it")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExit codes: 0 when the peer has it; 1 otherwise, and this node serves on; 4 no daemon.")
    .action(async (instance: string, _options: unknown, command: Command) => {
      const { runDir, stateDir, debug, json } = optionsOf(command);
      finish(await handlers.handover({ instance, runDir, stateDir, debug, json: isOn(json) }));
    });

  return program;
}

function addCommand(program: Command, name: string, summary: string, usage: string): Command {
  return program
    .command(name)
    .description(`${summary[0]?.toUpperCase() ?? ""}${summary.slice(1)}.`)
    .summary(summary)
    .allowExcessArguments(false)
    .addHelpText("after", example(usage));
}

function example(...lines: string[]): string {
  return `\nExample${lines.length > 1 ? "s" : ""}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** Commander's "error: unknown option '--foo'\n(Did you mean --bar?)" as one sentence with a next step. */
function usageSentence(text: string): string {
  const [first = "", ...rest] = text
    .trim()
    .replace(/^error: /, "")
    .split("\n");
  const suggestion = rest
    .join(" ")
    .trim()
    .replace(/^\((.*)\)$/, "$1");
  const next = suggestion === "" ? "See `holdfast --help`." : suggestion;
  return `holdfast: ${first.replace(/\.?$/, ".")} ${next}\n`;
}
