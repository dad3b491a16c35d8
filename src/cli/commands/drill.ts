import { type Command, InvalidArgumentError, Option } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import type { DrillRequest } from "../../control/drill-api.ts";
import { DRILL_KINDS, type DrillKind } from "../../drill/model.ts";
import { formatTarget, type Target } from "../../drill/target.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf, type GlobalOptions, globalsOf } from "./command.ts";
import { durationBetween } from "./duration-option.ts";
import { everyOption, targetOf, timeoutOption } from "./probe.ts";

/** Who asks, where it is not the director itself. */
export type AskedFrom =
  | { readonly type: "ssh"; readonly host: string }
  /** Words of a command that runs `holdfast probe`; target and pace are appended. */
  | { readonly type: "command"; readonly words: readonly [string, ...string[]] };

export interface DrillRunOptions extends GlobalOptions {
  readonly instance: string;
  readonly request: DrillRequest;
  readonly from: AskedFrom | null;
  readonly json: boolean;
}

export interface DrillListOptions extends GlobalOptions {
  readonly json: boolean;
}

export interface DrillShowOptions extends DrillListOptions {
  /** null = the latest. */
  readonly id: string | null;
}

export interface DrillHandler {
  drillRun(options: DrillRunOptions): Promise<ExitCode>;
  drillList(options: DrillListOptions): Promise<ExitCode>;
  drillShow(options: DrillShowOptions): Promise<ExitCode>;
}

const limitOption = durationBetween(0, 600_000_000, "at most 10m");

function countOption(text: string): number {
  if (!/^\d{1,7}$/.test(text) || Number(text) > 1_000_000) throw new InvalidArgumentError("It must be 0 to 1000000.");
  return Number(text);
}

/** A name for ssh: one that begins with a dash would be an option of it. */
function sshHost(text: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@:%-]{0,254}$/.test(text))
    throw new InvalidArgumentError("It is a host or USER@HOST.");
  return text;
}

function wordsOf(text: string): readonly [string, ...string[]] {
  const [first, ...rest] = text.trim().split(/\s+/);
  if (first === undefined || first === "") throw new InvalidArgumentError("It names no program.");
  return [first, ...rest];
}

interface RunFlags {
  readonly kind: DrillKind;
  readonly target?: Target;
  readonly every?: number;
  readonly timeout?: number;
  readonly maxGap?: number;
  readonly maxFailed?: number;
  readonly maxSteady?: number;
  readonly maxReturnGap?: number;
  readonly return: boolean;
  readonly probeFrom?: string;
  readonly probeCommand?: readonly [string, ...string[]];
}

export function addDrill({ program, handlers, finish }: CommandLine<DrillHandler>): void {
  const drill = addCommand(
    program,
    "drill",
    "practise a failover: measured from outside, judged, and put back",
    "holdfast drill run web4 --kind handover --probe-from client1",
  );
  addRun(drill, handlers, finish);
  addCommand(drill, "list", "list the drills whose reports are kept", "holdfast drill list")
    .option("--json", "print the list as JSON")
    .addHelpText("after", exitCodes("0, 4 no daemon"))
    .action(async (_options: unknown, command: Command) => {
      finish(await handlers.drillList({ ...globalsOf(command), ...flagsOf(command, "json") }));
    });
  addCommand(drill, "show", "print the report of a drill", "holdfast drill show", "holdfast drill show --json")
    .argument("[id]", "of the list; the latest unless said")
    .option("--json", "print the report as JSON, with every question and answer")
    .addHelpText("after", exitCodes("0, 1 there is no such report, 4 no daemon"))
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      finish(await handlers.drillShow({ id: id ?? null, ...globalsOf(command), ...flagsOf(command, "json") }));
    });
}

function addRun(drill: Command, handlers: DrillHandler, finish: (exitCode: ExitCode) => void): void {
  addCommand(
    drill,
    "run",
    "let the peer serve for a moment, by a planned handover or as if this machine had died, and take the address back",
    "holdfast drill run web4 --kind handover",
    "holdfast drill run web4 --kind takeover --target http://192.0.2.10/healthz --probe-from root@client1",
  )
    .argument("<instance>", "name of the instance; the others of its group move with it")
    .addOption(new Option("--kind <kind>", "kind of drill").choices(DRILL_KINDS).makeOptionMandatory())
    .option("--target <target>", "what the probe asks (default: icmp to the first address)", targetOf)
    .option("--every <duration>", "pace of the questions, 1ms to 10s (default: 10ms)", everyOption)
    .option("--timeout <duration>", "a question fails after this long (default: 1s)", timeoutOption)
    .option("--max-gap <duration>", "longest time between two answers (default: what the protocol asks)", limitOption)
    .option("--max-failed <count>", "questions without an answer (default: as many as the gap holds)", countOption)
    .option("--max-steady <duration>", "until answers come without interruption (default: the gap and 1s)", limitOption)
    .option("--max-return-gap <duration>", "longest time between two answers on the way back", limitOption)
    .option("--no-return", "leave the address with the peer after a handover")
    .addOption(
      new Option("--probe-from <host>", "ask from this host: ssh runs holdfast probe there")
        .argParser(sshHost)
        .conflicts("probeCommand"),
    )
    .addOption(
      new Option(
        "--probe-command <words>",
        "another way to run holdfast probe: a command without a shell, to which target and pace are appended",
      ).argParser(wordsOf),
    )
    .option("--json", "print the report as JSON, with every question and answer")
    .addHelpText("after", exitCodes("0 passed, 1 failed or refused, 4 no daemon"))
    .action(async (instance: string, _options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<RunFlags>();
      const options = { instance, request: requestOf(flags), from: fromOf(flags), ...flagsOf(command, "json") };
      finish(await handlers.drillRun({ ...globalsOf(command), ...options }));
    });
}

function requestOf(flags: RunFlags): DrillRequest {
  const { kind, target, every, timeout, maxGap, maxFailed, maxSteady, maxReturnGap } = flags;
  return {
    kind,
    ...(target === undefined ? {} : { target: formatTarget(target) }),
    ...(every === undefined ? {} : { everyUs: every }),
    ...(timeout === undefined ? {} : { timeoutUs: timeout }),
    ...(maxGap === undefined ? {} : { maxGapUs: maxGap }),
    ...(maxFailed === undefined ? {} : { maxFailed }),
    ...(maxSteady === undefined ? {} : { maxSteadyUs: maxSteady }),
    ...(maxReturnGap === undefined ? {} : { maxReturnGapUs: maxReturnGap }),
    ...(flags.return ? {} : { returns: false }),
  };
}

function fromOf({ probeFrom, probeCommand }: RunFlags): AskedFrom | null {
  if (probeFrom !== undefined) return { type: "ssh", host: probeFrom };
  return probeCommand === undefined ? null : { type: "command", words: probeCommand };
}
