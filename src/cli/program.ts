import { Command, CommanderError } from "commander";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { lastWords } from "../base/last-words.ts";
import { asSentence } from "../base/sentence.ts";
import { addCheck, type CheckHandler } from "./commands/check.ts";
import { type CommandLine, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR, examples } from "./commands/command.ts";
import { addCompletion, type CompletionHandler } from "./commands/completion.ts";
import { addConfirm, type ConfirmHandler } from "./commands/confirm.ts";
import { addDoctor, type DoctorHandler } from "./commands/doctor.ts";
import { addDrill, type DrillHandler } from "./commands/drill.ts";
import { addEvents, type EventsHandler } from "./commands/events.ts";
import { addHandover, type HandoverHandler } from "./commands/handover.ts";
import { addImport, type ImportHandler } from "./commands/import.ts";
import { addDisable, addDrain, addEnable, addWeight, type OverrideHandler } from "./commands/overrides.ts";
import { addPlan, type PlanHandler } from "./commands/plan.ts";
import { addProbe, type ProbeHandler } from "./commands/probe.ts";
import { addRealServer, type RealServerHandler } from "./commands/realserver.ts";
import { addReload, type ReloadHandler } from "./commands/reload.ts";
import { addRun, type RunHandler } from "./commands/run.ts";
import { addSchedule, type ScheduleHandler } from "./commands/schedule.ts";
import { addSchema, type SchemaHandler } from "./commands/schema.ts";
import { addStatus, type StatusHandler } from "./commands/status.ts";
import type { Terminal } from "./terminal.ts";

/**
 * What the commands do: each returns the exit code. They are handed in, so that a command loads only what it needs: `status`
 * no YAML, `check` no HTTP client.
 */
export type Handlers = RunHandler &
  CheckHandler &
  PlanHandler &
  ReloadHandler &
  ConfirmHandler &
  StatusHandler &
  EventsHandler &
  HandoverHandler &
  OverrideHandler &
  DrillHandler &
  ProbeHandler &
  ScheduleHandler &
  RealServerHandler &
  ImportHandler &
  SchemaHandler &
  DoctorHandler &
  CompletionHandler;

/** In the order of the help text. */
const COMMANDS: readonly ((commandLine: CommandLine<Handlers>) => void)[] = [
  addRun,
  addCheck,
  addPlan,
  addReload,
  addConfirm,
  addStatus,
  addEvents,
  addDrain,
  addDisable,
  addWeight,
  addEnable,
  addHandover,
  addDrill,
  addProbe,
  addSchedule,
  addRealServer,
  addImport,
  addSchema,
  addDoctor,
  addCompletion,
];

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
    const { text, exitCode } = lastWords(thrown, argv.includes("--debug"));
    terminal.err.write(text);
    return exitCode;
  }
}

/** All commands with their options and help, to be described or completed and not to be run. */
export function describeProgram(version: string): Command {
  const silent = { write: () => {}, isTerminal: false };
  // Nobody parses a command line with it, so nothing reaches the handlers.
  return buildProgram(version, {} as Handlers, { out: silent, err: silent, env: {} }, () => {});
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
    .addHelpText("beforeAll", ({ command }) => {
      refuseUnknown(command);
      return "";
    })
    .addHelpText("after", examples(["holdfast check /etc/holdfast/holdfast.yaml", "holdfast status"]));
  for (const add of COMMANDS) add({ program, handlers, finish });
  return program;
}

/**
 * Has a command that does not exist be one also with `--help` behind it: commander would print the help of all the others, and call
 * that a success.
 */
function refuseUnknown(command: Command): void {
  const [name = "-"] = command.args;
  const isCommand = !name.startsWith("-") && command.commands.length > 0;
  // Asked without an option, commander says that there is none, and which may be meant.
  if (isCommand) command.parse([name], { from: "user" });
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
  return `holdfast: ${asSentence(first)} ${next}\n`;
}
